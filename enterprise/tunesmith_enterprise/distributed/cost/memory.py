# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What one process holds at the peak of a step, in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tunesmith.planning import JobShape
from tunesmith_enterprise.distributed.cost.layouts import Division, gathered_bytes
from tunesmith_enterprise.distributed.cost.machines import Machine
from tunesmith_enterprise.distributed.cost.shares import Share

__all__ = ["Holding", "holding_of"]

GRADIENT: Final = 4
MOMENTS: Final = 8
"""Bytes for each weight that trains: a float32 gradient, and AdamW's two means."""
AT_ONCE: Final = 2
"""Layers that fsdp has gathered at one time: the one that computes, and the next."""
WHOLE: Final = 10 / 34
"""Of a layer's activations, what tensor parallelism does not divide (Korthikanti et al. 2022, arXiv:2205.05198)."""
SLACK: Final = 0.2
"""As in the core's estimate: what the allocator holds and cannot use, of what comes and goes with a step."""


@dataclass(frozen=True, slots=True)
class Holding:
    """By what takes it.

    Attributes:
        weights: this process's part.
        gradients: of the weights that train.
        optimizer: two means of each.
        gathered: layers that are whole for a moment (fsdp), and the sums of their gradients.
        activations: kept from the forward to the backward pass of the costliest part, and held on top of them.
        elsewhere: libraries and rows.
        slack: what the allocator cannot use.
    """

    weights: int
    gradients: int
    optimizer: int
    gathered: int
    activations: int
    elsewhere: int
    slack: int

    @property
    def state(self) -> int:
        """What lasts from step to step: weights, gradients and optimizer."""
        return self.weights + self.gradients + self.optimizer

    @property
    def peak(self) -> int:
        """All of it."""
        return self.state + self.gathered + self.activations + self.elsewhere + self.slack


def holding_of(shape: JobShape, division: Division, machine: Machine, share: Share) -> Holding:
    """For the process with the costliest rows.

    Args:
        share: the rows of one part of a step that it computes at once.
    """
    inside, moving = (sum(getattr(block, kind) for block in shape.blocks) for kind in ("parameters", "moving"))
    weights = division.held(inside, shape.parameters - inside) * shape.weight_bytes
    moves = division.held(moving, shape.moving - moving)
    gradients, optimizer = moves * GRADIENT, moves * MOMENTS
    if shape.precision == "bf16-weights":
        optimizer += moves * 2
    largest = max([block.parameters for block in shape.blocks], default=shape.parameters)
    outside = shape.parameters - sum(block.parameters for block in shape.blocks)
    kept = shape.kept(share.rows, share.length, share.places)
    gathered = 0.0
    if division.sharing.members > 1:
        whole = shape.parameters if division.keeps else AT_ONCE * largest + outside
        gathered = whole * gathered_bytes(shape) + largest * GRADIENT
        if gathered_bytes(shape) < shape.weight_bytes and share.rows:
            kept -= shape.kept.fixed  # copies of the weights in bf16: here the gathered weights are that
    working = 2 * shape.largest(share.rows, share.length, share.places)
    activations = (kept + working) * (WHOLE + (1 - WHOLE) / division.tensor)
    slack = SLACK * (gradients + activations)
    elsewhere = shape.elsewhere + machine.taken
    if division.offload:
        weights = gradients = optimizer = 0.0
    return Holding(*(round(one) for one in (weights, gradients, optimizer, gathered, activations, elsewhere, slack)))
