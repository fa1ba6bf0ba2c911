# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A job of several processes on a Ray cluster: Ray finds the places, and starts all again when one is lost.

Each of Ray's workers starts one process of the job (``ray_worker.py``), the same that ``launch`` starts. Ray's trainer
is used without its process group, which would hold a context on each GPU beside the job's.

Everything that the processes leave each other, and that somebody asked to stop, is in one folder, which all machines
and this one see, as the run is.
"""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import RecipeError, TrainingError
from tunesmith.runs import Run
from tunesmith_enterprise.distributed.folder_store import STOP, FolderStore
from tunesmith_enterprise.distributed.launching import WORKER, for_several
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.ray_worker import take_part
from tunesmith_enterprise.distributed.stops import Stops

__all__ = ["Cluster", "launch_on_ray"]

_FOLDER: Final = "-ray"
"""After the name of the run's folder: what Ray and the processes leave, where ``--logs`` says nothing."""
_STOPPED: Final = 130
_LOOK: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What is asked of Ray.

    Attributes:
        address: of the cluster, ``auto`` for the one that this machine is part of, ``local`` for a new one here.
        processes: on all machines together.
        cpus: processors for each process.
        max_restarts: how often all processes are started again.
        hang_timeout: seconds without a move of a process that others wait for.
    """

    address: str
    processes: int
    cpus: int = 1
    max_restarts: int = 3
    hang_timeout: float = 600.0


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
    order = replace(order, folder=str(folder), start=_start(order, cluster))
    if not order.resume:
        Run.check_free(job.output)
    with order.held():
        order = for_several(order)
        order.write()
        config = {
            "folder": str(folder), "cwd": os.getcwd(), "worker": list(worker), "hang_timeout": cluster.hang_timeout
        }  # fmt: skip
        _connect(ray, cluster)
        try:
            gpu = _wants_gpu(job.train.device, ray.cluster_resources(), cluster.processes)
            _fit(order, cluster, config, gpu=gpu)
        finally:
            ray.shutdown()
        return _ended(order, cluster)


def _start(order: Order, cluster: Cluster) -> str:
    """What people type to start such a job, or to go on with it."""
    words = ["tunesmith", "launch", "--ray", cluster.address, "--nproc", str(cluster.processes)]
    words += ["--ray-cpus", str(cluster.cpus)] if cluster.cpus > 1 else []
    words += ["--logs", order.folder] if order.folder else []
    return shlex.join(words)


def _fit(order: Order, cluster: Cluster, config: dict[str, Any], *, gpu: bool) -> None:
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
            storage_path=order.folder,
            failure_config=FailureConfig(max_failures=cluster.max_restarts),
        ),
    )
    try:
        _until_done(trainer.fit, order)
    except TrainingFailedError as error:
        if order.outcome.exists() or _was_stopped(order):
            return
        raise TrainingError(
            "the job lost a process, and was started again as often as it may be",
            given=_told(error),
            expected="every process goes on to the end",
            fix=[
                f"see what the processes said: {order.folder}",
                *([f"then go on: {order.start} --resume {order.run}"] if order.run else []),
                "let it try more often: --max-restarts N",
            ],
        ) from error


def _until_done(fit: Callable[[], Any], order: Order) -> None:
    """Wait for Ray, in a thread: in the main one it would take Ctrl-C for itself, and end the job without a checkpoint.

    The first Ctrl-C asks the job to save and stop; with the second, or where no process was started yet, it is left at
    once: whoever leaves Ray ends what it has there.
    """
    failed: list[BaseException] = []

    def work() -> None:
        try:
            fit()
        except BaseException as error:
            failed.append(error)

    thread, stops, told = threading.Thread(target=work, name="ray", daemon=True), Stops(), 0
    with stops.counted():
        thread.start()
        while thread.is_alive():
            thread.join(_LOOK)
            if stops.count > told:
                told = stops.count
                FolderStore(order.said).set(STOP, "1")
                if told > 1 or not order.begun.exists():
                    return
    if failed:
        raise failed[0]


def _was_stopped(order: Order) -> bool:
    return FolderStore(order.said).check([STOP])


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
    if _was_stopped(order):
        return _STOPPED
    raise TrainingError(
        "the processes on Ray ended without a word",
        given=f"{cluster.processes} processes, nothing in {order.folder}",
        expected="a folder that all machines of the cluster see as this one does",
        fix="--logs FOLDER, and `output`, on a disk that all of them share",
    )


def _told(error: Exception) -> str:
    """Which process was lost first, where Ray says so."""
    failures = getattr(error, "worker_failures", {})
    lost = [str(one).strip().splitlines()[-1] for one in failures.values()]
    cause = next((one for one in lost if not one.endswith("exit code 1")), lost[0] if lost else _line(error))
    return cause.rpartition("LostError: ")[2][:300]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
