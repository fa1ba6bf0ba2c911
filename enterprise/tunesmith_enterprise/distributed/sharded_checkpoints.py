# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Checkpoints of a model in parts: every process writes its own, beside the next steps; one folder comes of it.

``torch.distributed.checkpoint`` does it, in safetensors: each process writes its part to a file, and the main process
puts the parts together into the files that the core writes too. So a job goes on with another number of processes, with
another strategy, or in the core alone. Each process reads, of these files, its part.
"""

from __future__ import annotations

import json
import logging
import shutil
import struct
import warnings
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist
from safetensors import safe_open
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from tunesmith.errors import TrainingError
from tunesmith.training.checkpoint import (
    OPTIMIZER,
    RANDOM,
    WEIGHTS,
    Progress,
    checkpoint_path,
    checkpoint_tensors,
    moving_tensors,
    refuse_other_model,
    restore_progress,
    write_checkpoint,
    write_tensors,
)
from tunesmith.training.checkpoints import Checkpoints
from tunesmith_enterprise.checkpoints.writer import Writer
from tunesmith_enterprise.distributed.group import Group

__all__ = ["ShardedCheckpoints"]

_MOMENTS: Final = ("exp_avg", "exp_avg_sq")
_STEP: Final = "step"
_LENGTH: Final = struct.Struct("<Q")
_log = logging.getLogger("tunesmith.enterprise.distributed")


class ShardedCheckpoints(Checkpoints):
    """Of one process of several. All of them call :meth:`save` for the same steps.

    Args:
        group: of the job's processes.
        beside: another group of the same, for the thread that writes.
    """

    def __init__(
        self,
        folder: Path,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        keep: int,
        *,
        group: Group,
        beside: dist.ProcessGroup,
    ) -> None:
        super().__init__(folder, model, optimizer, keep)
        self._group, self._aside = group, beside
        self._writer = Writer()

    def save(self, progress: Progress) -> None:
        path = checkpoint_path(self.folder, progress.step)
        if self._group.is_main:
            if path.exists():
                self._whole.append(path)
                return
            self._group.say("checkpoint")
        self._writer.wait()  # one at a time: two would need the memory of two
        tensors = {name: _copies(one) for name, one in checkpoint_tensors(self.model, self.optimizer).items()}
        then = copy(progress)
        self._writer.start(lambda: self._write(then, tensors) if self._group.is_main else self._help(then, tensors))

    def whole(self, *, wait: bool = False) -> list[Path]:
        if wait:
            self._writer.wait()
        if self._group.is_main:
            return [*super().whole(), *self._writer.written()]
        try:
            self._writer.written()
        except Exception as error:  # the main process has it too, and tells people
            _log.warning("the checkpoint was not written: %s", error)
        return []

    def close(self) -> None:
        if not self._group.lost:
            self._writer.wait()

    def put_back(self, path: Path) -> Progress:
        """This process's part of weights and moments; random states, whole."""
        weights = moving_tensors(self.model)
        with safe_open(path / WEIGHTS, framework="pt") as found:
            refuse_other_model(path, found.keys(), self.model)
        wanted = dict(weights)
        with safe_open(path / OPTIMIZER, framework="pt") as found:
            names = set(found.keys())
            for name, parameter in self.model.named_parameters():
                if f"{_STEP}/{name}" not in names:
                    continue
                state = {key: torch.zeros_like(parameter.detach()) for key in _MOMENTS}
                wanted |= {f"{key}/{name}": tensor for key, tensor in state.items()}
                self.optimizer.state[parameter] = {_STEP: found.get_tensor(f"{_STEP}/{name}"), **state}
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that this process reads its part without the others is meant
            load(wanted, storage_reader=HuggingFaceStorageReader(str(path)), no_dist=True)
        return restore_progress(path)

    def _write(self, progress: Progress, tensors: Mapping[str, dict[str, torch.Tensor]]) -> Path:
        """On the main process."""
        told = False

        def fill(partial: Path) -> None:
            nonlocal told
            told = True
            self._agree(ready=True)
            self._save(partial, tensors)
            write_tensors(partial / RANDOM, tensors[RANDOM])

        try:
            return write_checkpoint(self.folder, progress, fill, keep=self.keep)
        finally:
            if not told:  # there is no folder to write to, and the others wait to hear it
                self._agree(ready=False)

    def _help(self, progress: Progress, tensors: Mapping[str, dict[str, torch.Tensor]]) -> None:
        """On every other process."""
        if self._agree(ready=True):
            path = checkpoint_path(self.folder, progress.step)
            self._save(path.with_name(f".{path.name}.partial"), tensors)

    def _save(self, folder: Path, tensors: Mapping[str, dict[str, torch.Tensor]]) -> None:
        try:
            _save(folder, tensors, self._aside)
        except RuntimeError as error:
            raise self._lost(error) from error

    def _agree(self, *, ready: bool) -> bool:
        """Whether the main process has a folder to write to."""
        flag = torch.tensor([int(ready)])
        try:
            dist.broadcast(flag, src=0, group=self._aside)
        except RuntimeError as error:
            raise self._lost(error) from error
        return bool(flag.item())

    def _lost(self, error: RuntimeError) -> TrainingError:
        self._group.lost = True
        return TrainingError(
            "another process of the job does not answer any more",
            given=f"process {self._group.rank} of {self._group.world}, while a checkpoint was written: "
            f"{str(error).splitlines()[0][:200]}",
            expected="all processes, until the job is done",
            fix="go on from the last checkpoint: tunesmith launch --resume RUN",
        )


def _copies(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """In the machine's memory, of this process's part."""
    return {
        name: tensor.detach().clone() if tensor.device.type == "cpu" else tensor.detach().cpu()
        for name, tensor in tensors.items()
    }


def _save(folder: Path, tensors: Mapping[str, dict[str, torch.Tensor]], group: dist.ProcessGroup) -> None:
    """Every process's part into ``folder``, and, there, the whole of them; all processes call this.

    Raises:
        OSError: a process cannot write.
    """
    files = {WEIGHTS: 1, OPTIMIZER: 2}
    # What has no axis is lost when parts are put together (torch 2.13 leaves a zero in its place): for the while it
    # gets one.
    state = {name: one if one.ndim else one.view(1) for file in files for name, one in tensors[file].items()}
    scalars = {name for file in files for name, one in tensors[file].items() if not one.ndim}
    places = {name: number for file, number in files.items() for name in tensors[file]}
    writer = HuggingFaceStorageWriter(
        str(folder), fqn_to_index_mapping=places, save_distributed=True, enable_consolidation=True
    )
    try:
        save(state, storage_writer=writer, process_group=group)
    except CheckpointException as error:
        found = next(iter(error.failures.values()))[0]
        raise (
            found if isinstance(found, OSError) else OSError(5, f"{type(found).__name__}: {found}", str(folder))
        ) from error
    if dist.get_rank(group) == 0:
        shutil.rmtree(folder / "sharded")
        (folder / "model.safetensors.index.json").unlink()
        count = max(places.values())
        for file, number in files.items():
            written = folder / f"model-{number:05d}-of-{count:05d}.safetensors"
            if not tensors[file]:
                write_tensors(folder / file, {})
                continue
            _without_axis(written, scalars)
            written.replace(folder / file)


def _without_axis(path: Path, names: set[str]) -> None:
    """Give tensors of one number the shape they had, in the header of a file of safetensors, in place."""
    with path.open("rb+") as file:
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        header: dict[str, Any] = json.loads(file.read(length))
        header.pop("__metadata__", None)
        for name in names & header.keys():
            header[name]["shape"] = []
        text = json.dumps(header, separators=(",", ":")).encode()
        file.seek(_LENGTH.size)
        file.write(text.ljust(length))  # blanks may follow
