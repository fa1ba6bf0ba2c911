# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What observers are told while a job runs: small frozen facts, never live objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CheckpointSaved", "Evaluated", "Event", "RunFinished", "RunNote", "RunStarted", "StepDone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events; ``run`` is the run folder as text."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """Everything is loaded and checked; the first step comes next.

    Attributes:
        recipe: the resolved recipe as plain data.
        total_steps: optimizer steps of the whole job.
        first_step: 0, or the step a resumed job goes on from.
        facts: short lines for people: rows, parameters, precision and why.
        unit: what ``StepDone.tokens`` counts: ``tokens``, or ``rows`` for images.
    """

    recipe: Mapping[str, Any]
    total_steps: int
    first_step: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    unit: str = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNote(Event):
    """Something counted that people must know: rows truncated, skipped, a default chosen."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone(Event):
    """One optimizer step is done.

    Attributes:
        step: 1-based.
        epoch: epochs done, fractional.
        loss: mean loss over the targets of this step's batch.
        learning_rate: the rate this step used.
        grad_norm: norm before clipping.
        tokens: tokens (images: rows) in the batch, padding not counted.
        seconds: wall time of the step.
    """

    step: int
    total_steps: int
    epoch: float
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated(Event):
    """A split was evaluated.

    Attributes:
        split: ``validation`` or ``test``.
        metrics: name to value, e.g. ``{"loss": 0.31, "accuracy": 0.92}``.
        best: this is the best checkpoint so far.
    """

    step: int
    split: str
    metrics: Mapping[str, float]
    best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved(Event):
    """A checkpoint is complete on disk."""

    step: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The job ended.

    Attributes:
        status: ``finished``, ``interrupted`` (saved, can be resumed) or ``failed`` (by an error, which is raised).
        metrics: final figures, ``{"test": {"accuracy": …}, "validation": {…}}``.
        seconds: wall time of the training, evaluation included.
    """

    status: str
    steps: int
    metrics: Mapping[str, Mapping[str, float]]
    seconds: float
