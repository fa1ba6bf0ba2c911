# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""One step of a job under each strategy, layer by layer: what is computed, what is sent, and what waits for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tunesmith.planning import JobShape, Row
from tunesmith_enterprise.distributed.cost.layouts import Division, gathered_bytes
from tunesmith_enterprise.distributed.cost.machines import Machine
from tunesmith_enterprise.distributed.cost.shares import Share, share_of, shares_of
from tunesmith_enterprise.distributed.cost.timeline import Schedule, Timeline

__all__ = ["StepCost", "step_of"]

GRADIENT: Final = 4
"""Bytes: gradients are summed in float32."""
OPTIMIZER: Final = 28
"""Bytes of memory that AdamW reads and writes for each weight: weight, gradient and two means read, three written."""
SUMS_IN_A_LAYER: Final = 2
"""That tensor parallelism makes of activations, forward and again backward: behind attention, and behind the two
products of the layer's other half (Shoeybi et al. 2019, arXiv:1909.08053)."""


@dataclass(frozen=True, slots=True)
class StepCost:
    """A mean step.

    Attributes:
        tokens: of all processes, padding not counted.
        operations: of the process that computes most.
        timeline: how the step goes there.
        balance: mean over processes of what they compute, by the most: 1 where all compute as much.
    """

    tokens: float
    operations: float
    timeline: Timeline
    balance: float

    @property
    def rate(self) -> float:
        """Tokens a second, of all processes."""
        return self.tokens / self.timeline.seconds if self.timeline.seconds else 0.0


@dataclass(frozen=True, slots=True)
class _Unit:
    """Layers that are gathered and summed together; the last of them is what is outside of the repeated layers.

    Attributes:
        parameters: all.
        moving: those that train.
        forward: operations.
        backward: operations.
        repeated: it is one of the repeated layers.
    """

    parameters: int
    moving: int
    forward: float
    backward: float
    repeated: bool = True


def step_of(shape: JobShape, division: Division, machine: Machine, *, grown: bool) -> StepCost:
    """The mean of the steps that are looked at.

    Args:
        grown: every process computes as much as one process alone would; else the recipe's step is divided.
    """
    steps = [_step(shape, division, machine, batch, grown=grown) for batch in shape.batches]
    count = len(steps)
    timelines = [step.timeline for step in steps]
    return StepCost(
        sum(step.tokens for step in steps) / count,
        sum(step.operations for step in steps) / count,
        Timeline(
            sum(one.seconds for one in timelines) / count,
            sum(one.computing for one in timelines) / count,
            sum(one.sending for one in timelines) / count,
            sum(one.sent for one in timelines) / count,
        ),
        sum(step.balance for step in steps) / count,
    )


def _step(shape: JobShape, division: Division, machine: Machine, batch: Sequence[Row], *, grown: bool) -> StepCost:
    if grown:
        most, shares = share_of(batch), 1
        tokens, costs = float(most.tokens * division.data), [_operations(shape, most)]
    else:
        divided = shares_of(batch, division.data)
        most, shares = max(divided, key=lambda one: _operations(shape, one)), division.data
        tokens, costs = float(sum(one.tokens for one in divided)), [_operations(shape, one) for one in divided]
    units = _units(shape, most, division.tensor)
    timeline = _played(shape, division, machine, units, most)
    operations = sum(unit.forward + unit.backward for unit in units)
    return StepCost(tokens, operations, timeline, sum(costs) / (max(costs) * shares) if max(costs) else 1.0)


def _operations(shape: JobShape, share: Share) -> float:
    return shape.forward(*share[:3]) + shape.backward(*share[:3])


def _units(shape: JobShape, share: Share, tensor: int) -> list[_Unit]:
    """The operations of a step, divided among the layers: by tokens as they have weights, by pairs of tokens alike, and
    by places all to the output. Of a repeated layer a process computes one of ``tensor`` parts."""
    rows, length, places, _ = share
    inside = sum(block.parameters for block in shape.blocks)
    outside, moving = shape.parameters - inside, shape.moving - sum(block.moving for block in shape.blocks)
    if not shape.blocks:
        whole = (shape.forward(rows, length, places), shape.backward(rows, length, places))
        return [_Unit(shape.parameters, shape.moving, *whole, repeated=False)]
    repeated = []
    for block in shape.blocks:
        part, even = block.parameters / inside, 1 / len(shape.blocks)
        forward, backward = (
            (growth.per_token * rows * length * part + growth.per_pair * rows * length * length * even) / tensor
            for growth in (shape.forward, shape.backward)
        )
        repeated.append(_Unit(block.parameters, block.moving, forward, backward))
    forward, backward = (
        (growth.fixed + growth.per_place * places if rows else 0.0) for growth in (shape.forward, shape.backward)
    )
    return [*repeated, _Unit(outside, moving, forward, backward, repeated=False)]


def _played(shape: JobShape, division: Division, machine: Machine, units: Sequence[_Unit], share: Share) -> Timeline:
    schedule = Schedule()
    sums = _Sums(shape, division, share)
    last: list[int] = []
    for part in range(shape.parts):
        last = list(_part(schedule, division, units, machine, sums, parts=shape.parts, final=part == shape.parts - 1))
    if division.copies.members > 1 and division.sharing.members == 1:  # ddp: after the last part, as a whole
        size = sum(unit.moving for unit in units) * GRADIENT
        sent, seconds = division.copies.sum(size)
        last = [schedule.add("send", seconds, last, sent=sent)]
    inside = sum(unit.moving for unit in units if unit.repeated)
    moving = division.held(inside, shape.moving - inside)
    schedule.add("compute", OPTIMIZER * moving / machine.memory_bandwidth, last)
    return schedule.done()


@dataclass(frozen=True, slots=True)
class _Sums:
    """What tensor parallelism sums in a layer."""

    shape: JobShape
    division: Division
    share: Share

    def add(self, schedule: Schedule, computed: int, *, parts: int) -> int:
        """Behind a layer's computation; gives what the next one waits for."""
        if self.division.tensor == 1:
            return computed
        width = 2 if self.shape.precision.startswith("bf16") else 4
        size = self.share.rows * self.share.length * self.shape.width * width / parts
        for _ in range(SUMS_IN_A_LAYER):
            sent, seconds = self.division.partners.sum(size)
            computed = schedule.add("send", seconds, [computed], sent=sent)
        return computed


def _part(
    schedule: Schedule,
    division: Division,
    units: Sequence[_Unit],
    machine: Machine,
    sums: _Sums,
    *,
    parts: int,
    final: bool,
) -> Iterator[int]:
    """Forward and backward of one part of a step; gives what the optimizer waits for.

    With fsdp a layer's weights are gathered before it computes and given back after it; those of the next layer are
    gathered meanwhile, in both directions, and the sum of a layer's gradients follows (Zhao et al. 2023,
    arXiv:2304.11277).
    """
    rate = machine.rate(sums.shape.precision)

    def seconds_of(operations: float, layers: int) -> float:
        return max(operations / parts / rate, layers * machine.layer_at_least) if operations else 0.0

    gathered = [0.0 if division.sharing.members == 1 else unit.parameters for unit in units]
    size = gathered_bytes(sums.shape)
    before: list[int] = []
    computed: list[int] = []
    # Forward: the outer layers are gathered first, and stay.
    order = [len(units) - 1, *range(len(units) - 1)]
    ready: dict[int, int] = {}
    for turn, place in enumerate(order):
        sent, seconds = division.sharing.gather(gathered[place] * size)
        ready[place] = schedule.add("send", seconds, computed[turn - 2 : turn - 1] if turn > 1 else (), sent=sent)
        if turn == 0:
            computed.append(ready[place])
            continue
        done = schedule.add("compute", seconds_of(units[place].forward, 1), [ready[place], *before])
        done = sums.add(schedule, done, parts=parts)
        before = [done]
        computed.append(done)
    outer = units[-1]
    done = schedule.add("compute", seconds_of(outer.forward + outer.backward, 3), [ready[len(units) - 1], *before])
    # Backward: gathered again, one layer ahead.
    behind = [len(units) - 1, *reversed(range(len(units) - 1))]
    again: dict[int, list[int]] = {}
    for turn, place in enumerate(behind):
        if turn + 1 < len(behind):
            ahead = behind[turn + 1]
            sent, seconds = division.sharing.gather(gathered[ahead] * size)
            again[ahead] = [] if division.keeps else [schedule.add("send", seconds, [done], sent=sent)]
        if turn:
            done = schedule.add("compute", seconds_of(units[place].backward, 2), [done, *again[place]])
            done = sums.add(schedule, done, parts=parts)
        if division.sharing.members > 1 and units[place].moving and place != len(units) - 1:
            yield _summed(schedule, division, units[place], done, final=final)
    if division.sharing.members > 1 and outer.moving:
        yield _summed(schedule, division, outer, done, final=final)
    yield done


def _summed(schedule: Schedule, division: Division, unit: _Unit, done: int, *, final: bool) -> int:
    """The sum of a layer's gradients, in shards; with copies of the shards, over those too, once a step."""
    sent, seconds = division.sharing.scatter_sum(unit.moving * GRADIENT)
    last = schedule.add("send", seconds, [done], sent=sent)
    if final and division.copies.members > 1:
        sent, seconds = division.copies.sum(unit.moving * GRADIENT / division.shards)
        last = schedule.add("send", seconds, [last], sent=sent)
    return last
