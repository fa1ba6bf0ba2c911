# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Bytes and seconds of sums and gatherings over a group of processes.

In a ring of N, a process sends (N - 1) / N of a tensor to gather it or to sum it in shards, and twice that for a sum
that all get: no algorithm sends less (Patarasu and Yuan, 2009, J. Parallel Distrib. Comput. 69; Thakur et al., 2005).
The time is the bytes by the slowest link of the ring, and the latency of its N - 1 steps; for a sum that all get, of a
tree's 2 log2 N where that is less, as NCCL chooses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from tunesmith_enterprise.distributed.cost.machines import LINKS_REACH, Machine

__all__ = ["Group", "Transfer"]


class Transfer(NamedTuple):
    """What one process sends, and how long it takes: bytes, seconds."""

    sent: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Group:
    """Processes that sum or gather together, of which there are others beside it on the same machines.

    Attributes:
        machine: what they are.
        members: how many.
        here: how many of them are on one machine.
        beside: processes on one machine that send to other machines at the same time, these included.
    """

    machine: Machine
    members: int
    here: int
    beside: int

    @property
    def nodes(self) -> int:
        """Machines that the group is on."""
        return math.ceil(self.members / self.here)

    @property
    def bandwidth(self) -> float:
        """Bytes a second of the slowest part of the ring."""
        within, between = self.machine.within.bandwidth, self.machine.between.bandwidth * self.here / self.beside
        if self.nodes == 1:
            return LINKS_REACH * within
        return LINKS_REACH * (between if self.here == 1 else min(within, between))

    def gather(self, size: float) -> Transfer:
        """Every process gets the whole of a tensor of ``size`` bytes, of which each holds a shard."""
        return self._ring(size, turns=1)

    def scatter_sum(self, size: float) -> Transfer:
        """Every process gets its shard of the sum of tensors of ``size`` bytes."""
        return self._ring(size, turns=2 if self.machine.gloo else 1)

    def sum(self, size: float) -> Transfer:
        """Every process gets the sum of tensors of ``size`` bytes."""
        return self._ring(size, turns=2)

    def _ring(self, size: float, turns: int) -> Transfer:
        if self.members == 1 or not size:
            return Transfer(0.0, 0.0)
        sent = turns * size * (self.members - 1) / self.members
        between = self.nodes if self.nodes > 1 else 0
        latency = turns * ((self.members - 1 - between) * self.machine.within.latency if self.here > 1 else 0.0)
        latency += turns * between * self.machine.between.latency
        if turns == 2:
            steps = math.log2(self.here) * self.machine.within.latency
            steps += math.log2(self.nodes) * self.machine.between.latency
            latency = min(latency, 2 * steps)
        return Transfer(sent, sent / self.bandwidth + max(0.0, latency))
