# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Ray as a double, of the few functions that are used: it calls the workers one after another, in this process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tunesmith_enterprise.distributed import ray_worker
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.ray_launching import Cluster
from tunesmith_enterprise.distributed.ray_worker import LostError

RECIPE = {"task": "text-classification", "model": "bert", "data": {"train": "rows.csv"}, "output": "run"}
CLUSTER = Cluster(address="auto", processes=2, cpus=3, max_restarts=1)


class FailedError(Exception):
    def __init__(self, failures: dict[int, Exception]) -> None:
        super().__init__("Training failed due to worker errors")
        self.worker_failures = failures


@dataclass
class Process:
    """Of a job; it does nothing, and ends when it is told so."""

    command: list[str]
    environ: dict[str, str]
    returncode: int | None
    signals: list[int] = field(default_factory=list)

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        self.signals.append(number)
        if number == signal.SIGINT:
            (Path(self.command[-1]).parent / "outcome").write_text("130")
            self.returncode = 0

    def kill(self) -> None:
        self.returncode = -9

    def wait(self) -> None:
        assert self.returncode is not None


@dataclass
class Double:
    """Ray's functions.

    Attributes:
        resources: of the cluster.
        ends: what the process of each worker ends with, start by start; None: it lives until it gets a signal.
        does: what else happens when a process of a rank is started.
    """

    resources: dict[str, float] = field(default_factory=lambda: {"CPU": 8.0})
    ends: list[list[int | None]] = field(default_factory=lambda: [[0, 0]])
    does: Callable[[int, Path], None] = lambda rank, order: None
    connected: list[dict[str, Any]] = field(default_factory=list)
    trainers: list[dict[str, Any]] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    lost: list[list[str]] = field(default_factory=list)
    open: bool = False
    start: int = 0
    rank: int = 0

    def init(self, **options: Any) -> None:
        if options["address"] == "nowhere:1":
            raise ConnectionError("Could not find any running Ray instance.")
        self.connected.append(options)
        self.open = True

    def shutdown(self) -> None:
        self.open = False

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def fit(self, trainer: Any) -> None:
        for self.start in range(trainer.run_config.failure_config.max_failures + 1):
            failed: dict[int, Exception] = {}
            for self.rank in range(trainer.scaling_config.num_workers):
                try:
                    trainer.take_part(trainer.config)
                except LostError as error:
                    failed[self.rank] = error
            if not failed:
                return
            self.lost.append([str(one) for one in failed.values()])
        raise FailedError(failed)

    def popen(self, command: list[str], *, env: dict[str, str]) -> Any:
        """A process of the job."""
        process = Process(command, env, self.ends[self.start][self.rank])
        self.processes.append(process)
        self.does(self.rank, Path(command[-1]))
        return process


def in_the_place_of_ray(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Double:
    """A double, and a recipe in a folder, which becomes the current one."""
    double = Double()
    modules = {
        name: ModuleType(name)
        for name in (
            "ray", "ray.train", "ray.train.collective", "ray.train.v2", "ray.train.v2.api",
            "ray.train.v2.api.data_parallel_trainer",
        )
    }  # fmt: skip
    top, train = modules["ray"], modules["ray.train"]
    vars(top).update(
        init=double.init, shutdown=double.shutdown, cluster_resources=double.cluster_resources, train=train,
        util=SimpleNamespace(get_node_ip_address=lambda: "127.0.0.1"),
    )  # fmt: skip

    class Trainer:
        def __init__(self, take_part: Any, *, train_loop_config: Any, scaling_config: Any, run_config: Any) -> None:
            self.take_part, self.config = take_part, json.loads(json.dumps(train_loop_config))
            self.scaling_config, self.run_config = scaling_config, run_config
            double.trainers.append({**vars(scaling_config), **vars(run_config)})

        def fit(self) -> None:
            double.fit(self)

    vars(train).update(
        FailureConfig=SimpleNamespace, RunConfig=SimpleNamespace, ScalingConfig=SimpleNamespace,
        TrainingFailedError=FailedError,
        get_context=lambda: SimpleNamespace(
            get_world_rank=lambda: double.rank, get_world_size=lambda: 2, get_local_rank=lambda: double.rank,
            get_local_world_size=lambda: 2, get_node_rank=lambda: 0,
        ),
    )  # fmt: skip
    said: list[Any] = []

    def broadcast(value: Any) -> Any:
        if double.rank == 0:
            said.append(value)
        return said[-1]

    vars(modules["ray.train.collective"]).update(broadcast_from_rank_zero=broadcast)
    vars(modules["ray.train.v2.api.data_parallel_trainer"]).update(DataParallelTrainer=Trainer)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_TRAIN_V2_ENABLED", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(subprocess, "Popen", double.popen)
    monkeypatch.setattr(ray_worker, "_LOOK", 0.01)
    monkeypatch.setattr(ray_worker, "_EVERY", 0.05)
    monkeypatch.chdir(folder)
    (folder / "recipe.yaml").write_text(json.dumps(RECIPE))
    return double


def job(**changes: Any) -> Order:
    given: dict[str, Any] = {"recipe": "recipe.yaml", "sets": (), "resume": "", "options": (), "folder": ""}
    return Order(**(given | changes), join_timeout=20)


def made_by(order: Order) -> dict[str, Any]:
    """What the manifest of a run says of the job that made it."""
    return {"allowed": {"enterprise": {"grants": [], "job": order.token}}}


def ends_with(code: int) -> Callable[[int, Path], None]:
    """As the main process says how the job ended."""

    def end(rank: int, order: Path) -> None:
        if rank == 0:
            (order.parent / "outcome").write_text(str(code))

    return end
