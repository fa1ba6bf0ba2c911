# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith plan --strategy ddp|fsdp|hsdp|tp``: the figures of a layout, and of others from 1 to 1,024 processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tunesmith.errors import RecipeError
from tunesmith.planning import JobShape, Layout, Projection, Table
from tunesmith_enterprise.distributed.cost.describing import here, machine_of
from tunesmith_enterprise.distributed.cost.layouts import divide, settings_of
from tunesmith_enterprise.distributed.cost.machines import Machine
from tunesmith_enterprise.distributed.cost.memory import Holding, holding_of
from tunesmith_enterprise.distributed.cost.shares import costliest
from tunesmith_enterprise.distributed.cost.steps import StepCost, step_of

__all__ = ["Cost", "cost_of", "project"]

WORLDS: Final = tuple(2**power for power in range(11))
"""Of the table: 1 to 1,024 processes."""
_USEFUL: Final = 0.7
"""Below this share of what the processes could do, a plan says so."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a job over ``world`` processes.

    Attributes:
        step: of the mean step.
        holding: bytes of the process that needs most.
        efficiency: of the rate that the processes would have together if none ever waited for another, 0 to 1.
        fits: into the memory of one.
    """

    world: int
    nodes: int
    step: StepCost
    holding: Holding
    efficiency: float
    fits: bool


def project(shape: JobShape, layout: Layout) -> Projection:
    """What the core's plan asks of a strategy.

    Raises:
        RecipeError: the machine is not known, or the job cannot be divided so.
    """
    strategy = layout.strategy.rpartition("/")[2]
    machine = here(shape, processes=layout.processes) if layout.machine is None else machine_of(layout.machine)
    cost = cost_of(strategy, shape, machine, processes=layout.processes, nodes=layout.nodes, grown=False)
    scaled = {grown: _scaled(strategy, shape, machine, layout, grown=grown) for grown in (False, True)}
    return Projection(
        strategy=f"enterprise/{strategy}",
        fits=cost.fits,
        facts=_facts(shape, layout, machine, cost),
        tables=(
            _table("the same steps on more processes", scaled[False]),
            _table("steps that grow with the processes: each computes what one alone would", scaled[True]),
        ),
        figures={
            "machine": asdict(machine),
            "processes": layout.processes,
            "nodes": layout.nodes,
            "cost": _figures(cost),
            "same_steps": [_figures(one) for one in scaled[False]],
            "grown_steps": [_figures(one) for one in scaled[True]],
        },
        warnings=tuple(_warnings(shape, machine, layout, cost)),
    )


def cost_of(strategy: str, shape: JobShape, machine: Machine, *, processes: int, nodes: int, grown: bool) -> Cost:
    """Of one layout.

    Args:
        strategy: ``ddp``, ``fsdp``, ``hsdp`` or ``tp``.
        processes: on each of ``nodes`` machines.
        grown: the step grows with the processes.

    Raises:
        RecipeError: the job cannot be divided so.
    """
    world = processes * nodes
    division = divide(strategy, shape, machine, world=world, per_node=processes)
    step = step_of(shape, division, machine, grown=grown)
    share = costliest(shape, 1 if grown else division.data)
    holding = holding_of(shape, division, machine, share)
    alone = divide("ddp", shape, machine, world=1, per_node=1)
    reference = step_of(shape, alone, machine, grown=False)
    return Cost(world, nodes, step, holding, step.rate / (world * reference.rate), holding.peak <= machine.memory)


def _scaled(strategy: str, shape: JobShape, machine: Machine, layout: Layout, *, grown: bool) -> list[Cost]:
    """Machines filled one after another; sizes that cannot be divided so are left out."""
    found = []
    most = layout.processes if layout.machine is None else machine.per_node
    for world in WORLDS:
        processes = min(world, most)
        if world % processes:
            continue
        try:
            found.append(cost_of(strategy, shape, machine, processes=processes, nodes=world // processes, grown=grown))
        except RecipeError:
            continue
    return found


# ---- words ---------------------------------------------------------------------------------------


def _facts(shape: JobShape, layout: Layout, machine: Machine, cost: Cost) -> dict[str, str]:
    timeline, holding = cost.step.timeline, cost.holding
    where = f"{cost.world} processes" if layout.nodes == 1 else f"{layout.nodes} machines of {layout.processes}"
    parts = {
        "weights": holding.weights,
        "gradients": holding.gradients,
        "optimizer": holding.optimizer,
        "gathered": holding.gathered,
        "activations": holding.activations,
        "libraries, rows": holding.elsewhere,
        "unusable": holding.slack,
    }
    hours = cost.step.timeline.seconds * shape.total_steps
    return {
        "on": f"{where}, {machine.name}: {machine.summary}" if machine.summary else f"{where}, {machine.name}",
        "step": f"{_seconds(timeline.seconds)}: computes {_seconds(timeline.computing)}, waits "
        f"{_seconds(timeline.waiting)} for others; {_seconds(timeline.sending)} of sending beside",
        "speed": f"{cost.step.rate:,.0f} tokens/s, {cost.efficiency:.0%} of what {cost.world} alone would do together",
        "training": f"{_seconds(hours)} for {shape.total_steps:,} steps, without evaluation and saving",
        "each step": f"{cost.step.operations / 1e12:,.3g} tera-operations and {_size(timeline.sent)} sent, of the "
        "process that does most",
        "balance": f"the processes compute {cost.step.balance:.0%} of what the busiest does",
        "memory": f"{_size(holding.peak)} of {_size(machine.memory)} each: "
        + ", ".join(f"{name} {_size(size)}" for name, size in parts.items() if size),
        "assumed": f"{machine.reached:.0%} of the rate of matrix products is reached; {machine.source}"
        if machine.reached < 1
        else machine.source,
    }


def _warnings(shape: JobShape, machine: Machine, layout: Layout, cost: Cost) -> list[str]:
    told = []
    rows = min(len(batch) for batch in shape.batches)
    if rows < cost.world and cost.step.balance < _USEFUL:
        told.append(
            f"some steps have {rows} rows, for {cost.world} processes: most have nothing to do; "
            "raise train.tokens_per_batch"
        )
    elif cost.efficiency < _USEFUL:
        told.append(
            f"the processes do {cost.efficiency:.0%} of what they could; larger steps (train.tokens_per_batch), "
            "fewer processes or another strategy use more of it"
        )
    if bool(settings_of(shape, "fsdp").get("offload")):
        told.append("plugins.enterprise.fsdp.offload: the time that weights take to and from the GPU is not in it")
    if not cost.fits:
        told.append(
            f"each process would need {_size(cost.holding.peak)}, and has {_size(machine.memory)}: more processes with "
            "fsdp, train.activation_checkpointing=true, or smaller steps need less"
        )
    if layout.processes > machine.per_node:
        told.append(f"{machine.name} has {machine.per_node} on a machine, and {layout.processes} are asked for")
    return told


def _table(title: str, costs: Sequence[Cost]) -> Table:
    header = ("processes", "machines", "step", "tokens/s", "used", "sent", "memory", "fits")
    rows = tuple(
        (
            f"{cost.world:,}",
            f"{cost.nodes:,}",
            _seconds(cost.step.timeline.seconds),
            f"{cost.step.rate:,.0f}",
            f"{cost.efficiency:.0%}",
            _size(cost.step.timeline.sent),
            _size(cost.holding.peak),
            "yes" if cost.fits else "no",
        )
        for cost in costs
    )
    return Table(title, header, rows)


def _figures(cost: Cost) -> dict[str, Any]:
    timeline = cost.step.timeline
    return {
        "world": cost.world,
        "nodes": cost.nodes,
        "step_seconds": timeline.seconds,
        "computing_seconds": timeline.computing,
        "waiting_seconds": timeline.waiting,
        "sending_seconds": timeline.sending,
        "sent_bytes": timeline.sent,
        "operations": cost.step.operations,
        "tokens": cost.step.tokens,
        "tokens_per_second": cost.step.rate,
        "efficiency": cost.efficiency,
        "balance": cost.step.balance,
        "memory": {**asdict(cost.holding), "peak": cost.holding.peak},
        "fits": cost.fits,
    }


def _seconds(value: float) -> str:
    for least, unit, name in ((86_400, 86_400, "days"), (7_200, 3_600, "h"), (120, 60, "min"), (1, 1, "s")):
        if value >= least:
            return f"{value / unit:.3g} {name}"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"


def _size(value: float) -> str:
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:.0f} B"
