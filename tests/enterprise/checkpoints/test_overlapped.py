# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Checkpoints that are written while the next steps are taken hold what the job was, and are told of when whole."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from licensed import Machine, a_machine
from safetensors.torch import load_file
from torch import nn

import tunesmith
import tunesmith.registry
from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import DeniedError, OutputError, StoppedError
from tunesmith.plugin import CheckpointSaved, StepDone
from tunesmith.recipe.schema import TrainSection
from tunesmith.registry import Registry
from tunesmith.testing import tiny_bert
from tunesmith.training.checkpoint import Progress, save_checkpoint
from tunesmith.training.checkpoints import Checkpoints
from tunesmith.training.optimizer import make_optimizer
from tunesmith_enterprise import plugin as enterprise
from tunesmith_enterprise.checkpoints import overlapped
from tunesmith_enterprise.checkpoints.overlapped import OverlappedCheckpoints
from tunesmith_enterprise.distributed.strategy import DataParallel

FILES = ("weights.safetensors", "optimizer.safetensors", "random.safetensors", "state.json")


class Disk:
    """One that is slow, or full, when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ready = threading.Event()
        self.ready.set()
        self.full = False
        self.full_at = ""  # the checkpoint for which there is no room left
        self._write = overlapped.write_tensors
        monkeypatch.setattr(overlapped, "write_tensors", self)

    def __call__(self, path: Path, tensors: Any) -> None:
        assert self.ready.wait(timeout=30)
        if self.full or (self.full_at and self.full_at in str(path)):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        self._write(path, tensors)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


class Job:
    """A layer that learns."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(8, 8)
        self.optimizer = make_optimizer(self.model, TrainSection())
        self.progress = Progress()
        self.step()

    def step(self) -> None:
        self.optimizer.param_groups[0]["lr"] = 0.1
        self.model(torch.randn(4, 8)).square().mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.progress.step += 1

    def checkpoints(self, folder: Path) -> OverlappedCheckpoints:
        return OverlappedCheckpoints(folder, self.model, self.optimizer, keep=2)

    def saved(self, folder: Path) -> Path:
        """By the core, now."""
        return save_checkpoint(folder, model=self.model, optimizer=self.optimizer, progress=self.progress, keep=9)


def test_a_checkpoint_is_what_the_core_writes_whatever_happens_meanwhile(tmp_path: Path, disk: Disk) -> None:
    with torch.random.fork_rng():
        job = Job()
        checkpoints = job.checkpoints(tmp_path / "beside")
        for _ in range(3):  # the second and third use the memory of the first
            expected = job.saved(tmp_path / "core")
            disk.ready.clear()
            checkpoints.save(job.progress)
            job.step()
            torch.rand(3)
            disk.ready.set()
            (written,) = checkpoints.whole(wait=True)
            assert written.name == expected.name
            assert all((written / name).read_bytes() == (expected / name).read_bytes() for name in FILES)


def test_it_is_told_of_when_it_is_whole(tmp_path: Path, disk: Disk) -> None:
    job = Job()
    checkpoints = job.checkpoints(tmp_path)
    disk.ready.clear()
    checkpoints.save(job.progress)
    assert checkpoints.whole() == []
    assert not (tmp_path / "step-00000001").exists()
    disk.ready.set()
    assert checkpoints.whole(wait=True) == [tmp_path / "step-00000001"]
    assert checkpoints.whole() == []


def test_a_full_disk_is_told_at_the_next_edge_and_costs_no_earlier_checkpoint(tmp_path: Path, disk: Disk) -> None:
    job = Job()
    checkpoints = job.checkpoints(tmp_path)
    checkpoints.save(job.progress)
    checkpoints.whole(wait=True)
    job.step()
    disk.full = True
    checkpoints.save(job.progress)
    with pytest.raises(OutputError, match="step-00000002"):
        checkpoints.whole(wait=True)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    disk.full = False
    checkpoints.save(job.progress)
    assert checkpoints.whole(wait=True) == [tmp_path / "step-00000002"]


# ---- whole jobs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Host(
        [
            Candidate(
                name="enterprise", distribution="tunesmith-enterprise", version="0.1.0", target=__name__,
                load=lambda: enterprise,
            )
        ],
        environ={},
    )  # fmt: skip
    monkeypatch.setattr(host, "_host", made)
    monkeypatch.setattr(tunesmith.registry, "_registry", Registry(made))
    machine = a_machine(tmp_path, monkeypatch)
    machine.settings("")
    return machine


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    rows = [f"{word} {n},{label}" for n in range(12) for label, word in (("fruit", "pear"), ("metal", "zinc"))]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    tiny_bert(folder / "bert")
    return folder


def recipe(place: Path, out: Path, strategy: str = "overlapped") -> tunesmith.Recipe:
    return tunesmith.parse_recipe(
        {
            "task": "text-classification",
            "model": str(place / "bert"),
            "data": {"train": str(place / "rows.csv"), "split": {"validation": 0.25}},
            "train": {
                "max_steps": 5, "rows_per_batch": 4, "precision": "fp32", "device": "cpu", "save_every": 2,
                "strategy": strategy,
            },
            "output": str(out),
        }
    )  # fmt: skip


def test_a_job_ends_with_the_bits_of_one_whose_steps_wait(machine: Machine, place: Path) -> None:
    told: list[int] = []
    run = tunesmith.train(
        recipe(place, machine.folder / "beside"),
        observers=[lambda event: told.append(event.step) if isinstance(event, CheckpointSaved) else None],
    )
    single = tunesmith.train(recipe(place, machine.folder / "single", "single"))
    assert sorted(set(told)) == told
    assert told[-1] == 5
    for name in ("model/model.safetensors", *(f"checkpoints/step-00000005/{file}" for file in FILES[:2])):
        assert (run.path / name).read_bytes() == (single.path / name).read_bytes()
    assert machine.asked == ["optimizations"]
    ((grant,),) = [allowed["grants"] for allowed in run.manifest["allowed"].values()]
    assert grant["feature"] == "optimizations"


def test_a_job_whose_disk_is_full_ends_with_the_error_and_its_last_checkpoint(
    machine: Machine, place: Path, disk: Disk
) -> None:
    disk.full_at = "step-00000004"
    with pytest.raises(OutputError, match="step-00000004"):
        tunesmith.train(recipe(place, machine.folder / "run"))
    assert [path.name for path in (machine.folder / "run" / "checkpoints").iterdir()] == ["step-00000002"]


def test_a_job_that_is_stopped_goes_on_without_a_license(machine: Machine, place: Path) -> None:
    stop = threading.Event()

    def ask(event: Any) -> None:
        if isinstance(event, StepDone) and event.step == 3:
            stop.set()

    with pytest.raises(StoppedError, match="stopped at step 3"):
        tunesmith.train(recipe(place, machine.folder / "run"), observers=[ask], stop=stop)
    assert (machine.folder / "run" / "checkpoints" / "step-00000003" / "state.json").is_file()
    machine.delete()
    run = tunesmith.train(resume=machine.folder / "run")
    assert run.manifest["status"] == "finished"
    single = load_file(tunesmith.train(recipe(place, machine.folder / "s", "single")).path / "model/model.safetensors")
    assert all(one.equal(single[name]) for name, one in load_file(run.path / "model/model.safetensors").items())


def test_a_job_that_begins_without_a_license_is_refused(machine: Machine, place: Path) -> None:
    machine.install(features={"governance": {}})
    with pytest.raises(DeniedError, match="the feature optimizations"):
        tunesmith.train(recipe(place, machine.folder / "run"))
    assert not (machine.folder / "run").exists()


def test_the_main_one_of_several_processes_writes_beside_its_steps(tmp_path: Path, disk: Disk) -> None:
    kinds = []
    for is_main in (True, False):
        place: Any = object.__new__(DataParallel)
        place.is_main = is_main
        job = Job()
        made = place.checkpoints(tmp_path, job.model, job.optimizer, keep=2)
        kinds.append(type(made))
        if is_main:
            disk.ready.clear()
            made.save(Progress(step=1))
            assert made.whole() == []
            disk.ready.set()
            assert [path.name for path in made.whole(wait=True)] == ["step-00000001"]
    assert kinds == [OverlappedCheckpoints, Checkpoints]
