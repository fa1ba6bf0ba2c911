# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whether a job fits into memory: said before it starts, and explained with the same figures where it did not."""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from tunesmith.errors import OutOfMemoryError, TooLargeError
from tunesmith.evaluate.facts import size_text
from tunesmith.machine.memory import Room, room_on
from tunesmith.models import count_parameters
from tunesmith.training.activations import EFFECT, checkpointing, in_vain, supports, switch
from tunesmith.training.memory import Footprint, Memory, costliest_part, estimate_memory, footprint_of
from tunesmith.training.prepare import Work
from tunesmith.training.resolve import with_values
from tunesmith.training.strategy import Single

__all__ = ["Outlook", "Remedy", "look_ahead", "memory_explained", "refuse_too_large", "settle_activations"]

CLEARLY = 1.25
"""A job is refused when its estimate is this many times the room. Estimates were off by at most 21 % where checked."""
PARTS = (2, 4, 8, 16, 32, 64)
SHOWN = 3
WORTH = 0.1
"""Share of what training adds to the process that a remedy must save."""
_ASKED = re.compile(r"tried to allocate (\d+) bytes")  # PyTorch's allocator for processors
ADAPTER = 0.03
"""Share of a model's weights that adapters of the default rank come to, at most."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of the recipe that needs less memory.

    Attributes:
        change: what to type, ready for the command line.
        peak: bytes that the job would then need.
        effect: what else it changes.
    """

    change: str
    peak: int
    effect: str

    def __str__(self) -> str:
        return f"{self.change}  (about {size_text(self.peak)}; {self.effect})"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a job needs of memory, and what there is.

    Attributes:
        memory: what it needs.
        room: what there is; ``None`` where the system does not tell.
        remedies: what would need less, best first; at most three.
    """

    memory: Memory
    room: Room | None
    remedies: tuple[Remedy, ...]

    @property
    def fits(self) -> bool | None:
        """``None`` where nobody knows."""
        return None if self.room is None else self.memory.peak <= self.room.total

    @property
    def sentence(self) -> str:
        """The fact for people."""
        need = f"about {size_text(self.memory.peak)} at the peak"
        if self.room is None:
            return need
        if self.fits:
            return f"{need}; there is room for {size_text(self.room.total)}"
        return f"{need}, and there is room for {size_text(self.room.total)} only: it may not suffice"


def look_ahead(work: Work) -> Outlook | None:
    """Estimate a prepared job. Remedies are looked for where it does not fit.

    Nothing of the job changes: weights, running statistics and random states are as they were.

    Returns:
        ``None`` for strategies of plugins, which may divide the model among processes in ways only they know.
    """
    if type(work.strategy) is not Single:
        return None
    footprint = footprint_of(work)
    memory, room = estimate_memory(work, footprint), room_on(work.strategy.device)
    outlook = Outlook(memory, room, ())
    return outlook if outlook.fits is not False else replace(outlook, remedies=remedies(work, footprint, memory, room))


def settle_activations(work: Work, outlook: Outlook | None) -> tuple[Work, Outlook | None]:
    """What ``train.activation_checkpointing: auto`` comes to: on where the job fits with it alone, else off.

    The recipe of the job says it from here on, so that it is not asked again when the job is resumed or repeated.
    """
    if work.recipe.train.activation_checkpointing != "auto":
        return work, outlook
    on, facts = False, dict(work.facts)
    if outlook is not None and outlook.fits is False and outlook.room is not None and _can_checkpoint(work):
        with checkpointing(work.model):
            then = replace(outlook, memory=estimate_memory(work), remedies=())
        if then.fits:
            need, room = size_text(outlook.memory.peak), size_text(outlook.room.total)
            facts["activation checkpointing"] = f"without it about {need}, and there is room for {room}; {EFFECT}"
            on, outlook = True, then
            switch(work.model, on=True)
    recipe = with_values(work.recipe, "train", activation_checkpointing=on)
    return replace(work, recipe=recipe, facts=facts), outlook


def _can_checkpoint(work: Work) -> bool:
    return supports(work.model) and not in_vain(work.recipe)


def refuse_too_large(outlook: Outlook) -> None:
    """Stop a job that cannot succeed.

    Raises:
        TooLargeError: its peak is clearly above what there is.
    """
    memory, room = outlook.memory, outlook.room
    if room is None or memory.peak <= CLEARLY * room.total:
        return
    raise TooLargeError(
        f"the job needs about {size_text(memory.peak)} of memory, and there is room for {size_text(room.total)}",
        given=_parts_of(memory),
        expected=f"at most {size_text(room.total)}: {room.limit}",
        fix=[
            *map(str, outlook.remedies or ("choose a smaller model, or a machine with more memory",)),
            "or start it anyway with --force; `tunesmith plan` tells more",
        ],
    )


@contextmanager
def memory_explained(
    work: Work | None = None, outlook: Outlook | None = None, run: Path | None = None
) -> Iterator[None]:
    """An allocation that fails becomes an error with the job's figures and what to change.

    Args:
        work: the job, once it is prepared.
        outlook: what was expected of it.
        run: its folder, once there is one.

    Raises:
        OutOfMemoryError: in place of the many ways in which torch, numpy and the system say it.
    """
    try:
        yield
    except Exception as error:
        said = short_of_memory(error)
        if said is None:
            raise
        traceback.clear_frames(error.__traceback__)  # they hold the tensors of the step
        raise _short(said, work, outlook, run) from error


def short_of_memory(error: BaseException) -> str | None:
    """What an exception says, if it says that memory is short; else ``None``."""
    asked = _ASKED.search(str(error))
    words = str(error).strip().split("\n")[0][:300] or type(error).__name__
    if asked is not None:
        words = f"{size_text(int(asked[1]))} more were asked for and not given"
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return words
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return words
    told = ("not enough memory", "can't allocate memory", "Cannot allocate memory", "out of memory", "bad_alloc")
    return words if isinstance(error, RuntimeError) and any(part in str(error) for part in told) else None


def _short(said: str, work: Work | None, outlook: Outlook | None, run: Path | None) -> OutOfMemoryError:
    if work is None or outlook is None:
        return OutOfMemoryError(
            "the memory is used up",
            given=said,
            expected="room for the rows, the model and what training adds",
            fix=["close other programs, or raise the limit of the container or shell", "or choose a smaller model"],
        )
    memory, room = outlook.memory, outlook.room
    found: Sequence[Remedy] = outlook.remedies
    if not found:  # it was thought to fit
        with suppress(Exception):
            found = remedies(work, footprint_of(work), memory, None)
    again = f"with more memory it goes on where it was saved: tunesmith train --resume {run}"
    left = "" if room is None else f"; {room.limit} left room for {size_text(room.total)}"
    return OutOfMemoryError(
        "the memory is used up",
        given=said,
        expected=f"about {size_text(memory.peak)} in all ({_parts_of(memory)}){left}",
        fix=[*map(str, found), *([] if run is None else [again])] or ["choose a smaller model"],
    )


def _parts_of(memory: Memory) -> str:
    shares = {
        "rows, libraries": memory.process - memory.weights,
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimizer": memory.optimizer,
        "activations": memory.activations + memory.working,
    }
    return ", ".join(f"{name} {size_text(max(0, size))}" for name, size in shares.items())


# ---- what would need less ------------------------------------------------------------------------


def remedies(work: Work, footprint: Footprint, memory: Memory, room: Room | None) -> tuple[Remedy, ...]:
    """The three best changes: those that fit come first, and among them those that change least."""
    wanted = memory.peak if room is None else room.total
    worth = memory.peak - WORTH * (memory.peak - memory.process)
    found = [remedy for remedy in _changes(work, footprint, memory, wanted) if remedy.peak <= worth]
    return tuple(sorted(found, key=lambda remedy: remedy.peak > wanted)[:SHOWN])


def _changes(work: Work, footprint: Footprint, memory: Memory, wanted: int) -> Iterator[Remedy]:
    """In the order of how little they change."""
    section = work.recipe.train

    def with_batch(rows: int, length: int, places: int) -> int:
        activations, largest = footprint(rows, length, places)
        return replace(memory, activations=activations, working=2 * largest).peak

    parts = [count for count in PARTS if count > section.accumulate]
    peaks = [(count, with_batch(*costliest_part(work, footprint, count))) for count in parts]
    if peaks:
        enough = next((pair for pair in peaks if pair[1] <= wanted), min(peaks, key=lambda pair: pair[1]))
        yield Remedy(f"--set train.accumulate={enough[0]}", enough[1], "the result is the same")
    if section.activation_checkpointing is not True and _can_checkpoint(work):
        with checkpointing(work.model):
            found = footprint_of(work)
        activations, largest = found(*costliest_part(work, found, section.accumulate))
        peak = replace(memory, activations=activations, working=2 * largest).peak
        yield Remedy("--set train.activation_checkpointing=true", peak, EFFECT)
    rows, length, places = costliest_part(work, footprint, section.accumulate)
    key = "tokens_per_batch" if section.tokens_per_batch is not None else "rows_per_batch"
    size = getattr(section, key)
    halves = [2**power for power in range(1, 8) if 2**power <= rows]
    if size is not None and halves:
        options = [(half, with_batch(rows // half, length, places // half)) for half in halves]
        half, peak = next((pair for pair in options if pair[1] <= wanted), options[-1])
        yield Remedy(f"--set train.{key}={max(1, size // half)}", peak, "smaller steps, and more of them")
    if rows == 1 and length > 2 * 64:
        shorter = length // 2
        peak = with_batch(1, shorter, max(1, places // 2))
        yield Remedy(f"--set data.max_length={shorter}", peak, "longer rows are cut")
    if work.recipe.method.name == "full":
        moving, _ = count_parameters(work.model)
        if work.source.kind != "scratch" and moving:
            small = replace(
                memory, gradients=int(ADAPTER * memory.gradients), optimizer=int(ADAPTER * memory.optimizer)
            )
            yield Remedy("--set method=lora", small.peak, "adapters are trained instead of all weights")
