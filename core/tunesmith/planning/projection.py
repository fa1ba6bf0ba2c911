# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a job would need and cost where a plugin's strategy runs it: the question, and the form of the answer.

The core says what one step of the job is (:class:`JobShape`) and where it is to run (:class:`Layout`); the function
that a strategy's spec names (``StrategySpec.projection``) says what follows (:class:`Projection`). All sizes are bytes,
all times seconds, all work is floating-point operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Block", "Growth", "JobShape", "Layout", "Projection", "Row", "StepTime", "Table"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a job is to run.

    Attributes:
        strategy: its name, short or full.
        processes: on each machine.
        nodes: machines.
        machine: the name of a kind of machine that the strategy's plugin knows, or a file that describes one; None: as
            this one.

    Raises:
        ValueError: a count is below 1.
    """

    strategy: str
    processes: int = 1
    nodes: int = 1
    machine: str | None = None

    def __post_init__(self) -> None:
        if self.processes < 1 or self.nodes < 1:
            raise ValueError(f"processes and nodes are at least 1, given {self.processes} and {self.nodes}")

    @property
    def world(self) -> int:
        """Processes of the whole job."""
        return self.processes * self.nodes


@dataclass(frozen=True, slots=True)
class Growth:
    """A quantity that grows with a batch of R rows, L tokens in the longest and S places with a loss.

    Attributes:
        fixed: whatever the batch.
        per_token: times R·L.
        per_pair: times R·L²: of attention.
        per_place: times S.
    """

    fixed: float
    per_token: float
    per_pair: float
    per_place: float

    def __call__(self, rows: int, length: int, places: int) -> float:
        """For a batch; 0 for one without rows."""
        if not rows:
            return 0.0
        tokens = rows * length
        return self.fixed + self.per_token * tokens + self.per_pair * tokens * length + self.per_place * places


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a step: tokens, and how many of them carry a loss."""

    length: int
    places: int


@dataclass(frozen=True, slots=True)
class Block:
    """Weights of one of a model's repeated layers: all, and those that train."""

    parameters: int
    moving: int


@dataclass(frozen=True, slots=True)
class StepTime:
    """A real step on this machine, in one process: R rows, L tokens of the longest."""

    rows: int
    length: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobShape:
    """One job, whatever computes it.

    Attributes:
        parameters: of the model.
        moving: those that train.
        weight_bytes: of one weight as it is held: 4.
        precision: of the computation: ``fp32``, ``bf16`` or ``bf16-weights``.
        blocks: the repeated layers, in the order in which they are computed; empty: the model has none.
        width: of the hidden states; 0: not known.
        heads: attention heads, and those of keys and values; 0: not known.
        tensor_plan: the model says how its layers are divided among processes.
        forward: operations of a forward pass.
        backward: operations of the pass back; layers that are computed anew are counted here.
        kept: bytes that a forward pass keeps for the pass back.
        largest: bytes of the largest tensor of those.
        batches: rows of steps that are evenly spread over the first epoch, at most 32 of them.
        parts: that a step is computed in, one after another (``train.accumulate``).
        total_steps: of the job.
        steps_in_epoch: of the first.
        elsewhere: bytes that a process holds besides the model: libraries, rows.
        room: bytes that a process may hold here; None: the system does not tell.
        threads: that this process computes with.
        measured: real steps of this job on this machine; empty: none was taken.
        recipe: resolved.
    """

    parameters: int
    moving: int
    weight_bytes: int
    precision: str
    blocks: tuple[Block, ...]
    width: int
    heads: tuple[int, int]
    tensor_plan: bool
    forward: Growth
    backward: Growth
    kept: Growth
    largest: Growth
    batches: tuple[tuple[Row, ...], ...]
    parts: int
    total_steps: int
    steps_in_epoch: int
    elsewhere: int
    room: int | None
    threads: int
    measured: tuple[StepTime, ...]
    recipe: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a header, each of as many cells as that."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Projection:
    """What a job would need and cost there.

    Attributes:
        strategy: its full name.
        fits: it would; None: nobody knows. False gives ``tunesmith plan`` the exit code 4.
        facts: short lines for people, by name.
        tables: for people.
        figures: for programs: plain data.
        warnings: what somebody should look at.
    """

    strategy: str
    fits: bool | None
    facts: Mapping[str, str]
    tables: tuple[Table, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


Project = Callable[[JobShape, Layout], Projection]
"""What ``StrategySpec.projection`` names."""
