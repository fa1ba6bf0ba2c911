# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Several processes that multiply in float8 make what one process makes in it.

The arithmetic is torchao's, computed on the processor as a GPU would; where torchao is not installed all of this is
skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from safetensors.torch import load_file

from tunesmith.runs import Run
from tunesmith.testing import tiny_llama
from tunesmith_enterprise.recorded import job_of

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="the processes of these tests are forks"),
    pytest.mark.skipif(find_spec("torchao") is None, reason="needs the extra float8"),
]
SETS = {
    "ddp": (),
    "fsdp": (),
    "hsdp": ("plugins.enterprise.hsdp.share=2",),
}
RECIPE = "plugins.enterprise.float8.recipe=rowwise-with-gw-hp"
"""Every row has a scale of its own, and the gradients of weights are not in float8: what comes out does not depend on
the rows that a process has beside it, as with one scale for all of them.
"""


def curve(run: Run, key: str = "loss") -> list[float]:
    return [record[key] for record in run.metrics() if record["kind"] == "step"]


def notes(run: Run) -> str:
    return "\n".join(record["message"] for record in run.metrics() if record["kind"] == "note")


@pytest.fixture(scope="module")
def language(site: Any) -> dict[str, Any]:
    """A recipe of a decoder whose layers are as wide as float8 takes them."""
    tiny_llama(site.folder / "llama8", size=120_000)
    rows = [f"the {word} is {'very ' * (n % 9)}{n}" for n in range(24) for word in ("pear", "zinc")]
    (site.folder / "rows8.txt").write_text("\n".join(rows) + "\n")
    return {
        "task": "causal-lm",
        "model": str(site.folder / "llama8"),
        "data": {"train": "rows8.txt", "split": {"test": 0.25, "validation": 0.25}, "text_unit": "line"},
        "train": {"tokens_per_batch": 160, "precision": "bf16", "learning_rate": 3e-3},
    }


@pytest.fixture(scope="module")
def alone(site: Any, launched: Any, language: Any) -> Callable[..., Run]:
    """What one process makes of the recipe with a strategy."""
    made: dict[str, Run] = {}

    def train(strategy: str, *sets: str) -> Run:
        if strategy not in made:
            name = f"alone-{strategy}"
            recipe = site.recipe(f"{name}.yaml", output=name, **language)
            job = launched(recipe, name=f"{name}-job", sets=(f"train.strategy={strategy}", *sets))
            assert job.run(1, each={0: {"alone": True, "float8": True}}) == [0], job.said
            made[strategy] = Run.open(site.folder / name)
        return made[strategy]

    return train


@pytest.mark.parametrize("strategy", SETS)
def test_the_loss_curve_is_that_of_one_process_in_float8(
    site: Any, launched: Any, language: Any, alone: Any, strategy: str
) -> None:
    one, plain = alone("float8", RECIPE), alone("single")
    name, processes = f"{strategy}-float8", 4 if strategy == "hsdp" else 2
    recipe = site.recipe(f"{name}.yaml", output=name, **language)
    job = launched(recipe, name=f"{name}-job", sets=(f"train.strategy={strategy}", RECIPE, *SETS[strategy]))
    part = {"float8": True}
    assert job.run(processes, each=dict.fromkeys(range(processes), part)) == [0] * processes, job.said + job.log(1)
    assert job.code == 0, job.said
    run = Run.open(site.folder / name)
    assert job_of(run.manifest) == job.order.token
    assert {grant["feature"] for grant in run.manifest["allowed"]["enterprise"]["grants"]} == {
        "distributed", "optimizations"
    }  # fmt: skip
    for found in (one, run):
        assert "8 linear layers of the model multiply in float8 (rowwise-with-gw-hp)" in notes(found)
    # By the first loss, where all have the same weights, float8 in several processes is nearer to float8 in one than
    # bf16 is. Those that bring weights together do so in bf16, and round them twice.
    apart = abs(curve(plain)[0] - curve(one)[0])
    assert apart > 1e-3
    assert abs(curve(run)[0] - curve(one)[0]) < (1e-5 if strategy == "ddp" else apart / 2)
    assert len(curve(run)) == 6
    assert curve(run) == pytest.approx(curve(one), rel=2**-9)  # half of what bf16 tells apart
    assert curve(run, "grad_norm") == pytest.approx(curve(one, "grad_norm"), rel=2**-6)
    assert curve(run)[-1] < curve(run)[0] - 1
    weights = [load_file(found.path / "model" / "model.safetensors") for found in (one, run)]
    assert [{key: (value.shape, value.dtype) for key, value in each.items()} for each in weights[1:]] == [
        {key: (value.shape, value.dtype) for key, value in weights[0].items()}
    ]


def test_a_job_that_was_killed_goes_on_to_the_same_bits(site: Any, launched: Any, language: Any) -> None:
    part = {"float8": True}
    found = []
    for name, killed in (("whole-float8", {}), ("killed-float8", {"killed_at": 3})):
        recipe = site.recipe(f"{name}.yaml", output=name, **language)
        job = launched(recipe, name=f"{name}-job", sets=("train.strategy=fsdp", RECIPE))
        codes = job.run(2, each={0: part, 1: part | killed})
        if killed:
            assert codes[1] == -9
            codes = job.run(2, each={0: part, 1: part})
            assert "2 of 6 steps are done" in job.log(1)
        assert codes == [0, 0], job.said
        found.append((site.folder / name / "model" / "model.safetensors").read_bytes())
    assert found[0] == found[1]
