# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What several processes are refused for, in one message of the main process."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tunesmith_enterprise.errors import LicenseError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the processes of these tests are forks")


def test_more_processes_than_the_license_has(site: Any, launched: Any) -> None:
    site.license(features={"distributed": {"processes": 2}})
    try:
        job = launched(site.recipe("many.yaml", output="many"), name="many-job")
        assert job.run(3) == [0, 0, 0]
    finally:
        site.license()
    assert job.code == LicenseError.exit_codes["limit"]
    assert "the feature distributed: 3 processes; expected at most 2 processes: lic-1 (serial 1)" in job.said
    assert job.said.count("error:") == 1
    assert "Traceback" not in job.said + job.log(1) + job.log(2)
    assert not (site.folder / "many").exists()


def test_more_machines_than_the_license_has(site: Any, launched: Any) -> None:
    site.license(features={"distributed": {"processes": 8, "nodes": 1}})
    try:
        job = launched(site.recipe("nodes.yaml", output="nodes"), name="nodes-job")
        assert job.run(2, each={rank: {"more": {"GROUP_RANK": rank}} for rank in (0, 1)}) == [0, 0]
    finally:
        site.license()
    assert job.code == LicenseError.exit_codes["limit"]
    assert "the feature distributed: 2 nodes; expected at most 1 node" in job.said
    assert not (site.folder / "nodes").exists()


def test_no_license(site: Any, launched: Any) -> None:
    site.license(features={"governance": {}})
    try:
        job = launched(site.recipe("none.yaml", output="none"), name="none-job")
        assert job.run(2) == [0, 0]
    finally:
        site.license()
    assert job.code == LicenseError.exit_codes["not-included"]
    assert "the feature distributed" in job.said
    assert not (site.folder / "none").exists()


def test_a_process_with_another_recipe(site: Any, launched: Any) -> None:
    other = launched(site.recipe("seed-b.yaml", output="mixed", train={"seed": 7}), name="seed-b-job")
    job = launched(site.recipe("seed-a.yaml", output="mixed"), name="seed-a-job")
    other.order.write()
    assert job.run(2, each={1: {"order": str(other.order.log(0).with_name("order.json"))}}) == [0, 0]
    assert job.code == 2
    assert "recipe train.seed: 0 in process 0, 7 in process 1" in job.said
    assert not (site.folder / "mixed").exists()


def test_a_process_with_other_rows(site: Any, launched: Any) -> None:
    there = site.folder / "there"
    there.mkdir()
    (there / "rows.csv").write_text((site.folder / "rows.csv").read_text().replace("pear 0", "plum 0"))
    job = launched(str(site.folder / site.recipe("rows.yaml", output="rows")), name="rows-job")
    assert job.run(2, each={1: {"cwd": str(there)}}) == [0, 0]
    assert job.code == 2
    assert "the file rows.csv: sha256" in job.said


def test_a_process_that_cannot_read_its_rows(site: Any, launched: Any) -> None:
    job = launched(site.recipe("bad.yaml", output="bad", data={"train": "dataset:nowhere/none#train"}), name="bad-job")
    assert job.run(2) == [0, 0]
    assert job.code == 2
    assert "nowhere/none" in job.said
    assert "Traceback" not in job.said + job.log(1)


def test_processes_that_never_come_together(site: Any, launched: Any) -> None:
    job = launched(site.recipe("alone.yaml", output="alone"), name="alone-job", join_timeout=1)
    assert job.run(1, world=2) == [0]
    assert job.code == 3
    assert "the processes of the job did not come together within 1 seconds" in job.said
    assert "process 0 of 2 waited at 127.0.0.1:" in job.said


def test_what_the_environment_says_is_no_way_around_the_question(site: Any) -> None:
    name = site.recipe("around.yaml", output="around")
    args = ("train", name, "--set", "train.strategy=ddp")
    code, _, err = site.run(*args, RANK="1", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
    assert code == 2
    assert "the processes of this job were not started" in err
    assert "tunesmith launch --nproc 2 RECIPE" in err


@pytest.mark.parametrize(
    ("strategy", "changes", "told"),
    [
        ("fsdp", {"train.precision": "bf16-weights"}, "train.precision: bf16: every process keeps its part in fp32"),
        (
            "fsdp",
            {"plugins.enterprise.fsdp.offload": "true"},
            "plugins.enterprise.fsdp.offload: true, and train.device",
        ),
        ("hsdp", {"plugins.enterprise.hsdp.share": "3"}, "2 processes, 3 of them for a copy"),
        ("tp", {}, "BertForSequenceClassification, without a plan"),
        ("tp", {"method": "lora"}, "train.strategy: tp, method: lora"),
    ],
)
def test_a_model_that_cannot_be_held_in_parts_that_way(
    site: Any, launched: Any, strategy: str, changes: dict[str, str], told: str
) -> None:
    name = f"{strategy}-{len(told)}"
    sets = (f"train.strategy={strategy}", *(f"{key}={value}" for key, value in changes.items()))
    job = launched(site.recipe(f"{name}.yaml", output=name), name=f"{name}-job", sets=sets)
    assert job.run(2) == [0, 0]
    assert job.code == 2
    assert told in job.said
    assert "Traceback" not in job.said + job.log(1)
    assert not (site.folder / name).exists()
