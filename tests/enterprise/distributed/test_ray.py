# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A job on Ray: what is sent there, what each of its workers does, and what comes back.

Ray is a double here (``ray_double.py``); on Ray itself is test_ray_itself.py.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from ray_double import CLUSTER, RECIPE, Double, ends_with, job, made_by

from tunesmith.errors import OutputError, RecipeError, TrainingError
from tunesmith.runs import Run
from tunesmith.runs.folder import LOCK
from tunesmith_cli.main import main
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.ray_launching import launch_on_ray
from tunesmith_enterprise.distributed.ray_worker import LostError, take_part


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
            Run.create(tmp_path / "run", Order.read(order).job(), made_by(Order.read(order)))
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
