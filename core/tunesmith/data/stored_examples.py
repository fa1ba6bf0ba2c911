# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Reading files that do not fit: every row is checked as ever, and kept in the cache instead of in memory.

The rows go to the cache as they are read, a few thousand in memory at a time; the splits are then views of the file,
which parse an example when it is asked for. What remains in memory is some ten bytes a row. The next job with the same
files, settings and task opens what this one kept, without reading the files but to compare their digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tunesmith.data.cache import entry_facts, find_entry, making_entry, publish
from tunesmith.data.code import code_digest
from tunesmith.data.columns import bind_columns
from tunesmith.data.facts import FileFact, facts_of
from tunesmith.data.folds import fold_places
from tunesmith.data.gathering import Problems, RowTask, Splits
from tunesmith.data.mixing import mixing_notes
from tunesmith.data.rows import Problem, RowError
from tunesmith.data.sources import Entries, FileSource, Source, read_source
from tunesmith.data.splits import repeated_rows, split_places
from tunesmith.data.store import NotStorableError, PartWriter, Record, Store
from tunesmith.data.stored_rows import StoredExamples, StoredRows, row_record
from tunesmith.errors import DataError

if TYPE_CHECKING:
    from tunesmith.recipe.schema import DataSection
    from tunesmith.registry import Registry

__all__ = ["LARGE", "read_stored"]

E = TypeVar("E")

KIND = "rows"
LARGE = 32_000_000
"""Bytes of all files together from which on rows are not held in memory, where they take about eight times as much."""
_PACKED = {".gz": 5, ".parquet": 4}  # about how many times its size such a file is, unpacked
_SPLITS = ("train", "validation", "test")
_FORMAT = 1


def read_stored(section: DataSection, task: RowTask[E], registry: Registry, found: Entries) -> Splits[E] | str | None:
    """As :func:`tunesmith.data.read_examples`, for large files.

    Args:
        found: the sources of each split.

    Returns:
        ``None`` where rows are to be read into memory: the files are small, or not all of the sources are files of
        rows (folders of images, ``dataset:``, whole texts), or nothing is to be cached. A sentence for people where
        that is so because the rows could not be kept.

    Raises:
        DataError: as ``read_examples``.
    """
    if not _is_large([source for split in _SPLITS for _, source in found[split]], section):
        return None
    if section.transform:
        return "all rows are held in memory, since data.transform changes them"
    job = _Job(section, task, registry, found)
    try:
        key = job.key()
        entry = find_entry(KIND, key)
        if entry is None:
            with making_entry(KIND, key) as folder:
                if folder is None:
                    return None
                for left in folder.iterdir():  # of an interrupted job; reading begins anew
                    left.unlink()
                entry = publish(folder, job.make(folder))
        return job.open(entry)
    except (OSError, NotStorableError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"all rows are held in memory, since they could not be cached: {reason}"


def _is_large(sources: Sequence[Source], section: DataSection) -> bool:
    total = 0
    for source in sources:
        if not isinstance(source, FileSource) or not source.path.is_file():
            return False
        if source.reader == "tunesmith/text" and section.text_unit == "file":
            return False
        total += source.path.stat().st_size * _PACKED.get(source.path.suffix.lower(), 1)
    return total >= LARGE


@dataclass(slots=True)
class _Job:
    section: DataSection
    task: RowTask[Any]
    registry: Registry
    sources: Entries
    problems: Problems = field(default_factory=Problems)
    facts: list[list[FileFact]] = field(init=False)
    """Of each source; the number of rows is not known yet."""

    def __post_init__(self) -> None:
        self.facts = [list(facts_of(source, ())) for split in _SPLITS for _, source in self.sources[split]]

    def key(self) -> str:
        """From the files, the section, the task and its settings, and the code that reads."""
        objective: Any = getattr(self.task, "objective", None)
        kind = type(self.task)
        parts = {
            "format": _FORMAT,
            "code": code_digest(kind),
            "task": f"{kind.__module__}.{kind.__qualname__}",
            "data": self.section.model_dump(mode="json", exclude={"augment"}),
            "objective": None if objective is None else objective.model_dump(mode="json"),
            "files": [asdict(fact) for facts in self.facts for fact in facts],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def make(self, folder: Path) -> dict[str, Any]:
        """Read, split, check; gives the facts of the entry.

        Raises:
            DataError: what is wrong with files or rows.
        """
        files: list[dict[str, Any]] = []
        ends: dict[str, int] = {}
        for split in _SPLITS:
            for entry, source in self.sources[split]:
                files.append({**self._write(folder, len(files), source), "entry": entry})
            ends[split] = sum(file["rows"] for file in files)
        places: dict[str, NDArray[np.int64]] = {}
        start = 0
        for split, end in ends.items():
            places[split] = np.arange(start, end, dtype=np.int64)
            start = end
        notes: list[str] = []
        shares = {"validation": self.section.split.validation, "test": self.section.split.test}
        if self.section.split.folds is not None and not self.problems.found:
            everything = self._rows(folder, files)(places["train"])
            drawn, notes = fold_places(everything, self.task.columns, self.section.split)
            places |= drawn
        elif any(shares.values()) and not self.problems.found:
            drawn, notes = split_places(len(places["train"]), shares, self.section.split.seed)
            places |= drawn  # the training rows are the first
        for split, found in places.items():
            np.save(folder / f"{split}.npy", found)
        rows = self._rows(folder, files)
        notes += repeated_rows({split: rows(found) for split, found in places.items()}, self.task.columns)
        for split in _SPLITS:
            self._check(rows(places[split]))
        self.problems.finish(self.task.columns)
        return {"files": files, "notes": notes}

    def _write(self, folder: Path, part: int, source: Source) -> dict[str, Any]:
        """One file's rows as a part of the store; gives what is known of it."""
        shapes: dict[tuple[str, ...], None] = {}
        names: set[str] = set()
        count = broken = 0
        writer = PartWriter(folder, part)
        batch: list[Record] = []
        for item in read_source(source, self.section, self.registry):
            if isinstance(item, Problem):
                self.problems.found.append(item)
                broken += 1
                continue
            count += 1
            shapes[tuple(item.values)] = None
            names.add(item.origin.file)
            batch.append(row_record(item, part))
            if len(batch) == 1024:
                writer.add(batch)
                batch = []
        writer.add(batch)
        writer.finish({})
        self.problems.rows += count + broken
        if not count and not broken:
            raise DataError(f"{source.name}: no rows")
        if len(names) > 1:
            raise NotStorableError(f"{source.name}: rows of several files")
        columns = list(dict.fromkeys(name for shape in shapes for name in shape))
        binding = (
            bind_columns(columns, self.task.columns, self.section.columns, where=source.name, recipe=True)
            if count
            else {}
        )
        return {"rows": count, "name": next(iter(names), source.name), "binding": binding}

    def _check(self, rows: StoredRows) -> None:
        """Parse every row once, so that all that is wrong is known before anything trains."""
        for row in rows:
            try:
                self.task.parse(row, labelled=True)
            except RowError as error:
                self.problems.found.append(Problem(row.origin, str(error)))

    def _rows(self, folder: Path, files: Sequence[Mapping[str, Any]]) -> Any:
        store = Store(folder)
        names, bindings = [file["name"] for file in files], [file["binding"] for file in files]
        return lambda places: StoredRows(store, names, bindings, places)

    def open(self, entry: Path) -> Splits[Any]:
        """The examples of an entry."""
        facts = entry_facts(entry)
        rows = self._rows(entry, facts["files"])
        places = {split: np.load(entry / f"{split}.npy", allow_pickle=False) for split in _SPLITS}
        examples: dict[str, StoredExamples[Any]] = {
            split: StoredExamples(rows(found), self.task) for split, found in places.items()
        }
        weights, notes, entry_of = self.section.weights, list(facts["notes"]), None
        if weights:
            entries = np.asarray([file["entry"] for file in facts["files"]], dtype=np.int64)
            entry_of = np.repeat(entries, [file["rows"] for file in facts["files"]])[places["train"]]
            notes += mixing_notes(self.section.train, weights, entry_of)
        return Splits(
            examples["train"],
            examples["validation"],
            examples["test"],
            tuple(
                replace(fact, rows=file["rows"])
                for found, file in zip(self.facts, facts["files"], strict=True)
                for fact in found
            ),
            tuple(notes),
            entry_of,
        )
