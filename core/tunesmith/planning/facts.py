# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A plan: plain frozen facts, for people and for programs. All sizes are bytes, all times seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from tunesmith.planning.projection import Projection
from tunesmith.training.outlook import Outlook

__all__ = [
    "Disk",
    "Finding",
    "LengthBar",
    "MeasuredStep",
    "Measurement",
    "Piece",
    "Plan",
    "Repeats",
    "Sample",
    "Steps",
    "StopToken",
    "Time",
]

FORMAT = 1
"""Of the JSON; raised when a key changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows that something happens to.

    Attributes:
        what: the sentence that the job will print, e.g. ``3 of 9,003 rows truncated to 512 tokens``.
        count: rows.
        first: where the first of them stand, ``file:line``.
    """

    what: str
    count: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows that are equal in all that the model sees of them, answers included.

    Attributes:
        rows: how many repeat an earlier row of the same split, by split.
        shared: how many held-out rows are also training rows, by split.
        first: some of them, ``file:line`` and the row they repeat.
    """

    rows: Mapping[str, int]
    shared: Mapping[str, int]
    first: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LengthBar:
    """One bar of the histogram: items of ``low`` to ``high`` tokens, both included."""

    low: int
    high: int
    count: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive tokens of a sample that are treated alike; ``trained``: they carry a loss."""

    text: str
    tokens: int
    trained: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """A training row as the model sees it.

    Attributes:
        origin: ``file:line``.
        pieces: its tokens, in order.
        answer: what is learned, where it is no text: a label.
    """

    origin: str
    pieces: tuple[Piece, ...]
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class StopToken:
    """Whether models that generate learn to stop.

    Attributes:
        rows: training rows.
        trained: those whose last token with a loss is a stop token.
        tokens: the stop tokens as text.
    """

    rows: int
    trained: int
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """The batch plan.

    Attributes:
        total: optimizer steps.
        epochs: passes over the training rows.
        per_epoch: steps of the first epoch.
        tokens: that will be learned from over the whole job, padding not counted (tasks without tokens: rows).
        padding: share of the computed tokens that is padding, 0 to 1.
        rows: fewest and most rows of a step.
        parts: parts a step is computed in (``train.accumulate``).
        masked: training items without any place that carries a loss.
    """

    total: int
    epochs: float
    per_epoch: int
    tokens: int
    padding: float
    rows: tuple[int, int]
    parts: int
    masked: int


@dataclass(frozen=True, slots=True)
class Disk:
    """What the run folder takes at most.

    Attributes:
        checkpoint: one of them.
        checkpoints: how many lie there at once: those that are kept, and the one being written.
        model: the saved model; a new best one is written beside the old.
        needed: all of it.
        free: on that disk now.
    """

    checkpoint: int
    checkpoints: int
    model: int
    needed: int
    free: int

    @property
    def fits(self) -> bool:
        """There is room for it."""
        return self.needed <= self.free


@dataclass(frozen=True, slots=True)
class MeasuredStep:
    """A real optimizer step: R rows, L tokens of the longest, and how long it took."""

    rows: int
    length: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """Steps on the real model, which is thrown away afterwards.

    Attributes:
        steps: on the shortest, the median and the longest batch, as far as there are as many.
        forward: seconds of a forward pass over the median batch.
        peak: most memory held meanwhile; ``None`` where the system does not tell.
        compiling: seconds spent on that before the first step (``train.compile``).
    """

    steps: tuple[MeasuredStep, ...]
    forward: float
    peak: int | None
    compiling: float = 0.0


@dataclass(frozen=True, slots=True)
class Time:
    """How long the job will take; reading, samples of text and saving are not in it."""

    training: float
    evaluation: float

    @property
    def total(self) -> float:
        """Both."""
        return self.training + self.evaluation


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job will do, need and cost.

    Attributes:
        facts: short lines: rows, parameters, precision, attention and why.
        rows: rows by split.
        notes: what the job will print.
        warnings: what somebody should look at before training.
        findings: rows that are cut, skipped or changed, by reason.
        unusable: rows by split that nothing is left of.
        repeats: rows that occur twice.
        lengths: histogram of the training items; empty for tasks without tokens.
        samples: training rows as the model sees them; empty for tasks without text.
        stop: ``None`` for tasks that do not generate.
        steps: the batch plan.
        outlook: memory; ``None`` for strategies of plugins.
        disk: what the run folder takes.
        measurement: ``None`` where nothing was measured.
        time: ``None`` where nothing was measured.
        recipe: resolved: every value that was chosen is written out.
        projection: what the job would need and cost elsewhere; ``None`` where nobody asked.
    """

    facts: Mapping[str, str]
    rows: Mapping[str, int]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    findings: tuple[Finding, ...]
    unusable: Mapping[str, int]
    repeats: Repeats
    lengths: tuple[LengthBar, ...]
    samples: tuple[Sample, ...]
    stop: StopToken | None
    steps: Steps
    outlook: Outlook | None
    disk: Disk
    measurement: Measurement | None
    time: Time | None
    recipe: Mapping[str, Any]
    projection: Projection | None = None

    @property
    def peak(self) -> int | None:
        """Bytes: as measured where it was, else as estimated."""
        if self.outlook is None:
            return None
        measured = self.measurement.peak if self.measurement is not None else None
        memory = self.outlook.memory
        return memory.peak if measured is None else max(measured, memory.process + memory.copies)

    @property
    def fits(self) -> bool:
        """Memory and disk suffice, as far as they are known: where the job is to run."""
        if self.projection is not None:
            return self.projection.fits is not False
        room = None if self.outlook is None else self.outlook.room
        return self.disk.fits and (self.peak is None or room is None or self.peak <= room.total)

    def as_json(self) -> dict[str, Any]:
        """Plain data; docs/reference/plan.md names every key."""
        plain = {field: _plain(getattr(self, field)) for field in self.__slots__ if field != "outlook"}
        room = None if self.outlook is None else self.outlook.room
        memory = None
        if self.outlook is not None:
            memory = {
                **asdict(self.outlook.memory),
                "slack": self.outlook.memory.slack,
                "estimated_peak": self.outlook.memory.peak,
                "peak": self.peak,
                "room": None if room is None else room.total,
                "limit": None if room is None else room.limit,
                "remedies": _plain(self.outlook.remedies),
            }
        return {"format": FORMAT, "fits": self.fits, **plain, "memory": memory}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
