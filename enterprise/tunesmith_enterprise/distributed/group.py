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
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]
from torch.distributed.device_mesh import DeviceMesh

from tunesmith.errors import TrainingError
from tunesmith_enterprise.distributed.pulse import Pulse
from tunesmith_enterprise.entitlement.grant import Grant

__all__ = ["WORDS", "EndedError", "Group", "current", "join"]

WORDS: Final = ("granted", "feed", "divide", "begin", "step", "evaluate", "checkpoint", "save", "end")
"""What the main process says, in the order of a job."""

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
        job: the token of the job, which its run gets.
        start: what people type to start such a job, as :class:`~tunesmith_enterprise.distributed.order.Order` has it.
        pulse: where this process says what it does; None: nobody watches.
        apart: the others wait for this process where they hear no word: when it fails here alone, it can only end.
        refused: the exit code of the job, where the license does not cover it.
        hosts: the name of each process's machine, by rank.
    """

    def __init__(self, *, device: str) -> None:
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self._words = dist.new_group(backend="gloo", timeout=_WORD_TIMEOUT)
        self._sums = dist.new_group(backend="nccl" if device == "cuda" else "gloo", timeout=_SUM_TIMEOUT)
        self.gpus = self.world if device == "cuda" else 0
        self.grant: Grant | None = None
        self.lost = self.apart = False
        self.started: Path | None = None
        self.job = self.start = ""
        self.pulse: Pulse | None = None
        self.refused: int | None = None
        # Launchers count machines; two of them in containers of one machine have different names.
        machines = self.collect([socket.gethostname(), os.environ.get("GROUP_RANK", "")])
        self.nodes = len({tuple(one) for one in machines})
        self.hosts = [str(name) for name, _ in machines]

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def quantities(self) -> dict[str, int]:
        """What the license is asked for."""
        return {"processes": self.world, "nodes": self.nodes, **({"gpus": self.gpus} if self.gpus else {})}

    def start_command(self, run: str) -> str:
        """What people type to go on with a run as it was started: in as many processes, on as many machines."""
        if self.start:
            return f"{self.start} --resume {run}"
        here = int(os.environ.get("LOCAL_WORLD_SIZE", self.world))
        several = f" --nodes {self.nodes} --node-rank … --rendezvous …" if self.nodes > 1 else ""
        return f"tunesmith launch --nproc {here}{several} --resume {run}"

    # ---- words -----------------------------------------------------------------------------------

    def say(self, kind: str, **content: Any) -> None:
        """Tell all others; called on the main process."""
        text = torch.frombuffer(bytearray(json.dumps({"kind": kind, **content}).encode()), dtype=torch.uint8)
        self._broadcast(torch.tensor([len(text)]))
        self._broadcast(text)

    def say_step(self) -> None:
        """Tell all others that the next step begins; called on the main process."""
        if self.pulse is not None:
            self.pulse.begin_step()
        self._broadcast(torch.tensor([_STEP]))

    def between_steps(self) -> None:
        """From here to what all do together next, this process may need any time."""
        if self.pulse is not None:
            self.pulse.between()

    def evaluating(self) -> None:
        """From here on, and from here again, this process computes a batch of held-out rows."""
        if self.pulse is not None:
            self.pulse.evaluating()

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
        if self.pulse is not None:
            self.pulse.heard(word["kind"], word.get("step"))
        return word

    def collect(self, value: Any) -> list[Any]:
        """What every process has to say, by rank; all of them call this."""
        text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.world)]
        self._guarded(lambda: dist.all_gather(sizes, torch.tensor([len(text)]), group=self._words), "all to say")
        longest = max(int(size.item()) for size in sizes)
        padded = torch.zeros(longest, dtype=torch.uint8)
        padded[: len(text)] = text
        texts = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.world)]
        self._guarded(lambda: dist.all_gather(texts, padded, group=self._words), "all to say")
        return [json.loads(one[: int(size.item())].numpy().tobytes()) for one, size in zip(texts, sizes, strict=True)]

    def share_bytes(self, content: torch.Tensor) -> None:
        """Put the main process's bytes in the place of each one's; as many everywhere."""
        self._guarded(partial(dist.broadcast, content, src=0, group=self._words), "files of the main process")

    def _broadcast(self, tensor: torch.Tensor) -> None:
        self._guarded(lambda: dist.broadcast(tensor, src=0, group=self._words), "a word of the main process")

    # ---- sums ------------------------------------------------------------------------------------

    def sum(self, *tensors: torch.Tensor) -> None:
        """Put the sum over all processes in the place of each; they are contiguous."""

        def summed() -> None:
            under_way = [dist.all_reduce(tensor, group=self._sums, async_op=True) for tensor in tensors]
            for one in under_way:
                if one is not None:
                    one.wait()

        self._guarded(summed, "a sum over all")

    def take_from_main(self, *tensors: torch.Tensor) -> None:
        """Put the main process's value in the place of each."""
        for tensor in tensors:
            send = partial(dist.broadcast, tensor, src=0, group=self._sums)
            self._guarded(send, "tensors of the main process")

    def largest(self, number: int) -> int:
        """Of the numbers that the processes have."""
        most = torch.tensor([number], device="cuda" if self.gpus else "cpu")
        self._guarded(lambda: dist.all_reduce(most, op=dist.ReduceOp.MAX, group=self._sums), "the largest of all")
        return int(most.item())

    def gather(self, part: bytes) -> list[bytes] | None:
        """What every process has, by rank, on the main process; None on the others."""
        longest = self.collect(len(part))
        mine = torch.zeros(max(longest), dtype=torch.uint8)
        mine[: len(part)] = torch.frombuffer(bytearray(part), dtype=torch.uint8)
        parts = [torch.zeros_like(mine) for _ in range(self.world)] if self.is_main else None
        self._guarded(lambda: dist.gather(mine, parts, dst=0, group=self._words), "answers of all")
        if parts is None:
            return None
        return [one[:size].numpy().tobytes() for one, size in zip(parts, longest, strict=True)]

    def beside(self) -> dist.ProcessGroup:
        """Another group of all processes, over which a thread may talk while these go on. All of them call this."""
        group: dist.ProcessGroup = dist.new_group(backend="gloo", timeout=_SUM_TIMEOUT)
        return group

    def mesh(self, *shape: int, names: Sequence[str]) -> DeviceMesh:
        """All processes in a grid of this shape, the last axis along neighbors. All of them call this."""
        device = "cuda" if self.gpus else "cpu"
        if len(shape) == 1:
            return DeviceMesh.from_group(self._sums, device, mesh_dim_names=tuple(names))
        grid = torch.arange(self.world).view(*shape)
        groups = []
        for axis in range(len(shape)):
            lines = grid.movedim(axis, -1).reshape(-1, shape[axis]).tolist()
            backend = "nccl" if self.gpus else "gloo"
            own, _ = dist.new_subgroups_by_enumeration(  # type: ignore[no-untyped-call]
                lines, timeout=_SUM_TIMEOUT, backend=backend
            )
            groups.append(own)
        return DeviceMesh.from_group(groups, device, mesh=grid, mesh_dim_names=tuple(names))

    def talking(self, talk: Callable[[], _Made], doing: str) -> _Made:
        """Do something in which libraries talk to the other processes.

        Raises:
            TrainingError: another process went away meanwhile. Other errors stay what they are.
        """
        try:
            return talk()
        except RuntimeError as error:
            if not isinstance(error, dist.DistError) and "gloo" not in str(error).lower():
                raise
            lost: _Made = self._guarded(partial(_again, error), doing)
            return lost

    def _guarded(self, talk: Callable[[], _Made], doing: str) -> _Made:
        try:
            if self.pulse is None:
                return talk()
            self.pulse.enter(doing)
            made = talk()
            self.pulse.leave()
            return made
        except RuntimeError as error:
            self.lost = True
            raise TrainingError(
                "another process of the job does not answer any more",
                given=f"process {self.rank} of {self.world}: {str(error).splitlines()[0][:200]}",
                expected="all processes, until the job is done",
                fix="`tunesmith launch` starts all of them again; by hand: tunesmith launch --resume RUN",
            ) from error

    def leave(self) -> None:
        """Let go of the others; whoever still waits for this process then fails."""
        global _current
        _current = None
        dist.destroy_process_group()


def _again(error: RuntimeError) -> Any:
    raise error


def current() -> Group | None:
    """The group of this process; None: it was not started as one of several."""
    return _current


def _meeting_store(timeout: timedelta) -> dict[str, Any]:
    """The launcher's store, under the name of this start of the job; nothing: process 0 makes one.

    Without a name, processes that are started again would find there how to reach those that are gone.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return {}
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, is_master=False, wait_for_workers=False, timeout=timeout)
    return {
        "store": PrefixStore(os.environ["TORCHELASTIC_RUN_ID"], store),
        "rank": int(os.environ["RANK"]),
        "world_size": int(os.environ["WORLD_SIZE"]),
    }


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
        waiting = timedelta(seconds=timeout)
        dist.init_process_group("gloo", timeout=waiting, **_meeting_store(waiting))
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
