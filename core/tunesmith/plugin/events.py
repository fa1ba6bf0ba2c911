# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What observers are told while a job runs or a server answers: small frozen facts, never live objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "CheckpointSaved",
    "Evaluated",
    "Event",
    "MachineCode",
    "RequestEnding",
    "RequestServed",
    "RunEvent",
    "RunFinished",
    "RunNote",
    "RunStarted",
    "StepDone",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent(Event):
    """Base of what happens in a run; ``run`` is its folder as text."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
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
class RunNote(RunEvent):
    """Something counted that people must know: rows truncated, skipped, a default chosen."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone(RunEvent):
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
class Evaluated(RunEvent):
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
class CheckpointSaved(RunEvent):
    """A checkpoint is complete on disk."""

    step: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(RunEvent):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCode(Event):
    """Code for this machine is about to be looked for in a folder and compiled where it is missing, or is there now.

    Told twice, before and after; the second does not come where compiling fails. What lies in the folder before the
    first use is used as if it had been compiled here, so whoever puts something there answers for it.

    Attributes:
        kind: who compiles: ``numba`` (steps of an engine) or ``torch`` (layers that train).
        key: what it is compiled for, as a digest: sources and versions, or layers and the shapes of batches. The same
            on every machine; which machine it is the key does not say.
        folder: where it is kept.
        ready: False before, True after.
        seconds: that loading and compiling took; 0 before.
    """

    kind: str
    key: str
    folder: str
    ready: bool
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestServed(Event):
    """A server has answered a request. There is no text of it here.

    Attributes:
        id: as in the header ``X-Request-Id``.
        method: of HTTP.
        route: its path with the names of its parameters, e.g. ``/v1/models/{name}``; "" where no route was met.
        status: of HTTP; 499 where the client went away before the answer was whole.
        seconds: from its first byte to the last of the answer.
        caller: name of the key, or who the server's access says it is; "" where nobody is known.
        model: name of the model that was asked; "" where none was.
        adapter: likewise.
        prompt_tokens: read for it.
        cached_tokens: of these, found in the prefix cache.
        completion_tokens: made for it.
        tenant: whom the caller belongs to, as the server's access says; "" where nobody does.
    """

    id: str
    method: str
    route: str
    status: int
    seconds: float
    caller: str = ""
    model: str = ""
    adapter: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEnding(RequestServed):
    """A server is about to send the last byte of an answer, or gives it up: the same facts as they are now."""
