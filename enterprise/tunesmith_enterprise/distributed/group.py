# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The processes of one job: how they come together, and what the main one says to the others.

Sums of tensors go over one process group (gloo, or nccl on GPUs), words over another (gloo): while the main process
evaluates for an hour, the others wait for its word, and that is no failure. Words are JSON.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
import torch.distributed as dist

from tunesmith.errors import TrainingError
from tunesmith_enterprise.entitlement.grant import Grant

__all__ = ["EndedError", "Group", "current", "join"]

_SUM_TIMEOUT: Final = timedelta(minutes=30)
_WORD_TIMEOUT: Final = timedelta(days=30)
_STEP: Final = 0
"""In the place of a word's length: the next step begins."""

_current: Group | None = None
_Made = TypeVar("_Made")


class EndedError(Exception):
    """The main process has ended the job: nothing is wrong here, and nothing is left to do."""


class Group:
    """This process among those of its job.

    Attributes:
        rank: 0 is the main process.
        world: how many there are.
        nodes: how many machines they are on.
        grant: for this job; None until the license was asked.
        lost: another process went away in the middle.
        started: a file that is to hold the folder of the run, from its first step on: whoever starts the processes
            again, goes on with it.
    """

    def __init__(self, *, device: str) -> None:
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self._words = dist.new_group(backend="gloo", timeout=_WORD_TIMEOUT)
        self._sums = dist.new_group(backend="nccl" if device == "cuda" else "gloo", timeout=_SUM_TIMEOUT)
        self.gpus = self.world if device == "cuda" else 0
        self.grant: Grant | None = None
        self.lost = False
        self.started: Path | None = None
        self.nodes = len(set(self.collect(socket.gethostname())))

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def quantities(self) -> dict[str, int]:
        """What the license is asked for."""
        return {"processes": self.world, "nodes": self.nodes, **({"gpus": self.gpus} if self.gpus else {})}

    # ---- words -----------------------------------------------------------------------------------

    def say(self, kind: str, **content: Any) -> None:
        """Tell all others; called on the main process."""
        text = torch.frombuffer(bytearray(json.dumps({"kind": kind, **content}).encode()), dtype=torch.uint8)
        self._broadcast(torch.tensor([len(text)]))
        self._broadcast(text)

    def say_step(self) -> None:
        """Tell all others that the next step begins; called on the main process."""
        self._broadcast(torch.tensor([_STEP]))

    def hear(self, *kinds: str) -> Mapping[str, Any]:
        """What the main process says next: one of these kinds, ``step`` among them.

        Raises:
            EndedError: it says that the job has ended.
            TrainingError: it is not there any more.
        """
        size = torch.zeros(1, dtype=torch.int64)
        self._broadcast(size)
        word: dict[str, Any] = {"kind": "step"}
        if size.item() != _STEP:
            text = torch.zeros(int(size.item()), dtype=torch.uint8)
            self._broadcast(text)
            word = json.loads(text.numpy().tobytes())
        if word["kind"] == "end":
            raise EndedError
        if word["kind"] not in kinds:
            raise TrainingError(
                "the processes of the job are not at the same place",
                given=f"{word['kind']} from the main process",
                expected=" or ".join(kinds),
                fix="report this: it is a bug",
            )
        return word

    def collect(self, value: Any) -> list[Any]:
        """What every process has to say, by rank; all of them call this."""
        text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.world)]
        self._guarded(lambda: dist.all_gather(sizes, torch.tensor([len(text)]), group=self._words))
        longest = max(int(size.item()) for size in sizes)
        padded = torch.zeros(longest, dtype=torch.uint8)
        padded[: len(text)] = text
        texts = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.world)]
        self._guarded(lambda: dist.all_gather(texts, padded, group=self._words))
        return [json.loads(one[: int(size.item())].numpy().tobytes()) for one, size in zip(texts, sizes, strict=True)]

    def _broadcast(self, tensor: torch.Tensor) -> None:
        self._guarded(lambda: dist.broadcast(tensor, src=0, group=self._words))

    # ---- sums ------------------------------------------------------------------------------------

    def sum(self, *tensors: torch.Tensor) -> None:
        """Put the sum over all processes in the place of each; they are contiguous."""

        def summed() -> None:
            under_way = [dist.all_reduce(tensor, group=self._sums, async_op=True) for tensor in tensors]
            for one in under_way:
                if one is not None:
                    one.wait()

        self._guarded(summed)

    def take_from_main(self, *tensors: torch.Tensor) -> None:
        """Put the main process's value in the place of each."""
        for tensor in tensors:
            self._guarded(lambda tensor=tensor: dist.broadcast(tensor, src=0, group=self._sums))  # type: ignore[misc]

    def _guarded(self, talk: Callable[[], _Made]) -> _Made:
        try:
            return talk()
        except RuntimeError as error:
            self.lost = True
            raise TrainingError(
                "another process of the job does not answer any more",
                given=f"process {self.rank} of {self.world}: {str(error).splitlines()[0][:200]}",
                expected="all processes, until the job is done",
                fix="go on from the last checkpoint: tunesmith launch --resume RUN",
            ) from error

    def leave(self) -> None:
        """Let go of the others; whoever still waits for this process then fails."""
        global _current
        _current = None
        dist.destroy_process_group()


def current() -> Group | None:
    """The group of this process; None: it was not started as one of several."""
    return _current


def join(*, timeout: float, device: str) -> Group:
    """Wait until all processes are there. Who they are, torch's launcher has put into the environment.

    Args:
        timeout: in seconds.
        device: ``cpu`` or ``cuda``.

    Raises:
        TrainingError: they did not all come in time.
    """
    global _current
    try:
        dist.init_process_group("gloo", timeout=timedelta(seconds=timeout))
        _current = Group(device=device)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"the processes of the job did not come together within {timeout:g} seconds",
            given=f"process {os.environ.get('RANK', '?')} of {os.environ.get('WORLD_SIZE', '?')} waited at "
            f"{os.environ.get('MASTER_ADDR', '?')}:{os.environ.get('MASTER_PORT', '?')}; "
            f"{str(error).splitlines()[0][:200]}",
            expected="all processes, each with an address that the others can reach",
            fix=["start them with `tunesmith launch`", "give them more time: --join-timeout SECONDS"],
        ) from error
    return _current
