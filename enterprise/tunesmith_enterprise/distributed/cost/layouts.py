# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""How each strategy lays a job out over processes: what is divided among how many, and who talks to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tunesmith.errors import RecipeError
from tunesmith.planning import JobShape
from tunesmith_enterprise.distributed.cost.machines import Machine
from tunesmith_enterprise.distributed.cost.traffic import Group

__all__ = ["STRATEGIES", "Division", "divide", "gathered_bytes", "settings_of"]

STRATEGIES: Final = ("ddp", "fsdp", "hsdp", "tp")


@dataclass(frozen=True, slots=True)
class Division:
    """Of one job over N processes.

    Attributes:
        world: N.
        shards: processes that hold one copy of weights, gradients and optimizer between them.
        tensor: processes that compute the same rows, each a part of every repeated layer; what is outside of those,
            each of them holds and computes whole.
        sharing: the group over whose members the weights are divided; of one, where they are not.
        copies: the group of processes that hold the same shard; of one, where there is none.
        partners: the group that computes the same rows.
        keeps: layers stay gathered from the forward to the backward pass (``plugins.enterprise.fsdp.reshard: false``).
        offload: what lasts from step to step is in the machine's memory (``plugins.enterprise.fsdp.offload: true``).
    """

    world: int
    shards: int
    tensor: int
    sharing: Group
    copies: Group
    partners: Group
    keeps: bool = False
    offload: bool = False

    def held(self, inside: float, outside: float) -> float:
        """Of what is divided: what one process holds, of weights in the repeated layers and outside of them."""
        return (inside / self.tensor + outside) / self.shards

    @property
    def data(self) -> int:
        """Parts that the rows of a step are divided in."""
        return self.world // self.tensor


def divide(strategy: str, shape: JobShape, machine: Machine, *, world: int, per_node: int) -> Division:
    """Lay a job out.

    Args:
        strategy: one of ``STRATEGIES``.
        per_node: processes on each machine.

    Raises:
        RecipeError: it cannot be divided so.
    """
    here = min(world, per_node)

    def group(members: int, together: int) -> Group:
        """Members of which ``together`` are on one machine."""
        return Group(machine, members, max(1, together), here)

    alone = Group(machine, 1, 1, here)
    everybody = group(world, here)
    if strategy == "ddp":
        return Division(world, 1, 1, alone, everybody, alone)
    _refuse_undivided(strategy, shape)
    section = settings_of(shape, "fsdp")
    kept, offload = not section.get("reshard", True), bool(section.get("offload", False))
    if strategy == "fsdp":
        return Division(world, world, 1, everybody, alone, alone, kept, offload)
    if strategy == "hsdp":
        shards = int(settings_of(shape, "hsdp").get("share") or here)
        if shards < 2 or world % shards:
            raise _indivisible("hsdp", world, shards)
        within = min(shards, here)
        copies = group(world // shards, here // within)
        return Division(world, shards, 1, group(shards, within), copies, alone, kept, offload)
    _refuse_whole_layers(shape, world)
    return Division(world, 1, world, alone, alone, everybody)


def settings_of(shape: JobShape, strategy: str) -> dict[str, Any]:
    """What the recipe says under ``plugins.enterprise``; defaults are not in it."""
    plugins: Any = shape.recipe.get("plugins") or {}
    return dict((plugins.get("enterprise") or {}).get(strategy) or {})


def gathered_bytes(shape: JobShape) -> int:
    """Of a weight that is sent to be gathered: fsdp sends what it computes with."""
    return 2 if shape.precision == "bf16" else shape.weight_bytes


def _indivisible(strategy: str, world: int, size: int) -> RecipeError:
    return RecipeError(
        f"{world} processes cannot be divided into groups of {size} for {strategy}",
        given=f"{world} processes",
        expected=f"a multiple of {size}" if size > 1 else "2 or more on each machine",
        fix="choose --nproc and --nodes so",
    )


def _refuse_undivided(strategy: str, shape: JobShape) -> None:
    """What the strategy itself refuses: such a job is not planned either."""
    method: Any = shape.recipe.get("method") or {}
    if method.get("quantize"):
        what, given = "weights in few bits cannot be divided among processes", f"method.quantize: {method['quantize']}"
    elif shape.precision == "bf16-weights":
        what, given = f"{strategy} keeps weights in fp32", "train.precision: bf16-weights"
    elif strategy == "tp" and method.get("name", "full") != "full":
        what, given = "a layer with an adapter, or one that is frozen, is not divided", f"method: {method['name']}"
    else:
        return
    raise RecipeError(
        what,
        given=f"the strategy {strategy}, {given}",
        expected="method: full, with weights as they are" if strategy == "tp" else "weights as they are, fp32 or bf16",
        fix="plan it with ddp" if strategy != "tp" or method.get("quantize") else "plan it with ddp, fsdp or hsdp",
    )


def _refuse_whole_layers(shape: JobShape, tensor: int) -> None:
    heads, keys = shape.heads
    if not shape.tensor_plan:
        raise RecipeError(
            "this model does not say how its layers are divided among processes",
            given="the strategy tp",
            expected="a model of transformers with a tensor-parallel plan, such as a Llama or Qwen",
            fix="plan it with ddp, fsdp or hsdp",
        )
    if tensor > 1 and (heads % tensor or keys % tensor):
        raise RecipeError(
            f"the attention heads of this model cannot be divided among {tensor} processes",
            given=f"{heads} heads, {keys} of keys and values",
            expected=f"a number of processes that divides both: at most {max(1, keys)}",
            fix="choose --nproc so",
        )
