# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What one step of a prepared job is: counted, not guessed from the architecture, as for the estimate of memory.

Shapes: R rows of a batch, L length of its longest row in tokens, S places with a loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tunesmith.machine.memory import room_on
from tunesmith.models import count_parameters
from tunesmith.planning.outline import in_outline
from tunesmith.planning.projection import Block, Growth, JobShape, Row
from tunesmith.tasks.base import Encoded
from tunesmith.tasks.supervised import plain_model
from tunesmith.training.compile_choice import repeated_layers
from tunesmith.training.memory import fit_growth, footprint_of, growth_terms, probes, undisturbed
from tunesmith.training.prepare import Work

__all__ = ["shape_of"]

BATCHES: Final = 32


def shape_of(work: Work) -> JobShape:
    """Count forward and backward passes over some short rows; weights, gradients and random state stay as they are.

    Args:
        work: before its first step; planned in outline or not.
    """
    with in_outline():
        kept = footprint_of(work)
        forward, backward = _operations(work)
    config: Any = getattr(plain_model(work.model), "config", None)
    heads = int(getattr(config, "num_attention_heads", 0) or 0)
    moving, every = count_parameters(work.model)
    room = room_on(work.strategy.device)
    weights = sum(one.nbytes for one in work.model.parameters())
    return JobShape(
        parameters=every,
        moving=moving,
        weight_bytes=round(weights / max(1, every)),
        precision=work.recipe.train.precision,
        blocks=tuple(_block(layer.parameters()) for layer in repeated_layers(work.model)),
        width=int(getattr(config, "hidden_size", 0) or 0),
        heads=(heads, int(getattr(config, "num_key_value_heads", heads) or heads)),
        tensor_plan=bool(getattr(config, "base_model_tp_plan", None)),
        forward=forward,
        backward=backward,
        kept=Growth(*map(float, kept.kept)),
        largest=Growth(*map(float, kept.largest)),
        batches=_batches(work),
        parts=work.recipe.train.accumulate,
        total_steps=work.feed.total_steps,
        steps_in_epoch=len(work.feed.epoch(0)),
        elsewhere=0 if room is None else max(0, room.used - weights),
        room=None if room is None else room.total,
        threads=torch.get_num_threads(),
        measured=(),
        recipe=work.recipe.model_dump(mode="json"),
    )


def _block(parameters: Iterable[torch.Tensor]) -> Block:
    sizes = [(one.numel(), one.requires_grad) for one in parameters]
    return Block(sum(size for size, _ in sizes), sum(size for size, moves in sizes if moves))


def _batches(work: Work) -> tuple[tuple[Row, ...], ...]:
    items, order = work.items["train"], work.feed.epoch(0)
    chosen = np.unique(np.linspace(0, len(order) - 1, BATCHES).round().astype(np.int64))
    return tuple(tuple(Row(items[int(i)].length, items[int(i)].targets) for i in order[at]) for at in chosen)


def _operations(work: Work) -> tuple[Growth, Growth]:
    """Of a forward and of a backward pass."""
    items = work.items["train"]
    shapes: list[NDArray[np.float64]] = []
    counts: list[tuple[int, int]] = []
    with undisturbed(work):
        for places in probes(items):
            chosen = [items[place] for place in places]
            shape = len(chosen), max(one.length for one in chosen), sum(one.targets for one in chosen)
            shapes.append(growth_terms(*shape))
            counts.append(_counted(work, chosen))
    forward, backward = zip(*counts, strict=True)
    return Growth(*map(float, fit_growth(shapes, forward))), Growth(*map(float, fit_growth(shapes, backward)))


def _counted(work: Work, items: list[Encoded]) -> tuple[int, int]:
    batch = work.collate(items).to(work.strategy.device)
    moving = [one for one in work.model.parameters() if one.requires_grad]
    # The plain form of attention: the fused kernels of processors are not in PyTorch's table of what operations cost.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        loss = work.task.loss(work.model, batch)
        forward = counter.get_total_flops()
        torch.autograd.grad(loss, moving, allow_unused=True)
    return forward, counter.get_total_flops() - forward
