# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A job on Ray: what is sent there, what each of its workers does, and what comes back.

Ray is a double here, of the few functions that are used: it calls the workers one after another, in this process. The
last test is the real one, on a cluster of this machine alone, where ray is installed.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tunesmith.errors import OutputError, RecipeError, TrainingError
from tunesmith.runs import Run
from tunesmith.runs.folder import LOCK
from tunesmith_cli.main import main
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.ray_launching import Cluster, LostError, launch_on_ray, take_part

RECIPE = {"task": "text-classification", "model": "bert", "data": {"train": "rows.csv"}, "output": "run"}


class FailedError(Exception):
    def __init__(self, failures: dict[int, Exception]) -> None:
        super().__init__("Training failed due to worker errors")
        self.worker_failures = failures


@dataclass
class Double:
    """Ray's functions.

    Attributes:
        resources: of the cluster.
        ends: what the process of each worker ends with, start by start.
        does: what else happens when a process of a rank is started.
    """

    resources: dict[str, float] = field(default_factory=lambda: {"CPU": 8.0})
    ends: list[list[int]] = field(default_factory=lambda: [[0, 0]])
    does: Callable[[int, Path], None] = lambda rank, order: None
    connected: list[dict[str, Any]] = field(default_factory=list)
    trainers: list[dict[str, Any]] = field(default_factory=list)
    processes: list[SimpleNamespace] = field(default_factory=list)
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
        raise FailedError(failed)

    def run(self, command: list[str], *, env: dict[str, str], check: bool) -> Any:
        """A process of the job."""
        self.processes.append(SimpleNamespace(command=command, environ=env))
        self.does(self.rank, Path(command[-1]))
        return SimpleNamespace(returncode=self.ends[self.start][self.rank])


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Double:
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
    monkeypatch.setattr(subprocess, "run", double.run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(json.dumps(RECIPE))
    return double


def job(**changes: Any) -> Order:
    given: dict[str, Any] = {"recipe": "recipe.yaml", "sets": (), "resume": "", "options": (), "folder": ""}
    return Order(**(given | changes), join_timeout=20)


def ends_with(code: int) -> Callable[[int, Path], None]:
    """As the main process says how the job ended."""

    def end(rank: int, order: Path) -> None:
        if rank == 0:
            (order.parent / "outcome").write_text(str(code))

    return end


CLUSTER = Cluster(address="auto", processes=2, cpus=3, max_restarts=1)


def test_ray_is_asked_for_a_place_for_each_process_and_starts_our_worker_there(ray: Double, tmp_path: Path) -> None:
    ray.does = ends_with(0)
    assert launch_on_ray(job(options=("--quiet",)), CLUSTER) == 0
    (asked,) = ray.trainers
    assert (asked["num_workers"], asked["use_gpu"], asked["resources_per_worker"]) == (2, False, {"CPU": 3})
    assert (asked["storage_path"], asked["failure_config"].max_failures) == (str(tmp_path / "run-ray"), 1)
    assert ray.connected == [{"address": "auto"}]
    assert not ray.open
    first, second = ray.processes
    assert first.command == [
        sys.executable, "-m", "tunesmith_enterprise.distributed.worker", str(tmp_path / "run-ray" / "order.json")
    ]  # fmt: skip
    order = Order.read(Path(first.command[-1]))
    assert (order.options, order.sets) == (("--quiet",), ("train.strategy=enterprise/ddp",))
    for rank, one in enumerate((first, second)):
        environ = one.environ
        assert (environ["RANK"], environ["LOCAL_RANK"], environ["WORLD_SIZE"]) == (str(rank), str(rank), "2")
        assert (environ["MASTER_ADDR"], environ["MASTER_PORT"]) == ("127.0.0.1", first.environ["MASTER_PORT"])
        assert environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_each_process_gets_a_gpu_where_there_are_enough(ray: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    ray.resources, ray.does = {"GPU": 2.0}, ends_with(0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")  # as Ray sets it in a worker
    assert launch_on_ray(job(), CLUSTER) == 0
    assert ray.trainers[0]["resources_per_worker"] == {"CPU": 3, "GPU": 1}
    assert [one.environ["LOCAL_RANK"] for one in ray.processes] == ["0", "0"]


@pytest.mark.parametrize(
    ("device", "gpus", "fix"), [("auto", 1.0, "--nproc 1"), ("cuda", 0.0, "use a cluster with GPUs")]
)
def test_too_few_gpus_are_told_before_anything_starts(ray: Double, device: str, gpus: float, fix: str) -> None:
    ray.resources = {"GPU": gpus}
    with pytest.raises(RecipeError) as caught:
        launch_on_ray(job(sets=(f"train.device={device}",)), CLUSTER)
    text = str(caught.value)
    assert f"2 processes, {gpus:.0f} GPUs" in text
    assert fix in text
    assert not ray.open
    assert ray.trainers == []


def test_the_exit_code_of_the_job_comes_back_and_what_it_told_is_not_tried_again(ray: Double) -> None:
    ray.does, ray.ends = ends_with(22), [[0, 1]]
    assert launch_on_ray(job(), CLUSTER) == 22
    assert len(ray.processes) == 2


def test_what_another_process_told_ends_the_job(ray: Double, capsys: pytest.CaptureFixture[str]) -> None:
    def tell(rank: int, order: Path) -> None:
        Order.read(order).tell(4, "process 1 of 2 on here: the memory is used up")

    ray.does, ray.ends = tell, [[1, 4]]
    assert launch_on_ray(job(), CLUSTER) == 4
    assert "error: process 1 of 2 on here: the memory is used up" in capsys.readouterr().err


def test_a_lost_process_starts_all_again_from_the_run_that_was_begun(ray: Double, tmp_path: Path) -> None:
    def begin(rank: int, order: Path) -> None:
        if ray.start == 0 and rank == 0:
            Run.create(tmp_path / "run", Order.read(order).job())
        if ray.start == 1:
            ends_with(0)(rank, order)

    ray.does, ray.ends = begin, [[1, -9], [0, 0]]
    assert launch_on_ray(job(), CLUSTER) == 0
    assert len(ray.processes) == 4
    assert Order.read(Path(ray.processes[-1].command[-1])).arguments() == ["train", "--resume", "run"]


def test_a_process_that_is_lost_when_all_is_done_costs_nothing(ray: Double, tmp_path: Path) -> None:
    def end(rank: int, order: Path) -> None:
        if rank == 0:
            Run.create(tmp_path / "run", Order.read(order).job()).update(status="finished")
            Order.read(order).started.write_text("run")

    ray.does, ray.ends = end, [[1, -9], [1, 1]]
    assert launch_on_ray(job(), CLUSTER) == 0
    assert len(ray.processes) == 2


def test_a_folder_for_logs_may_be_that_of_an_earlier_job(ray: Double, tmp_path: Path) -> None:
    Run.create(tmp_path / "old", job(sets=("output=old",)).asked())
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "started").write_text("old")
    ray.does = ends_with(0)
    assert launch_on_ray(job(folder="logs"), CLUSTER) == 0
    assert Order.read(Path(ray.processes[0].command[-1])).arguments()[1] == "recipe.yaml"


def test_what_another_job_makes_while_ray_finds_places_is_left_to_it(ray: Double, tmp_path: Path) -> None:
    plain = ray.fit

    def fit(trainer: Any) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / LOCK).touch()
        plain(trainer)

    ray.does = ends_with(22)  # as the main process ends, which finds the folder taken
    ray.fit = fit  # type: ignore[method-assign]
    assert launch_on_ray(job(), CLUSTER) == 22
    assert (tmp_path / "run" / LOCK).exists()


def test_it_is_started_again_as_often_as_it_may_be_and_the_cause_is_named(ray: Double, tmp_path: Path) -> None:
    ray.ends = [[1, -9], [1, -9]]
    with pytest.raises(TrainingError) as caught:
        launch_on_ray(job(), CLUSTER)
    text = " ".join(str(caught.value).split())
    assert "the job lost a process, and was started again as often as it may be" in text
    assert f"process 1 on {socket.gethostname()} ended with signal 9" in text
    assert str(tmp_path / "run-ray") in text
    assert not ray.open


def test_a_machine_without_the_shared_disk_is_named(ray: Double, tmp_path: Path) -> None:
    with pytest.raises(LostError, match=f"{socket.gethostname()} does not see .* /nowhere: every machine"):
        take_part({"folder": str(tmp_path), "cwd": "/nowhere", "worker": []})


def test_a_job_that_ends_without_a_word_is_no_success(ray: Double) -> None:
    with pytest.raises(TrainingError, match="ended without a word"):
        launch_on_ray(job(), CLUSTER)


def test_a_folder_that_is_not_free_is_told_before_ray_is_asked(ray: Double, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a letter").touch()
    with pytest.raises(OutputError, match="a letter"):
        launch_on_ray(job(), CLUSTER)
    assert ray.connected == []


def test_a_cluster_that_is_not_there_is_told(ray: Double, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "recipe.yaml", "--ray", "nowhere:1"]) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert "there is no Ray cluster to be reached" in said
    assert "--ray nowhere:1: Could not find any running Ray instance." in said


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_TRAIN_V2_ENABLED", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(json.dumps(RECIPE))
    with pytest.raises(TrainingError) as caught:
        launch_on_ray(job(), CLUSTER)
    assert "pip install 'tunesmith-enterprise[ray]'" in str(caught.value)


def test_ray_chooses_the_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["launch", "r.yaml", "--ray", "auto", "--nodes", "2"]) == 2
    assert "with --ray, Ray chooses the machines" in " ".join(capsys.readouterr().err.split())
    assert main(["launch", "r.yaml", "--ray", "auto", "--to", "slurm"]) == 2
    assert "--ray starts the processes: leave one of them out" in " ".join(capsys.readouterr().err.split())


def test_the_command_of_the_page_goes_to_ray(ray: Double, root: Path, tmp_path: Path) -> None:
    page = (root / "docs" / "how-to" / "two-hosts.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^tunesmith (launch --ray .+)$", page, re.MULTILINE)
    ray.does, ray.ends = ends_with(0), [[0] * 8]
    assert main(shlex.split(line.replace("/shared", str(tmp_path)))) == 0
    assert (ray.connected, ray.trainers[0]["num_workers"]) == ([{"address": "auto"}], 8)
    assert (tmp_path / "logs" / "order.json").is_file()


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra ray")
def test_two_processes_train_on_ray_itself(site: Any) -> None:
    recipe = site.recipe("on-ray.yaml", output="on-ray", train={"max_steps": 2, "save_every": 2})
    code, out, err = site.run("launch", "--ray", "local", "--nproc", "2", recipe)
    assert code == 0, out + err
    run = json.loads((site.folder / "on-ray" / "run.json").read_text())
    (grant,) = run["allowed"]["enterprise"]["grants"]
    assert (grant["feature"], grant["quantities"]) == ("distributed", {"processes": 2, "nodes": 1})
