# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A job of several processes on a Ray cluster: Ray finds the places, and starts all again when one is lost.

Each of Ray's workers starts one process of the job (``worker.py``), the same that ``launch`` starts, and waits for it.
That process is a child and not Ray's own: it joins a group of its own, hears signals, and may end without ceremony. So
Ray's trainer is used without its process group, which would hold a context on each GPU beside the job's.

Everything that the processes leave each other is in one folder, which all machines and this one see, as the run is.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from tunesmith.errors import RecipeError, TrainingError
from tunesmith.runs import Run
from tunesmith_enterprise.distributed.interfaces import LOOPBACK, interface_towards
from tunesmith_enterprise.distributed.launching import WORKER, for_several
from tunesmith_enterprise.distributed.order import Order

__all__ = ["Cluster", "launch_on_ray"]

_FOLDER: Final = "-ray"
"""After the name of the run's folder: what Ray and the processes leave, where ``--logs`` says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What is asked of Ray.

    Attributes:
        address: of the cluster, ``auto`` for the one that this machine is part of, ``local`` for a new one here.
        processes: on all machines together.
        cpus: processors for each process.
        max_restarts: how often all processes are started again.
    """

    address: str
    processes: int
    cpus: int = 1
    max_restarts: int = 3


def launch_on_ray(order: Order, cluster: Cluster, *, worker: Sequence[str] = WORKER) -> int:
    """Do a job; gives its exit code, as of ``tunesmith train``.

    Args:
        order: ``folder`` is where logs are kept; empty: beside the run.
        worker: what each process runs: arguments of Python, before the file of the order.

    Raises:
        TunesmithError: the job is not one for several processes, Ray is not installed or not to be reached, or
            processes were lost more often than they may be.
    """
    ray = _ray()
    job = order.asked()
    output = Path(order.resume or job.output).expanduser().resolve()
    folder = Path(order.folder).resolve() if order.folder else output.with_name(output.name + _FOLDER)
    order = replace(order, folder=str(folder))
    if not order.resume:
        Run.check_free(job.output)
    order.make_folder()
    order = for_several(order)
    order.write()
    _connect(ray, cluster)
    try:
        gpu = _wants_gpu(job.train.device, ray.cluster_resources(), cluster.processes)
        _fit(ray, cluster, {"folder": str(folder), "cwd": os.getcwd(), "worker": list(worker)}, gpu=gpu, folder=folder)
    finally:
        ray.shutdown()
    return _ended(order, cluster)


def _fit(ray: Any, cluster: Cluster, config: dict[str, Any], *, gpu: bool, folder: Path) -> None:
    """Let Ray run the job to its end, good or bad.

    Raises:
        TrainingError: it gave up.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    trainer = DataParallelTrainer(
        take_part,
        train_loop_config=config,
        scaling_config=ScalingConfig(
            num_workers=cluster.processes,
            use_gpu=gpu,
            resources_per_worker={"CPU": cluster.cpus, **({"GPU": 1} if gpu else {})},
            placement_strategy="PACK",
        ),
        run_config=RunConfig(
            name="tunesmith",
            storage_path=str(folder),
            failure_config=FailureConfig(max_failures=cluster.max_restarts),
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        raise TrainingError(
            "the job lost a process, and was started again as often as it may be",
            given=_told(error),
            expected="every process goes on to the end",
            fix=[f"see what the processes said: {folder}", "let it try more often: --max-restarts N"],
        ) from error


def take_part(config: Mapping[str, Any]) -> None:
    """In each of Ray's workers: start a process of the job there, and wait for its end.

    Raises:
        LostError: it was lost, or lost another one: Ray starts all of them again.
    """
    from ray.train import get_context
    from ray.train.collective import broadcast_from_rank_zero

    context = get_context()
    rank = context.get_world_rank()
    path = Path(config["folder"]) / "order.json"
    try:
        os.chdir(config["cwd"])  # paths of a recipe are relative to where the job was started
        order = Order.read(path)
    except OSError as error:
        raise LostError(
            f"{socket.gethostname()} does not see what the job's disk should hold, {error.filename}: "
            "every machine of the cluster must see the folder that it was started in, --logs and output"
        ) from error
    place = broadcast_from_rank_zero(_begun(order) if rank == 0 else None)
    if place is None:
        return
    host, port = place
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
    done = subprocess.run([sys.executable, *config["worker"], str(path)], env=environ, check=False)
    if order.outcome.exists() or order.told() is not None or done.returncode == 0:
        return
    raise LostError(f"process {rank} on {socket.gethostname()} ended with {_end(done.returncode)}")


def _begun(order: Order) -> tuple[str, int] | None:
    """On the first process, before each start: where all will meet. None: the job came to its end in an earlier start,
    in which another process was lost after its work was done.
    """
    if order.outcome.exists():
        return None
    order.forget_start()
    if order.begun.exists():  # else what is in the run's folder, if anything, is another job's
        if order.has_finished():
            order.outcome.write_text("0")
            return None
        order.find_run()
    order.begun.touch()
    return _address()


class LostError(Exception):
    """A process of the job is gone before its end."""


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent home
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    try:
        import ray  # here: it takes seconds
        import ray.train
    except ImportError as error:
        raise TrainingError(
            "starting processes on Ray needs ray",
            given=str(error),
            expected="the extra ray of tunesmith-enterprise, here and on the machines of the cluster",
            fix="pip install 'tunesmith-enterprise[ray]'",
        ) from error
    return ray


def _connect(ray: Any, cluster: Cluster) -> None:
    new = {"num_cpus": cluster.processes * cluster.cpus + 1, "include_dashboard": False}
    try:
        ray.init(address=cluster.address, **(new if cluster.address == "local" else {}))
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise TrainingError(
            "there is no Ray cluster to be reached",
            given=f"--ray {cluster.address}: {_line(error)}",
            expected="auto on a machine of the cluster, the HOST:PORT of its head, or local for this machine alone",
            fix="see `ray status`; a cluster begins with `ray start --head`",
        ) from error


def _wants_gpu(device: str, resources: Mapping[str, float], processes: int) -> bool:
    """Whether each process is to have a GPU.

    Raises:
        RecipeError: the cluster has some, or needs some, and too few.
    """
    there = int(resources.get("GPU", 0))
    if device == "cpu" or (device == "auto" and not there):
        return False
    if there < processes:
        raise RecipeError(
            "the Ray cluster has fewer GPUs than the job has processes",
            given=f"{processes} processes, {there} GPUs",
            expected="a GPU for each process",
            fix=[
                f"--nproc {there}" if there else "use a cluster with GPUs",
                "or compute on processors: --set train.device=cpu",
            ],
        )
    return True


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


def _ended(order: Order, cluster: Cluster) -> int:
    """The job's exit code.

    Raises:
        TrainingError: Ray says that all is well, and no process has said how the job ended.
    """
    if order.outcome.exists():
        return int(order.outcome.read_text())
    told = order.told()
    if told is not None:
        print(f"error: {told[1]}", file=sys.stderr, flush=True)
        return told[0]
    raise TrainingError(
        "the processes on Ray ended without a word",
        given=f"{cluster.processes} processes, nothing in {order.folder}",
        expected="a folder that all machines of the cluster see as this one does",
        fix="--logs FOLDER, and `output`, on a disk that all of them share",
    )


def _end(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _told(error: Exception) -> str:
    """Which process was lost first, where Ray says so."""
    failures = getattr(error, "worker_failures", {})
    lost = [str(one).strip().splitlines()[-1] for one in failures.values()]
    cause = next((one for one in lost if not one.endswith("exit code 1")), lost[0] if lost else _line(error))
    return cause.rpartition("LostError: ")[2][:300]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
