# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What each of Ray's workers does: it starts one process of the job, watches it, and says when the job lost it.

The process is a child and not Ray's own: it joins a group of its own, hears signals, and may end without ceremony.
Whoever hangs, and that somebody asked to stop, the workers tell each other through the job's folder. A machine that is
gone is Ray's to find.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from tunesmith_enterprise.distributed.ending import end_all
from tunesmith_enterprise.distributed.folder_store import STOP, FolderStore
from tunesmith_enterprise.distributed.interfaces import LOOPBACK, interface_towards
from tunesmith_enterprise.distributed.meeting import Place, Round
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.pulse import Beat, read_beats
from tunesmith_enterprise.distributed.watching import Watch

__all__ = ["LostError", "take_part"]

_LOOK: Final = 0.2
_EVERY: Final = 2.0
"""Seconds between two looks into the folder, which may be on a disk of many."""


class LostError(Exception):
    """A process of the job is gone before its end, or hangs."""


def take_part(config: Mapping[str, Any]) -> None:
    """In each of Ray's workers: start a process of the job there, and wait for its end.

    Raises:
        LostError: it was lost, or lost another one, or one hangs: Ray starts all of them again.
    """
    from ray.train import get_context
    from ray.train.collective import broadcast_from_rank_zero

    context = get_context()
    rank = context.get_world_rank()
    path = Path(config["folder"]) / "order.json"
    try:
        os.chdir(config["cwd"])  # paths of a recipe are relative to where the job was started
        order = Order.read(path)
        store = FolderStore(order.said)
    except OSError as error:
        raise LostError(
            f"{socket.gethostname()} does not see what the job's disk should hold, {error.filename}: "
            "every machine of the cluster must see the folder that it was started in, --logs and output"
        ) from error
    found = broadcast_from_rank_zero(_begun(order, store) if rank == 0 else None)
    if found is None:
        return
    start, host, port = found
    environ = {
        **os.environ,
        "RANK": str(rank),
        "WORLD_SIZE": str(context.get_world_size()),
        "LOCAL_RANK": _local_rank(context.get_local_rank()),
        "LOCAL_WORLD_SIZE": str(context.get_local_world_size()),
        "GROUP_RANK": str(context.get_node_rank()),
        "MASTER_ADDR": host,
        "MASTER_PORT": str(port),
    }
    environ.setdefault("GLOO_SOCKET_IFNAME", _interface(host, port))
    place = Place(node=rank, nodes=context.get_world_size(), processes=1)
    begun = Round(f"start {start}", start, "", (host,) * place.nodes)
    with Watch(
        lambda: store, place, begun, lambda: _beats(order, rank),
        hang_timeout=config["hang_timeout"], node_timeout=math.inf, every=_EVERY,
    ) as watch:  # fmt: skip
        process = subprocess.Popen([sys.executable, *config["worker"], str(path)], env=environ)
        why = _until_end(process, watch, is_main=rank == 0)
    if store.check([STOP]) or order.outcome.exists() or order.told() is not None:
        return
    if why or process.returncode:
        raise LostError(why or f"process {rank} on {socket.gethostname()} ended with {_end(process.returncode)}")


def _begun(order: Order, store: FolderStore) -> tuple[int, str, int] | None:
    """On the first process, before each start: its number, and where all will meet. None: the job came to its end in
    an earlier start, in which another process was lost after its work was done, or was asked to stop.
    """
    if order.outcome.exists() or store.check([STOP]):
        return None
    order.forget_start()
    start = 1
    if order.begun.exists():  # else what is in the run's folder, if anything, is another job's
        if order.has_finished():
            order.outcome.write_text("0")
            return None
        order.find_run()
        start += int(order.begun.read_text())
    order.begun.write_text(str(start))
    return start, *_address()


def _until_end(process: subprocess.Popen[bytes], watch: Watch, *, is_main: bool) -> str:
    """Wait for it; gives why it was ended, where it did not end itself."""
    asked = False
    while process.poll() is None:
        time.sleep(_LOOK)
        why = watch.why_ended()
        if why:
            end_all([process], told=True)
            return why
        if is_main and watch.asked_to_stop and not asked:
            asked = True
            process.send_signal(signal.SIGINT)
    return ""


def _beats(order: Order, rank: int) -> Sequence[Beat]:
    """Of this worker's process alone: the files of others may be of machines with another clock."""
    return [one for one in read_beats(Path(order.folder), socket.gethostname()) if one.rank == rank]


def _address() -> tuple[str, int]:
    """Where the processes meet: the first one's machine, as the others can reach it, and a port that is free now."""
    import ray

    host = cast("str", ray.util.get_node_ip_address())
    with socket.create_server((host, 0)) as free:
        return host, int(free.getsockname()[1])


def _local_rank(rank: int) -> str:
    """The place of this process's GPU among those it sees. Ray shows each worker its own, and no other."""
    return "0" if os.environ.get("CUDA_VISIBLE_DEVICES") else str(rank)


def _interface(host: str, port: int) -> str:
    return interface_towards(host, port) or LOOPBACK


def _end(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
