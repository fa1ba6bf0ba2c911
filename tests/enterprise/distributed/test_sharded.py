# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Several processes that share one copy of the model make what one process makes, and the MIT core uses it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import tunesmith
from tunesmith._plugins import Host, host
from tunesmith.runs import Run
from tunesmith.testing import tiny_llama

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the processes of these tests are forks")


def curve(run: Run, key: str = "loss") -> list[float]:
    return [record[key] for record in run.metrics() if record["kind"] == "step"]


def metrics(run: Run) -> dict[str, float]:
    found = run.manifest["metrics"]
    return {f"{split} {name}": value for split in found for name, value in found[split].items()}


def evaluations(run: Run) -> list[float]:
    found = [record["metrics"] for record in run.metrics() if record["kind"] == "evaluation"]
    return [value for values in found for value in values.values()]


def refuse_difference(several: Run, one: Run) -> None:
    assert len(curve(several)) == len(curve(one)) == 6
    assert curve(several) == pytest.approx(curve(one), abs=1e-4)
    assert curve(several, "grad_norm") == pytest.approx(curve(one, "grad_norm"), abs=1e-4)
    assert metrics(several) == pytest.approx(metrics(one), abs=1e-4)
    assert evaluations(several) == pytest.approx(evaluations(one), abs=1e-4)


def went_on(log: str) -> bool:
    """From a checkpoint: the one of step 4 may or may not have been whole."""
    return any(f"{step} of 6 steps are done" in log for step in (2, 4))


@pytest.fixture(scope="module")
def alone(site: Any) -> Callable[..., Run]:
    """What one process makes of a recipe."""

    def train(name: str, *sets: str) -> Run:
        before = os.getcwd()
        os.chdir(site.folder)
        try:
            return tunesmith.train(tunesmith.read_recipe(name, [f"output={site.folder / name}-alone", *sets]))
        finally:
            os.chdir(before)

    return train


@pytest.fixture(scope="module")
def language(site: Any) -> dict[str, Any]:
    """A recipe of a decoder, whose output layer is its embedding."""
    tiny_llama(site.folder / "llama", size=120_000)
    rows = [f"the {word} is {'very ' * (n % 9)}{n}" for n in range(24) for word in ("pear", "zinc")]
    (site.folder / "rows.txt").write_text("\n".join(rows) + "\n")
    return {
        "task": "causal-lm",
        "model": str(site.folder / "llama"),
        "data": {"train": "rows.txt", "split": {"test": 0.25, "validation": 0.25}, "text_unit": "line"},
        "train": {"tokens_per_batch": 160, "accumulate": 2, "activation_checkpointing": True},
    }


def test_four_processes_have_the_loss_curve_of_one(site: Any, launched: Any, language: Any, alone: Any) -> None:
    job = launched(site.recipe("a.yaml", output="a", **language), name="a-job", sets=("train.strategy=fsdp",))
    assert job.run(4) == [0] * 4, job.said
    assert job.code == 0, job.said
    refuse_difference(Run.open(site.folder / "a"), alone("a.yaml"))
    assert all("20 weights were put in place a layer at a time" in job.log(rank) for rank in (1, 2, 3))


def test_parts_of_every_layer(site: Any, launched: Any, language: Any, alone: Any) -> None:
    job = launched(site.recipe("t.yaml", output="t", **language), name="t-job", sets=("train.strategy=tp",))
    assert job.run(2) == [0, 0], job.said + job.log(1)
    assert job.code == 0, job.said
    refuse_difference(Run.open(site.folder / "t"), alone("t.yaml"))
    assert "20 weights were put in place a layer at a time" in job.log(1)


def test_copies_of_the_model_and_adapters(site: Any, launched: Any, language: Any, alone: Any) -> None:
    name = site.recipe("b.yaml", output="b", **language | {"method": "lora"})
    sets = ("train.strategy=hsdp", "plugins.enterprise.hsdp.share=2")
    job = launched(name, name="b-job", sets=sets)
    assert job.run(4) == [0] * 4, job.said + job.log(1)
    assert job.code == 0, job.said
    refuse_difference(Run.open(site.folder / "b"), alone("b.yaml"))


def test_a_job_goes_on_with_fewer_processes_another_strategy_and_in_the_core_alone(
    site: Any, launched: Any, alone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = launched(site.recipe("c.yaml", output="c"), name="c-job", sets=("train.strategy=fsdp",))
    assert job.run(4, each={1: {"killed_at": 4}})[1] == -9
    run = Run.open(site.folder / "c")
    assert (run.checkpoint_folder / "step-00000002").is_dir()
    monkeypatch.chdir(site.folder)
    from tunesmith.registry import get_registry
    from tunesmith.training.moving import move_run

    move_run(run, "enterprise/ddp", get_registry())
    job = launched("c.yaml", name="c-ddp", resume="c")
    assert job.run(2, each={1: {"killed_at": 5}})[1] == -9
    assert went_on(job.log(1))
    monkeypatch.setattr(host, "_host", Host([], environ={}))
    monkeypatch.setattr("tunesmith.registry._registry", None)
    finished = tunesmith.train(resume="c", strategy="single")
    refuse_difference(finished, alone("c.yaml"))


def test_a_job_whose_main_process_is_killed_ends_with_the_same_bits(site: Any, launched: Any) -> None:
    whole = launched(site.recipe("d.yaml", output="d"), name="d-job", sets=("train.strategy=fsdp",))
    assert whole.run(2) == [0, 0], whole.said
    job = launched(site.recipe("e.yaml", output="e"), name="e-job", sets=("train.strategy=fsdp",))
    assert job.run(2, each={0: {"killed_at": 4}}) == [-9, 1]
    assert "another process of the job does not answer any more" in job.log(1)
    assert job.run(2) == [0, 0], job.said
    assert went_on(job.log(1))
    first, second = (Run.open(site.folder / name) for name in "de")
    assert (first.path / "model" / "model.safetensors").read_bytes() == (
        second.path / "model" / "model.safetensors"
    ).read_bytes()
    last = [run.checkpoint_folder / "step-00000006" for run in (first, second)]
    for name in ("weights.safetensors", "optimizer.safetensors", "random.safetensors"):
        one, other = (load_file(Path(path) / name) for path in last)
        assert one.keys() == other.keys()
        assert all(one[key].equal(other[key]) for key in one)
