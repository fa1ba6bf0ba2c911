# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Examples to encoded items, at any scale: in memory where that is quick, else in the cache, by several processes.

What comes out is what ``Task.encode_all`` gives, items, counts, notes and errors alike, however it was made:

- a split of few rows, or of a task that does not name its counters, is encoded by ``encode_all`` itself;
- otherwise parts of the split are encoded one after the other; if that is done within a second, the items stay in
  memory and no file is written;
- else the parts go to an entry of the cache, keyed by everything the items depend on, where the next job with the same
  rows, settings and tokenizer finds them; a job that was interrupted goes on behind its last whole part;
- where the rest would take long, and there are threads for it, worker processes share it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from tunesmith.data.cache import find_entry, half_made, making_entry, publish
from tunesmith.data.examples import Splits
from tunesmith.data.store import NotStorableError, part_facts, whole_parts
from tunesmith.errors import DataError
from tunesmith.tasks.base import Encoded, Task, refusal
from tunesmith.tasks.encoded import StoredItems, write_items
from tunesmith.tasks.encoding_key import encoding_key
from tunesmith.tasks.encoding_worker import Worker, WorkerError
from tunesmith.tasks.tally import AnyTask, add_tally, blank_copy, can_tally, tally_of

__all__ = ["encode_split", "encode_splits"]

KIND = "items"
FEW = 2_000
"""Rows; smaller splits are encoded as ever, without a look at the cache."""
QUICK = 1.0
"""Seconds; what is encoded within them is not worth a file."""
LONG = 20.0
"""Seconds of encoding that are left, from which on worker processes are started (each takes 2 to 4 s to start)."""
LEAST, MOST_PARTS = 1_000, 256
"""A part has at least so many rows, and a split at most so many parts."""

_log = logging.getLogger(__name__)


def encode_splits(task: Task[Any, Any], splits: Splits[Any], *, workers: int = 1) -> dict[str, Sequence[Encoded]]:
    """The items of every split, training first.

    Args:
        workers: processes that may be used.

    Raises:
        DataError: what ``encode`` refused, over all examples of a split together.
    """
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    facts = [[file.sha256 for file in splits.files], {name: len(part) for name, part in parts.items()}]
    rows = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    held = tuple(parts.values())
    return {
        name: encode_split(task, part, split=name, rows=rows, workers=workers, held=held)
        for name, part in parts.items()
    }


def encode_split(
    task: Task[Any, Any],
    examples: Sequence[Any],
    *,
    split: str,
    rows: str,
    workers: int = 1,
    held: tuple[object, ...] = (),
) -> Sequence[Encoded]:
    """Every example as numbers, in order, as ``task.encode_all(examples)`` gives them.

    Args:
        split: its name.
        rows: a digest of the files that the examples come from, and of how they were divided into splits.
        workers: processes that may be used.
        held: what the task may hold and workers need not be sent, such as the examples of other splits.

    Raises:
        DataError: what ``encode`` refused, over all examples together.
    """
    # Rows that a plugin changed depend on its code too, which no key knows.
    if len(examples) < FEW or not can_tally(task) or task.data.transform:
        return task.encode_all(examples)
    task.start_encoding(examples)
    key = encoding_key(task, split, rows)
    entry = find_entry(KIND, key)
    if entry is None:
        encoding = _Encoding(task, examples, key, workers, (examples, *held))
        try:
            made = encoding.run()
        except (OSError, NotStorableError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            task.note(f"the encoded {split} rows are held in memory, since they could not be cached: {reason}")
            return task.encode_all(examples)
        if isinstance(made, list):
            return made
        entry = made
    for part in range(len(_parts(len(examples)))):
        add_tally(task, part_facts(entry, part))
    return StoredItems(entry)


def _parts(rows: int) -> list[range]:
    """Rows of each part: a function of their number, so that an interrupted job finds its parts again."""
    size = max(LEAST, -(-rows // MOST_PARTS))
    return [range(first, min(first + size, rows)) for first in range(0, rows, size)]


@dataclass(slots=True)
class _Made:
    items: list[Encoded]
    refused: list[DataError]
    tally: dict[str, Any]


@dataclass(slots=True)
class _Encoding:
    task: AnyTask
    examples: Sequence[Any]
    key: str
    workers: int
    held: tuple[object, ...]
    parts: list[range] = field(init=False)
    blank: AnyTask = field(init=False)
    seconds: float = 0.0
    """Spent on rows encoded here."""
    encoded: int = 0
    """Rows encoded here."""

    def __post_init__(self) -> None:
        self.parts = _parts(len(self.examples))
        self.blank = blank_copy(self.task, without=self.held)

    def run(self) -> list[Encoded] | Path:
        """The items, or the entry of the cache they lie in."""
        held: dict[int, _Made] = {}
        if not half_made(KIND, self.key):
            for part in self._until_it_takes_long():
                held[part] = self._here(part)
        if len(held) == len(self.parts):
            return self._gather(held)
        with making_entry(KIND, self.key) as folder:
            if folder is None:
                return self._gather(held | {part: self._here(part) for part in self._left(held)})
            return self._to_files(folder, held)

    def _until_it_takes_long(self) -> Iterator[int]:
        started = time.perf_counter()
        for part in range(len(self.parts)):
            if time.perf_counter() - started > QUICK:
                return
            yield part

    def _here(self, part: int) -> _Made:
        started = time.perf_counter()
        rows, copy = self.parts[part], blank_copy(self.blank)
        items, refused = copy.encode_some(self.examples[rows.start : rows.stop], rows.start)
        self.seconds += time.perf_counter() - started
        self.encoded += len(rows)
        return _Made(items, refused, tally_of(copy))

    def _left(self, done: Mapping[int, Any] | set[int]) -> list[int]:
        return [part for part in range(len(self.parts)) if part not in done]

    def _gather(self, made: Mapping[int, _Made]) -> list[Encoded]:
        ordered = [made[part] for part in sorted(made)]
        self._raise([error for one in ordered for error in one.refused])
        for one in ordered:
            add_tally(self.task, one.tally)
        return [item for one in ordered for item in one.items]

    def _to_files(self, folder: Path, held: dict[int, _Made]) -> Path:
        whole = whole_parts(folder)
        refused: dict[int, list[DataError]] = {}
        for part in [part for part in held if part not in whole]:
            self._keep(folder, part, held[part], refused)
        left = self._left(whole | set(held))
        if left and not self.encoded:
            self._keep(folder, left[0], self._here(left[0]), refused)
            left = left[1:]
        expected = self.seconds / max(self.encoded, 1) * sum(len(self.parts[part]) for part in left)
        _log.info("%d rows are left to encode, in about %.0f s of one process", len(left), expected)
        if self.workers > 1 and expected > LONG and len(left) > 1:
            left = self._by_workers(folder, left, refused)
        for part in left:
            self._keep(folder, part, self._here(part), refused)
        self._raise([error for part in sorted(refused) for error in refused[part]])
        return publish(folder, {"rows": len(self.examples)})

    def _keep(self, folder: Path, part: int, made: _Made, refused: dict[int, list[DataError]]) -> None:
        if made.refused:
            refused[part] = made.refused
        else:
            write_items(folder, part, made.items, made.tally)

    def _by_workers(self, folder: Path, left: list[int], refused: dict[int, list[DataError]]) -> list[int]:
        """Have worker processes encode parts; returns those that they could not, for reasons told when done here."""
        todo: SimpleQueue[int] = SimpleQueue()
        for part in left:
            todo.put(part)
        with ExitStack() as stack:
            crew = []
            for _ in range(min(self.workers, len(left))):
                try:
                    crew.append(stack.enter_context(Worker(self.blank, folder)))
                except WorkerError as error:
                    _log.warning("rows are encoded in this process alone: %s", error)
                    return left

            def work(worker: Worker) -> None:
                while True:
                    try:
                        part = todo.get_nowait()
                    except Empty:
                        return
                    rows = self.parts[part]
                    found = worker.encode(part, rows.start, self.examples[rows.start : rows.stop])
                    if found:
                        refused[part] = found

            threads = stack.enter_context(ThreadPoolExecutor(len(crew)))
            for worker in crew:  # before the threads are waited for: what waits for an answer gets none
                stack.callback(worker.stop)
            for done in [threads.submit(work, worker) for worker in crew]:
                try:
                    done.result()
                except WorkerError as error:
                    _log.warning("a worker process ended: %s", error)
        whole = whole_parts(folder)
        return [part for part in left if part not in whole and part not in refused]

    def _raise(self, refused: list[DataError]) -> None:
        if refused:
            raise refusal(refused, len(self.examples))
