# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How much memory a job will need at its peak.

What is fixed (weights, gradients, the optimizer's state) is counted. What grows with the batch (activations, logits) is
not guessed from the architecture, of which there are hundreds, but observed: a few forward passes over short rows,
with every tensor counted that autograd keeps for the backward pass, whatever attention, loss and precision are in use.
Such counts are polynomials of a batch's shape, so a handful of them says what the costliest batch of the job keeps.
How near this comes is in docs/reference/plan.md.

Shapes: R rows of a batch, L length of its longest row in tokens, S places with a loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils import _pytree as pytree

from tunesmith.data import split_batch
from tunesmith.machine.memory import room_on
from tunesmith.machine.precision import autocast
from tunesmith.models.methods import training_mode
from tunesmith.models.quiet import quiet_libraries
from tunesmith.tasks.base import Encoded
from tunesmith.tasks.encoded import item_lengths
from tunesmith.training.activations import computing_layers_with
from tunesmith.training.prepare import Work

__all__ = [
    "Footprint",
    "Memory",
    "costliest_part",
    "estimate_memory",
    "fit_growth",
    "footprint_of",
    "growth_terms",
    "moving_bytes",
    "probes",
    "undisturbed",
]

FIXED = 60_000_000
"""Bytes that the first step of a process takes once on a processor: buffers of the math libraries, threads."""
COMPILER = 500_000_000
"""Bytes that PyTorch's compiler takes in the process, and keeps (measured: 440 and 495 million)."""
SLACK = 0.2
"""Of what comes and goes with each step. Freed blocks do not always fit the next request; measured shares of what is
held besides are 0.15 to 0.3 (docs/reference/plan.md)."""
SHORT = 8
"""Tokens; rows shorter than this tell little about longer ones."""
CANDIDATES = 8
"""The largest batches, which are looked at more closely to find the costliest part of a step."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a job at its peak, by what takes them.

    Attributes:
        process: what the process holds when everything is read and built, the weights included.
        weights: of the model; a part of ``process``.
        gradients: of the weights that move.
        optimizer: AdamW's two running means.
        activations: kept from the forward to the backward pass of the costliest part of a step, logits included.
        working: held on top of them for a moment.
        copies: of the saved model, which is opened after the last step, when the optimizer's state is gone.
    """

    process: int
    weights: int
    gradients: int
    optimizer: int
    activations: int
    working: int
    copies: int

    @property
    def slack(self) -> int:
        """What the allocator holds and cannot use."""
        return int(SLACK * (self.gradients + self.activations + self.working))

    @property
    def step(self) -> int:
        """The peak while training."""
        return self.process + self.optimizer + self.gradients + self.activations + self.working + self.slack

    @property
    def peak(self) -> int:
        """The most that is held at once."""
        return max(self.step, self.process + self.copies)


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes that a forward pass keeps: ``kept``; and its largest single tensor: ``largest``.

    Each holds the coefficients of 1, R·L, R·L² and S.
    """

    kept: NDArray[np.float64]
    largest: NDArray[np.float64]

    def __call__(self, rows: int, length: int, places: int) -> tuple[int, int]:
        """Kept bytes, and bytes of the largest tensor, for a batch."""
        shape = growth_terms(rows, length, places)
        return int(self.kept @ shape), int(self.largest @ shape)


def estimate_memory(work: Work, footprint: Footprint | None = None) -> Memory:
    """What a prepared job will need. Neither weights nor random numbers of the job are touched.

    Args:
        footprint: of :func:`footprint_of`, where it is known.
    """
    device = work.strategy.device
    gradients, optimizer = moving_bytes(work.model, work.recipe.train.precision)
    room = room_on(device)
    process = 0 if room is None else room.used
    footprint = footprint_of(work) if footprint is None else footprint
    activations, largest = footprint(*costliest_part(work, footprint, work.recipe.train.accumulate))
    weights = sum(one.nbytes for one in (*work.model.parameters(), *work.model.buffers()))
    if device.type == "cpu":
        process += FIXED + (COMPILER if work.recipe.train.compile is True else 0)
    return Memory(
        process=process,
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=activations,
        working=2 * largest,  # the gradient of the largest tensor, and of what it was computed from
        copies=weights,
    )


def moving_bytes(model: nn.Module, precision: str = "fp32") -> tuple[int, int]:
    """Bytes of the gradients and of the optimizer's state, and of the bf16 copies that a model gets for its weights.

    Everything that a way of training changes about them belongs here.
    """
    gradients = sum(one.nbytes for one in model.parameters() if one.requires_grad)
    return gradients, 2 * gradients + (gradients // 2 if precision == "bf16-weights" else 0)


# ---- what a batch keeps --------------------------------------------------------------------------


def footprint_of(work: Work) -> Footprint:
    """Observe forward passes over some of the shortest training rows."""
    items = work.items["train"]
    seen: dict[tuple[int, int, int], tuple[int, int]] = {}
    with undisturbed(work):
        for places in probes(items):
            chosen = [items[place] for place in places]
            shape = len(chosen), max(one.length for one in chosen), sum(one.targets for one in chosen)
            if shape not in seen:
                seen[shape] = _kept(work, chosen)
    shapes = [growth_terms(*shape) for shape in seen]
    kept, largest = zip(*seen.values(), strict=True)
    return Footprint(fit_growth(shapes, kept), fit_growth(shapes, largest))


def costliest_part(work: Work, footprint: Footprint, parts: int) -> tuple[int, int, int]:
    """R, L and S of the part of a step that keeps most, over the first epoch, if steps are cut into ``parts``."""
    items = work.items["train"]
    lengths = item_lengths(items)

    def at_most(batch: NDArray[np.int64]) -> int:
        longest = int(lengths[batch].max())
        return footprint(len(batch), longest, int(lengths[batch].sum()))[0]

    def shape(batch: NDArray[np.int64]) -> tuple[int, int, int]:
        places = sum(items[int(place)].targets for place in batch)
        return len(batch), int(lengths[batch].max()), places

    # Counting places with a loss opens the items, so it is done for the largest batches only.
    batches = sorted(work.feed.epoch(0), key=at_most, reverse=True)[:CANDIDATES]
    cut = [part for batch in batches for part in split_batch(batch, lengths, parts)]
    return max(map(shape, cut), key=lambda found: footprint(*found)[0])


def growth_terms(rows: int, length: int, places: int) -> NDArray[np.float64]:
    return np.asarray([1, rows * length, rows * length * length, places], dtype=np.float64)


def fit_growth(shapes: Sequence[NDArray[np.float64]], sizes: Sequence[int]) -> NDArray[np.float64]:
    """Coefficients that give the sizes, none below 0; of shapes that cannot be told apart, the smallest ones."""
    table, wanted = np.asarray(shapes), np.asarray(sizes, dtype=np.float64)
    scale = table.max(axis=0)
    scale[scale == 0] = 1
    active = np.ones(table.shape[1], dtype=bool)
    while True:
        found = np.zeros(table.shape[1])
        found[active], *_ = np.linalg.lstsq(table[:, active] / scale[active], wanted, rcond=1e-9)
        if found.min() >= -1e-9 * max(wanted.max(), 1) or not active.any():
            return np.asarray(np.maximum(found, 0) / scale)
        active[found.argmin()] = False


def probes(items: Sequence[Encoded]) -> list[list[int]]:
    """Rows to look at: two lengths, one row and two, few and many places with a loss."""
    lengths = item_lengths(items)
    order = np.argsort(lengths, kind="stable")
    sorted_lengths = lengths[order]

    def about(length: int) -> list[int]:
        start = min(int(np.searchsorted(sorted_lengths, length)), len(order) - 1)
        return [int(place) for place in order[start : start + 32]]

    def by_places(found: list[int]) -> tuple[int, int]:
        share = sorted(found, key=lambda place: items[place].targets / items[place].length)
        return share[0], share[-1]

    short = about(SHORT)
    long = about(4 * int(lengths[short[0]]))
    few, many = by_places(long)
    return [[short[0]], [short[0], short[min(1, len(short) - 1)]], [few], [many], [few, many]]


def _kept(work: Work, items: Sequence[Encoded]) -> tuple[int, int]:
    """Bytes that the loss of these items keeps for its backward pass, and bytes of the largest tensor among them.

    Weights are not counted. Of layers whose activations are checkpointed the inputs are kept and, since one at a time
    is computed anew, what the largest of them keeps.
    """
    device = work.strategy.device
    own = {_place(one.untyped_storage()) for one in (*work.model.parameters(), *work.model.buffers())}
    outside, layers = _Seen(own), list[_Seen]()

    def layer(function: Any, *args: Any) -> Any:
        pytree.tree_map_only(torch.Tensor, outside.keep, (args, getattr(function, "keywords", {})))
        inside = _Seen(own)
        layers.append(inside)
        with torch.autograd.graph.saved_tensors_hooks(inside.keep, _never):
            return function(*args)

    batch = work.collate(items).to(device)
    with (
        torch.enable_grad(),
        # The graph gets nothing to hold: given its own tensors it would hold itself, and never be freed.
        torch.autograd.graph.saved_tensors_hooks(outside.keep, _never),
        autocast(work.recipe.train.precision, device),
        computing_layers_with(work.model, layer),
        quiet_libraries(),  # transformers warns, once, that no cache of keys and values is kept; nobody reads one
    ):
        work.task.loss(work.model, batch)
    sizes = [memory.nbytes() for seen in (outside, *layers) for memory in seen.found.values()]
    anew = max((seen.bytes_beside(outside) for seen in layers), default=0)
    return outside.bytes_beside(None) + anew, max(sizes, default=0)


class _Seen:
    """Memory that was seen in use; held, so that no address is counted for two tensors."""

    def __init__(self, own: set[int]) -> None:
        self._own = own
        self.found: dict[int, torch.UntypedStorage] = {}

    def keep(self, tensor: torch.Tensor) -> None:
        memory = tensor.untyped_storage()
        place = _place(memory)
        if place not in self._own:
            self.found[place] = memory

    def bytes_beside(self, other: _Seen | None) -> int:
        """Of all that is not seen in the other place too."""
        counted = {} if other is None else other.found
        return sum(memory.nbytes() for address, memory in self.found.items() if address not in counted)


def _place(memory: torch.UntypedStorage) -> int:
    """Where it is: its address, or that of its description, where it has no memory (planned in outline)."""
    return int(memory._cdata) if memory.device.type == "meta" else memory.data_ptr()


def _never(_: object) -> torch.Tensor:
    raise RuntimeError("nothing was kept to go back with")


@contextmanager
def undisturbed(work: Work) -> Iterator[None]:
    """Training mode for a while; modes, buffers (running statistics) and random state come back as they were."""
    model: Any = work.model
    device = work.strategy.device
    modes = {module: module.training for module in model.modules()}
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        training_mode(model)
        try:
            yield
        finally:
            for module, training in modes.items():
                module.training = training
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
