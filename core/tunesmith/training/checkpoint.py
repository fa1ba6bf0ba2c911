# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Checkpoints: all that is needed to go on bit by bit, complete or not there at all.

A checkpoint is written into a hidden folder, flushed to disk, and renamed into place; a folder named
``step-00000120`` is therefore whole. Its ``state.json`` holds a digest of every other file, so that damage done
later is found before it is trained on: a job then goes on from the checkpoint before. Tensors are safetensors; nothing
is pickled. Names and digests are in ``runs/checkpoints.py``.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from tunesmith.errors import RunError
from tunesmith.runs import (
    checkpoint_damage,
    complete_checkpoints,
    file_digest,
    flush_folder,
    usual_permissions,
    writing,
)
from tunesmith.runs.checkpoints import STATE, checkpoint_state, state_text
from tunesmith.training.masters import MasterAdamW, full_precision
from tunesmith.training.optimizer import optimizer_tensors, restore_optimizer
from tunesmith.training.randomness import random_tensors, restore_random

__all__ = [
    "OPTIMIZER",
    "RANDOM",
    "WEIGHTS",
    "Progress",
    "checkpoint_path",
    "checkpoint_tensors",
    "load_checkpoint",
    "load_newest",
    "load_tensors",
    "moving_tensors",
    "prune_checkpoints",
    "refuse_damage",
    "refuse_other_model",
    "restore_progress",
    "save_checkpoint",
    "write_checkpoint",
    "write_tensors",
]

WEIGHTS, OPTIMIZER, RANDOM = "weights.safetensors", "optimizer.safetensors", "random.safetensors"
"""Files of a checkpoint; ``state.json`` is the fourth."""


@dataclass(slots=True)
class Progress:
    """How far a job is. Plain numbers: with the weights, moments and random state, all there is to resume.

    Attributes:
        step: optimizer steps done.
        best: best value of the deciding metric so far.
        best_step: the step it was reached at.
        stale: evaluations since then.
        seconds: training time so far, over all sessions.
        done: patience has run out: no step follows, however often the job is resumed.
        logged: bytes of ``metrics.jsonl`` up to here; what a killed job wrote behind them is made again.
    """

    step: int = 0
    best: float | None = None
    best_step: int | None = None
    stale: int = 0
    seconds: float = 0.0
    done: bool = False
    logged: int = 0


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step is, in the run's folder of checkpoints."""
    return folder / f"step-{step:08d}"


def save_checkpoint(
    folder: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, keep: int
) -> Path:
    """Write ``folder/step-NNNNNNNN`` and remove all but the newest ``keep`` checkpoints.

    Raises:
        OutputError: the disk is full or read-only. Earlier checkpoints are untouched.
    """

    def fill(partial: Path) -> None:
        for name, tensors in checkpoint_tensors(model, optimizer).items():
            write_tensors(partial / name, tensors)

    return write_checkpoint(folder, progress, fill, keep=keep)


def checkpoint_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, dict[str, torch.Tensor]]:
    """What a checkpoint holds, by file and name: not copies of the job's tensors, but these themselves."""
    with full_precision(optimizer):
        weights = moving_tensors(model)
    random = random_tensors(next(model.parameters()).device)
    return {WEIGHTS: weights, OPTIMIZER: optimizer_tensors(model, optimizer), RANDOM: random}


def write_checkpoint(folder: Path, progress: Progress, fill: Callable[[Path], None], *, keep: int) -> Path:
    """Write ``folder/step-NNNNNNNN`` and remove all but the newest ``keep`` checkpoints.

    Args:
        progress: as it was when the tensors were what ``fill`` writes.
        fill: writes the three files of tensors into a folder, which is renamed when all is on the disk.

    Raises:
        OutputError: the disk is full or read-only. Earlier checkpoints are untouched.
    """
    final = checkpoint_path(folder, progress.step)
    if final.exists():
        return final
    partial = folder / f".{final.name}.partial"
    with writing(final):
        if not folder.is_dir():
            folder.mkdir(parents=True)
            flush_folder(folder.parent)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            fill(partial)
            digests = {name: file_digest(partial / name) for name in (WEIGHTS, OPTIMIZER, RANDOM)}
            (partial / STATE).write_text(state_text(asdict(progress), digests), encoding="utf-8")
            usual_permissions(partial)
            for path in partial.iterdir():
                _flush(path)
            flush_folder(partial)
            os.replace(partial, final)
            flush_folder(folder)
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)  # half a checkpoint only fills a full disk
            raise
    prune_checkpoints(folder, keep)
    return final


def prune_checkpoints(folder: Path, keep: int) -> None:
    """Remove all but the newest ``keep``, and what a process that was killed while saving or deleting left behind.

    Raises:
        OutputError: the disk is read-only.
    """
    with writing(folder):
        for old in complete_checkpoints(folder)[:-keep]:
            os.replace(old, folder / f".{old.name}.old")  # one half deleted must not look like one that is damaged
        for leftover in folder.glob(".step-*"):
            shutil.rmtree(leftover, ignore_errors=True)


def load_newest(folder: Path, load: Callable[[Path], Progress]) -> tuple[Progress | None, tuple[str, ...]]:
    """Go back to the newest checkpoint whose every byte is as it was written.

    Damaged ones are renamed to ``damaged-step-…``, since their steps are done and saved again.

    Args:
        load: puts what is in the folder of a checkpoint in its place.

    Returns:
        How far the job was, or None where there is no checkpoint yet; and what people must know, as sentences.

    Raises:
        RunError: there are checkpoints, and none is whole; or they are of another model. Nothing was changed.
    """
    damaged: dict[Path, str] = {}
    for path in reversed(complete_checkpoints(folder)):
        damage = checkpoint_damage(path)
        if damage is None:
            progress = load(path)
            break
        damaged[path] = damage
    else:
        if damaged:
            raise _none_whole(folder, damaged)
        return None, ()
    for bad in damaged:
        with writing(bad):
            os.replace(bad, _free(folder / f"damaged-{bad.name}"))
    return progress, tuple(
        f"the checkpoint {bad.name} is damaged ({damage}) and was set aside as damaged-{bad.name}; "
        f"the job goes on from {path.name}"
        for bad, damage in damaged.items()
    )


def load_checkpoint(path: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put weights, moments and random state back; gives how far the job was.

    Raises:
        RunError: a file is missing or damaged, or the checkpoint is of another model.
    """
    refuse_damage(path)
    return load_tensors(path, model, optimizer)


def refuse_damage(path: Path) -> None:
    """A checkpoint must be as it was written.

    Raises:
        RunError: a file is missing or damaged.
    """
    damage = checkpoint_damage(path)
    if damage is not None:
        raise RunError(
            f"the checkpoint {path} is damaged",
            given=damage,
            expected="the files as written",
            fix="resume from another checkpoint of the run",
        )


def load_tensors(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Every tensor of a checkpoint in its place, as a process that holds the whole model has them.

    Raises:
        RunError: it is of another model.
    """
    weights = load_file(path / WEIGHTS)
    refuse_other_model(path, weights.keys(), model)
    with torch.no_grad(), full_precision(optimizer):
        for name, tensor in moving_tensors(model).items():
            tensor.copy_(weights[name])
    if isinstance(optimizer, MasterAdamW):
        optimizer.round()
    restore_optimizer(model, optimizer, load_file(path / OPTIMIZER))
    return restore_progress(path)


def restore_progress(path: Path) -> Progress:
    """Put random states back; gives how far the job was."""
    restore_random(load_file(path / RANDOM))
    return Progress(**checkpoint_state(path)["progress"])


def refuse_other_model(path: Path, names: Collection[str], model: nn.Module) -> None:
    """The weights of a checkpoint must be those that the model trains.

    Args:
        names: of the weights in it.

    Raises:
        RunError: it is of another model.
    """
    moving = moving_tensors(model)
    if set(names) != moving.keys():
        odd = sorted(set(names) ^ moving.keys())
        raise RunError(
            f"the checkpoint {path} is of another model",
            given=f"{len(names)} tensors",
            expected=f"{len(moving)} tensors; differing: {', '.join(odd[:3])}",
            fix="resume with the recipe the run was started with",
        )


def moving_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters that are trained, and buffers that are saved. Tied weights appear once (named_parameters)."""
    tensors = {name: parameter.data for name, parameter in model.named_parameters() if parameter.requires_grad}
    saved = model.state_dict(keep_vars=True).keys()
    tensors.update({name: buffer for name, buffer in model.named_buffers() if name in saved})
    return tensors


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """A file of tensors.

    Raises:
        OSError: the system's own, also where the library hides it in text.
    """
    try:
        save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:  # the library's word for a full disk, "… (os error 28)"
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error), str(path)) from error


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _free(path: Path) -> Path:
    numbered = (path.with_name(f"{path.name}-{number}") for number in range(2, 1000))
    return next(place for place in (path, *numbered) if not place.exists())


def _none_whole(folder: Path, damaged: dict[Path, str]) -> RunError:
    return RunError(
        f"no checkpoint in {folder} is whole",
        given="; ".join(f"{path.name}: {damage}" for path, damage in damaged.items()),
        expected="at least one as it was written",
        fix=["bring the files back from a copy", f"or delete {folder}: the run then starts again at its first step"],
    )
