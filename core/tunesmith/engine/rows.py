# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The native engine for models that answer rows: labels, entities, spans, scores, numbers, vectors.

Rows of all requests under way are computed together, in batches of like length, one on each core; each request has its
share of every batch, so that a long list holds nobody up.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from tunesmith.engine.answers import Embeddings, Predictions, Ranking, Usage
from tunesmith.engine.decoder import dtype_name
from tunesmith.engine.inputs import parse_inputs
from tunesmith.engine.protocol import EngineInfo
from tunesmith.engine.requests import EmbedRequest, PredictRequest, RankRequest, Request
from tunesmith.engine.scheduling import Queue
from tunesmith.engine.side_by_side import SideBySide
from tunesmith.engine.stream import Stream
from tunesmith.engine.threaded import ThreadedEngine, Work
from tunesmith.errors import DataError, RequestError
from tunesmith.machine.precision import autocast
from tunesmith.tasks.base import Encoded, Task

__all__ = ["RowsEngine"]

_TOKENS = 2048
"""Of a batch."""

_FEW = 256
"""Of a batch, below which it is not made smaller so that every core has one."""


class _Reading(Work):
    """Rows that were taken.

    Attributes:
        left: items to compute, shortest first, each with its place among the request's items.
        tokens: of all items.
        tokens_left: of those in ``left``.
        outputs: what came out, by place.
        answer: makes the whole answer of the outputs.
    """

    def __init__(
        self,
        items: Sequence[Encoded],
        answer: Callable[[list[Any]], Any],
        stream: Stream,
        timeout: float | None,
    ) -> None:
        super().__init__(stream, timeout)
        order = sorted(range(len(items)), key=lambda place: items[place].length)
        self.left = deque((place, items[place]) for place in order)
        self.outputs: list[Any] = [None] * len(items)
        self.answer = answer
        self.tokens = self.tokens_left = self.prompt_tokens = sum(item.length for item in items)

    def pop(self) -> tuple[int, Encoded]:
        """Take the next item."""
        place, item = self.left.popleft()
        self.tokens_left -= item.length
        return place, item


_Batch = list[tuple[_Reading, int, Encoded]]
"""Items, each with whom it belongs to and its place there."""


class RowsEngine(ThreadedEngine[_Reading]):
    """An ``Engine`` over a task that answers rows.

    Args:
        task: restored.
        module: its network, in evaluation mode.
        precision: ``fp32`` or ``bf16``: what products are computed in; weights and inputs stay as they are.
        lock: held while the task reads and encodes rows, and while it computes.
        name: of the model, as clients ask for it.
        task_name: e.g. ``text-classification``.
        queue: in which order.
        slots: requests under way at once; ``None``: all that there are.
        threads: on a processor, batches that are computed side by side. Default: as many as PyTorch has threads.
    """

    def __init__(
        self,
        task: Task[Any, Any],
        module: nn.Module,
        *,
        precision: str,
        lock: Any,
        name: str,
        task_name: str,
        queue: Queue,
        slots: int | None = None,
        threads: int | None = None,
    ) -> None:
        self._task = task
        self._precision = precision
        self._module = module.eval()
        self._device = next(iter(module.parameters())).device
        self._lock = lock
        self._slots = slots
        threads = (threads or torch.get_num_threads()) if self._device.type == "cpu" else 1
        self._beside = SideBySide(threads, f"tunesmith-engine {name} beside") if threads > 1 else None
        labels = getattr(task, "labels", ())
        kinds = {"predict", *({"embed", "rank"} if task_name == "embedding" else ())}
        kinds |= {"rank"} if task_name == "reward" else set()
        super().__init__(
            EngineInfo(
                name=name,
                task=task_name,
                kinds=frozenset(kinds),
                labels=tuple(str(label) for label in labels) if isinstance(labels, (list, tuple)) else (),
                weights=dtype_name(next(module.parameters()).dtype),
                created=int(time.time()),
            ),
            queue=queue,
        )
        self._thread.start()

    # ---- taking requests -------------------------------------------------------------------------

    def _take(self, request: Request, stream: Stream, timeout: float | None) -> _Reading:
        adapter = getattr(request, "adapter", None)
        if adapter is not None:
            raise self._no_adapters(adapter)
        if isinstance(request, PredictRequest):
            return self._predicting(request, stream, timeout)
        if isinstance(request, EmbedRequest) and "embed" in self._info.kinds:
            return self._embedding(request, stream, timeout)
        if isinstance(request, RankRequest) and "rank" in self._info.kinds:
            return self._ranking(request, stream, timeout)
        raise self._refuse_kind(request)

    def _predicting(self, request: PredictRequest, stream: Stream, timeout: float | None) -> _Reading:
        examples, items = self._read(list(request.rows), "rows")

        def answer(outputs: list[Any]) -> Predictions:
            by_row: list[list[Any]] = [[] for _ in examples]
            for item, output in zip(items, outputs, strict=True):
                by_row[item.row].append(output)
            rows = [self._task.answer_row(parts, example) for parts, example in zip(by_row, examples, strict=True)]
            return Predictions(tuple(rows), _usage(items))

        return _Reading(items, answer, stream, timeout)

    def _embedding(self, request: EmbedRequest, stream: Stream, timeout: float | None) -> _Reading:
        if not all(isinstance(text, str) for text in request.texts):
            raise RequestError(
                "this model makes vectors of texts",
                parameter="texts",
                given="token ids",
                expected="texts",
                fix="send the texts themselves",
            )
        _, items = self._read(list(request.texts), "texts")

        def answer(outputs: list[Any]) -> Embeddings:
            return Embeddings(np.stack([output.anchor for output in outputs]), _usage(items))

        return _Reading(items, answer, stream, timeout)

    def _ranking(self, request: RankRequest, stream: Stream, timeout: float | None) -> _Reading:
        if self._info.task == "reward":
            rows: list[Any] = [{"prompt": request.query, "completion": document} for document in request.documents]
        else:
            rows = [request.query, *request.documents]
        _, items = self._read(rows, "documents")

        def answer(outputs: list[Any]) -> Ranking:
            if self._info.task == "reward":
                scores = [float(self._task.answer(output)["score"]) for output in outputs]
            else:
                query, *documents = (output.anchor for output in outputs)
                scores = [float(document @ query) for document in documents]
            return Ranking(tuple(scores), _usage(items))

        return _Reading(items, answer, stream, timeout)

    def _read(self, rows: list[Any], parameter: str) -> tuple[list[Any], list[Encoded]]:
        """Rows as examples and as numbers.

        Raises:
            RequestError: they cannot be read; names every one.
        """
        if not rows:
            raise RequestError("there is nothing to answer", parameter=parameter, given="none", expected="at least one")
        try:
            with self._lock:
                examples = parse_inputs(self._task, rows)
                items = self._task.encode_all(examples)
        except (DataError, TypeError) as error:
            raise RequestError(
                f"{parameter} cannot be read",
                parameter=parameter,
                given=str(error).replace("\n", "; "),
                expected=f"what a model of the task {self._info.task} reads",
            ) from error
        missing = sorted(set(range(len(rows))) - {item.row for item in items})
        if missing:
            raise RequestError(
                f"{parameter} are longer than the model reads",
                parameter=parameter,
                given=", ".join(f"number {row}" for row in missing[:5]),
                expected=f"at most {getattr(self._task, 'max_length', 'so many')} tokens each",
                fix="shorten them or leave them out",
            )
        return examples, items

    # ---- computing -------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        return self._slots is None or len(self._running) < self._slots

    def _start(self, work: _Reading) -> None:
        if not work.paused:
            self._counts.prompt_tokens += work.tokens

    def _pause(self, work: _Reading) -> None:
        """It holds nothing but its rows, and those that are computed stay so."""

    def _step(self) -> None:
        batches = self._batches()
        with self._lock:
            if self._beside is not None and len(batches) > 1:
                found = self._beside.map(self._compute, batches)
            else:
                found = [self._compute(batch) for batch in batches]
        for batch, outputs in zip(batches, found, strict=True):
            for (work, place, _), output in zip(batch, outputs, strict=True):
                work.outputs[place] = output
        for work in [work for work in self._running if not work.left]:
            self._finish(work, self._whole(work))

    def _compute(self, batch: _Batch) -> list[Any]:
        inputs = self._task.collate([item for _, _, item in batch]).to(self._device)
        with autocast(self._precision, self._device):
            return self._task.outputs(self._module, inputs)

    @staticmethod
    def _whole(work: _Reading) -> Any:
        """The answer, or what went wrong with it: one request's trouble is not the others'."""
        try:
            return work.answer(work.outputs)
        except Exception as error:
            return error

    def _batches(self) -> list[_Batch]:
        """A batch for each core, or fewer where there is little to do."""
        cores = 1 if self._beside is None else self._beside.threads
        tokens = sum(work.tokens_left for work in self._running)
        budget = min(_TOKENS, max(_FEW, -(-tokens // cores)))
        batches = (self._batch(budget) for _ in range(cores))
        return [batch for batch in batches if batch]

    def _batch(self, tokens: int) -> _Batch:
        """Some items of every request under way."""
        rows = self._task.default_rows_per_batch
        works = [work for work in self._running if work.left]
        budget = max(1, (rows or tokens) // max(1, len(works)))
        batch: _Batch = []
        for work in works:
            taken = 0
            while work.left and (taken == 0 or taken + (1 if rows else work.left[0][1].length) <= budget):
                place, item = work.pop()
                batch.append((work, place, item))
                taken += 1 if rows else item.length
        return batch

    def _release(self) -> None:
        if self._beside is not None:
            self._beside.close()

    def _leave(self, work: _Reading) -> None:
        work.left.clear()


def _usage(items: Sequence[Encoded]) -> Usage:
    return Usage(sum(item.length for item in items))
