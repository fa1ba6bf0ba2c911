# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a plan says of a layout: memory, words, and the machines that it knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tunesmith_enterprise
from tunesmith.errors import RecipeError
from tunesmith.planning import JobShape, Layout, Row, StepTime
from tunesmith_enterprise.distributed.cost.describing import here, machine_of
from tunesmith_enterprise.distributed.cost.layouts import STRATEGIES
from tunesmith_enterprise.distributed.cost.machines import MACHINES
from tunesmith_enterprise.distributed.cost.projecting import cost_of, project

MakeJob = Callable[..., JobShape]
H100 = MACHINES["h100"]
FILE = """\
name = "island"
rates = {fp32 = 1e13, bf16 = 1e14}
reached = 0.5
memory = 40e9
memory_bandwidth = 1e12
per_node = 4
within = {bandwidth = 50e9, latency = 5e-6}
between = {bandwidth = 12.5e9, latency = 2e-5}
"""


@pytest.mark.parametrize("world", [2, 4, 8, 64])
def test_fsdp_holds_a_part_of_weights_gradients_and_optimizer(job: MakeJob, world: int) -> None:
    alone = cost_of("ddp", job(), H100, processes=1, nodes=1, grown=True).holding
    part = cost_of("fsdp", job(), H100, processes=min(8, world), nodes=-(-world // 8), grown=True).holding
    assert alone.state == pytest.approx(16 * job().parameters)
    assert part.state == pytest.approx(alone.state / world, rel=1e-6)
    assert part.gathered > 0 == alone.gathered
    assert part.activations < alone.activations  # the copies of all weights in bf16 are not among them


def test_lora_holds_gradients_of_the_adapters_only(job: MakeJob) -> None:
    holding = cost_of("ddp", job(moving=10_000_000), H100, processes=8, nodes=1, grown=True).holding
    assert (holding.gradients, holding.optimizer) == (40_000_000, 80_000_000)


def test_offload_leaves_the_gpu_what_computes(job: MakeJob) -> None:
    shape = job(recipe={"plugins": {"enterprise": {"fsdp": {"offload": True}}}})
    found = project(shape, Layout("fsdp", processes=8, machine="h100"))
    assert found.figures["cost"]["memory"]["optimizer"] == 0
    assert any("to and from the GPU is not in it" in one for one in found.warnings)


def test_what_does_not_fit_is_said_with_what_would(job: MakeJob) -> None:
    found = project(job(), Layout("ddp", processes=8, machine="h100"))
    assert found.fits is False
    (told,) = [one for one in found.warnings if "each process would need" in one]
    assert "and has 80 GB: more processes with fsdp" in told
    assert project(job(), Layout("enterprise/fsdp", processes=8, nodes=2, machine="H100")).fits is True


def test_a_projection_is_plain_data_from_1_to_1024_processes(job: MakeJob) -> None:
    found = project(job(), Layout("fsdp", processes=8, nodes=2, machine="a100"))
    figures = json.loads(json.dumps(found.figures))
    assert [one["world"] for one in figures["grown_steps"]] == [2**power for power in range(11)]
    assert figures["cost"]["world"] == 16
    assert all(len(row) == len(table.header) for table in found.tables for row in table.rows)
    assert list(found.facts)[:3] == ["on", "step", "speed"]
    assert found.facts["on"].startswith("2 machines of 8, a100: 8 × A100")
    rates = [one["tokens_per_second"] for one in figures["grown_steps"]]
    assert rates == sorted(rates)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_planning_asks_for_no_license(job: MakeJob, strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a license was asked for")

    monkeypatch.setattr(tunesmith_enterprise, "require", never)
    assert project(job(), Layout(strategy, processes=8, machine="b200")).strategy == f"enterprise/{strategy}"


def test_too_few_rows_for_so_many_processes_is_told(job: MakeJob) -> None:
    found = project(job(batches=((Row(50, 50),) * 4,)), Layout("fsdp", processes=8, nodes=4, machine="h100"))
    assert any("some steps have 4 rows, for 32 processes: most have nothing to do" in one for one in found.warnings)


def test_more_processes_than_a_machine_has_gpus_is_told(job: MakeJob) -> None:
    found = project(job(), Layout("fsdp", processes=16, machine="h100"))
    assert any("h100 has 8 on a machine, and 16 are asked for" in one for one in found.warnings)


def test_this_machine_is_as_fast_as_its_steps_were_and_shared(job: MakeJob) -> None:
    shape = job(precision="fp32", measured=(StepTime(2, 8192, 10.0), StepTime(2, 8192, 10.0)), room=16_000_000_000)
    one, four = here(shape, processes=1), here(shape, processes=4)
    operations = shape.forward(2, 8192, 16_384) + shape.backward(2, 8192, 16_384)
    assert one.rate("fp32") == pytest.approx(operations / 10)
    assert four.rate("bf16") == pytest.approx(operations / 40)
    assert four.memory == 4e9
    assert cost_of("ddp", shape, one, processes=1, nodes=1, grown=False).step.timeline.seconds == pytest.approx(
        10, rel=2.5
    )


def test_without_a_step_this_machine_is_not_known(job: MakeJob) -> None:
    with pytest.raises(RecipeError, match="nothing is known of the speed of this machine") as caught:
        project(job(), Layout("ddp", processes=2))
    assert "leave --no-steps out, or add --gpu: a100, h100, h200, b200, or a file" in str(caught.value)


def test_a_machine_of_ones_own_is_read_from_a_file(tmp_path: Path, job: MakeJob) -> None:
    path = tmp_path / "island.toml"
    path.write_text(FILE)
    machine = machine_of(str(path))
    assert (machine.name, machine.per_node, machine.rate("bf16"), machine.within.latency) == ("island", 4, 5e13, 5e-6)
    assert machine.source == str(path)
    assert project(job(), Layout("fsdp", processes=4, machine=str(path))).figures["machine"]["name"] == "island"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "island"', "", "missing: name"),
        ("reached = 0.5", "reached = 0.5\ncolor = 1", "unknown: color"),
        ("reached = 0.5", "reached = 2", "a share: more than 0 and at most 1"),
        ("memory = 40e9", "memory = -1", "memory: -1"),
        ("memory = 40e9", "memory = nan", "memory: nan"),
        ("memory = 40e9", 'memory = "much"', "a number above 0"),
        ("per_node = 4", "per_node = true", "per_node: True"),
        ("{fp32 = 1e13, bf16 = 1e14}", "{bf16 = 1e14}", "operations a second by precision"),
        (", latency = 5e-6", "", "a table with bandwidth and latency"),
        ("name =", "name", "TOML"),
    ],
)
def test_a_file_that_describes_no_machine_is_refused_in_words(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "island.toml"
    assert old in FILE
    path.write_text(FILE.replace(old, new, 1))
    with pytest.raises(RecipeError, match=r"the file (does not describe a machine|that describes a machine)") as caught:
        machine_of(str(path))
    assert words in str(caught.value)


def test_an_unknown_machine_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such kind of machine") as caught:
        machine_of("h1000")
    assert "a100, h100, h200, b200, or a file that ends in .toml" in str(caught.value)
    with pytest.raises(RecipeError, match="cannot be read"):
        machine_of(str(tmp_path / "nothing.toml"))


@pytest.mark.parametrize(
    ("strategy", "changes", "words"),
    [
        ("tp", {"recipe": {"method": {"name": "lora"}}}, "with an adapter, or one that is frozen, is not divided"),
        ("fsdp", {"recipe": {"method": {"name": "lora", "quantize": "nf4"}}}, "weights in few bits cannot be divided"),
        ("hsdp", {"precision": "bf16-weights"}, "hsdp keeps weights in fp32"),
    ],
)
def test_what_a_strategy_refuses_is_not_planned(job: MakeJob, strategy: str, changes: Any, words: str) -> None:
    with pytest.raises(RecipeError, match="plan it with ddp") as caught:
        project(job(**changes), Layout(strategy, processes=2, machine="h100"))
    assert words in str(caught.value)
    assert project(job(**changes), Layout("ddp", processes=2, machine="h100")).figures["processes"] == 2
