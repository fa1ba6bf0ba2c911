# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Several processes make what one makes, and the MIT core alone uses it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import tunesmith
from tunesmith._plugins import Host, host
from tunesmith.runs import Run
from tunesmith_cli.main import main
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.recorded import job_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the processes of these tests are forks")


def curve(run: Run, key: str = "loss") -> list[float]:
    return [record[key] for record in run.metrics() if record["kind"] == "step"]


def metrics(run: Run) -> dict[str, float]:
    found = run.manifest["metrics"]
    return {f"{split} {name}": value for split in found for name, value in found[split].items()}


@pytest.fixture(scope="session")  # as the site is: its folder holds one such run
def one(site: Any, forks: Any) -> Run:
    """What one process makes of the recipe."""
    forks.run([])  # it has done it, when it takes orders
    return Run.open(site.folder / "one")


@pytest.fixture(scope="session")  # as the site is: its folder holds one such run
def two(site: Any, forks: Any, launched: Any) -> Run:
    """What two make of it."""
    job = launched(site.recipe("two.yaml", output="two"), name="two-job")
    assert job.run(2) == [0, 0], job.said
    assert job.code == 0, job.said
    return Run.open(site.folder / "two")


@pytest.fixture(scope="session")  # as the site is: its folder holds one such run
def uneven(site: Any, forks: Any, launched: Any) -> Run:
    """What four make of it, in two parts a step, with steps of fewer rows than that."""
    changes = {"accumulate": 2, "tokens_per_batch": 60}
    job = launched(site.recipe("four.yaml", output="four", train=changes), name="four-job")
    assert job.run(4) == [0] * 4, job.said
    return Run.open(site.folder / "four")


def test_two_processes_have_the_loss_curve_of_one(one: Run, two: Run) -> None:
    assert len(curve(one)) == 6
    assert curve(two) == pytest.approx(curve(one), abs=1e-4)
    assert curve(two, "grad_norm") == pytest.approx(curve(one, "grad_norm"), abs=1e-4)
    assert metrics(two) == pytest.approx(metrics(one), abs=1e-4)


def test_the_tokens_of_a_step_are_those_of_all_processes(one: Run, two: Run) -> None:
    assert curve(two, "tokens") == curve(one, "tokens")


def test_four_processes_have_the_loss_curve_of_one(site: Any, uneven: Run) -> None:
    recipe = tunesmith.read_recipe(site.folder / "four.yaml", ["output=" + str(site.folder / "four-in-one")])
    before = os.getcwd()
    os.chdir(site.folder)
    try:
        alone = tunesmith.train(recipe)
    finally:
        os.chdir(before)
    assert min(curve(alone, "tokens")) < 60
    assert curve(uneven) == pytest.approx(curve(alone), abs=1e-4)
    assert metrics(uneven) == pytest.approx(metrics(alone), abs=1e-4)


def test_the_run_says_how_many_made_it_and_by_which_license(two: Run) -> None:
    notes = [record["message"] for record in two.metrics() if record["kind"] == "note"]
    assert "trained by 2 processes on one machine" in notes
    ((grant,),) = [allowed["grants"] for allowed in two.manifest["allowed"].values()]
    assert (grant["feature"], grant["quantities"]) == ("distributed", {"processes": 2, "nodes": 1})


def test_the_license_is_asked_once_by_the_main_process(site: Any, launched: Any) -> None:
    journal = site.folder / "state" / "tunesmith" / "enterprise" / "journal.jsonl"
    before = journal.read_text().splitlines() if journal.exists() else []
    job = launched(site.recipe("once.yaml", output="once", model="nowhere"), name="once-job")
    assert job.run(3) == [0] * 3
    assert job.code == 2
    (asked,) = journal.read_text().splitlines()[len(before) :]
    assert '"event":"granted"' in asked
    assert '"processes":3' in asked


def test_the_core_alone_opens_the_model(
    two: Run, site: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_host", Host([], environ={}))
    (tmp_path / "new.csv").write_text("text\nzinc 3\n")
    assert main(["predict", str(two.path), str(tmp_path / "new.csv")]) == 0
    assert "enterprise" not in {record.name for record in host.get_host().records}
    out = capsys.readouterr().out
    assert "fruit" in out or "metal" in out


def test_a_job_whose_process_is_killed_goes_on_and_ends_the_same(site: Any, two: Run, launched: Any) -> None:
    job = launched(site.recipe("killed.yaml", output="killed"), name="killed-job")
    assert job.run(2, each={1: {"killed_at": 3}}) == [1, -9]
    assert "another process of the job does not answer any more" in job.said
    assert not job.order.outcome.exists()
    site.license(features={"distributed": {"processes": 1}})  # too little by now: what was granted holds
    try:
        assert job.run(2) == [0, 0], job.said
    finally:
        site.license()
    run = Run.open(site.folder / "killed")
    assert "2 of 6 steps are done" in job.log(1)
    assert (run.path / "model" / "model.safetensors").read_bytes() == (
        two.path / "model" / "model.safetensors"
    ).read_bytes()
    assert run.manifest["metrics"] == two.manifest["metrics"]
    assert job_of(run.manifest) == job.order.token


def test_an_order_is_read_as_it_was_written(tmp_path: Path) -> None:
    order = Order(recipe="r.yaml", sets=("a=1",), resume="", options=("-q",), folder=str(tmp_path), join_timeout=2.5)
    assert Order.read(order.write()) == order
