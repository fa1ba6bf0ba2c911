# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Checkpoints: all that is needed to go on bit by bit, complete or not there at all.

A checkpoint is written into a hidden folder, flushed to disk, and renamed into place; a folder named
``step-00000120`` is therefore whole. Its ``state.json`` holds a digest of every other file, so that damage done
later is found before it is trained on. Tensors are safetensors; nothing is pickled.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from tunesmith.errors import RunError
from tunesmith.runs import file_digest, usual_permissions, writing
from tunesmith.training.optimizer import optimizer_tensors, restore_optimizer

__all__ = ["Progress", "latest_checkpoint", "load_checkpoint", "save_checkpoint"]

_WEIGHTS, _OPTIMIZER, _RANDOM = "weights.safetensors", "optimizer.safetensors", "random.safetensors"
_STATE = "state.json"


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
    """

    step: int = 0
    best: float | None = None
    best_step: int | None = None
    stale: int = 0
    seconds: float = 0.0
    done: bool = False


def save_checkpoint(
    folder: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, keep: int
) -> Path:
    """Write ``folder/step-NNNNNNNN`` and remove all but the newest ``keep`` checkpoints.

    Raises:
        OutputError: the disk is full or read-only. Earlier checkpoints are untouched.
    """
    final = folder / f"step-{progress.step:08d}"
    if final.exists():
        return final
    partial = folder / f".{final.name}.partial"
    with writing(final):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            _write_tensors(partial / _WEIGHTS, _moving_tensors(model))
            _write_tensors(partial / _OPTIMIZER, optimizer_tensors(model, optimizer))
            _write_tensors(partial / _RANDOM, _random_tensors(model))
            digests = {name: file_digest(partial / name) for name in (_WEIGHTS, _OPTIMIZER, _RANDOM)}
            state = {"format": 1, "progress": asdict(progress), "files": digests}
            (partial / _STATE).write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
            usual_permissions(partial)
            for path in partial.iterdir():
                _flush(path)
            _flush(partial)
            os.replace(partial, final)
            _flush(folder)
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)  # half a checkpoint only fills a full disk
            raise
    for old in _complete(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint, or None."""
    complete = _complete(folder)
    return complete[-1] if complete else None


def load_checkpoint(path: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put weights, moments and random state back; gives how far the job was.

    Raises:
        RunError: a file is missing or damaged, or the checkpoint is of another model.
    """
    try:
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        digests, progress = state["files"], Progress(**state["progress"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"{_STATE} cannot be read ({error})") from error
    for name, digest in digests.items():
        if not (path / name).is_file():
            raise _damaged(path, f"{name} is missing")
        if file_digest(path / name) != digest:
            raise _damaged(path, f"{name} has changed since it was written")
    weights = load_file(path / _WEIGHTS)
    moving = _moving_tensors(model)
    if weights.keys() != moving.keys():
        odd = sorted(weights.keys() ^ moving.keys())
        raise RunError(
            f"the checkpoint {path} is of another model",
            given=f"{len(weights)} tensors",
            expected=f"{len(moving)} tensors; differing: {', '.join(odd[:3])}",
            fix="resume with the recipe the run was started with",
        )
    with torch.no_grad():
        for name, tensor in moving.items():
            tensor.copy_(weights[name])
    restore_optimizer(model, optimizer, load_file(path / _OPTIMIZER))
    random = load_file(path / _RANDOM)
    torch.set_rng_state(random["cpu"])
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["cuda"])
    return progress


def _moving_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters that are trained, and buffers that are saved. Tied weights appear once (named_parameters)."""
    tensors = {name: parameter.data for name, parameter in model.named_parameters() if parameter.requires_grad}
    saved = model.state_dict(keep_vars=True).keys()
    tensors.update({name: buffer for name, buffer in model.named_buffers() if name in saved})
    return tensors


def _random_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    tensors = {"cpu": torch.get_rng_state()}
    if next(model.parameters()).is_cuda:
        tensors["cuda"] = torch.cuda.get_rng_state()
    return tensors


def _write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    try:
        save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:  # the library's word for a full disk, "… (os error 28)"
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error), str(path)) from error


def _complete(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("step-*") if (path / _STATE).is_file())


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _damaged(path: Path, reason: str) -> RunError:
    others = [other.name for other in _complete(path.parent) if other != path]
    remedy = f"delete {path} to resume from {others[-1]}" if others else "start the job again with another output"
    return RunError(f"the checkpoint {path} is damaged", given=reason, expected="the files as written", fix=remedy)
