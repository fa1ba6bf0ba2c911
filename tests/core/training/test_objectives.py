# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Objectives of plugins: they train, are reported and saved as ours are; what fails is told before the first step."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import Field

import tunesmith
import tunesmith.registry
from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import ModelError, PluginError
from tunesmith.evaluate import evaluate
from tunesmith.models import find_model_by_name
from tunesmith.plugin import ObjectiveSpec, hookimpl
from tunesmith.registry import Registry
from tunesmith.tasks import Objective, open_task
from tunesmith.tasks.classification_losses import CrossEntropy
from tunesmith.testing import tiny_bert, tiny_llama
from tunesmith.training.prepare import prepare
from tunesmith.training.randomness import own_random_state
from tunesmith.training.strategy import Single

Terms = Mapping[str, torch.Tensor]


class Classes(Objective):
    terms = ("logits", "labels")

    def losses(self, terms: Terms) -> torch.Tensor:
        return terms["logits"].logsumexp(-1) - terms["logits"].gather(1, terms["labels"][:, None])[:, 0]


class Scaled(Classes):
    """Cross-entropy times a number."""

    scale: float = Field(default=2.0, gt=0)

    def losses(self, terms: Terms) -> torch.Tensor:
        return self.scale * super().losses(terms)


class Raises(Classes):
    def losses(self, terms: Terms) -> torch.Tensor:
        raise ZeroDivisionError("by nothing")


class Summed(Classes):
    def losses(self, terms: Terms) -> torch.Tensor:
        return super().losses(terms).sum()


class Halved(Classes):
    def losses(self, terms: Terms) -> torch.Tensor:
        return super().losses(terms).half()


class Listed(Classes):
    def losses(self, terms: Terms) -> Any:
        return super().losses(terms).tolist()


class Infinite(Classes):
    def losses(self, terms: Terms) -> torch.Tensor:
        return super().losses(terms) / 0


class Steep(Classes):
    def losses(self, terms: Terms) -> torch.Tensor:
        return super().losses(terms) + (0 * terms["logits"][:, 0]).sqrt()


class Detached(Classes):
    def losses(self, terms: Terms) -> torch.Tensor:
        return super().losses(terms).detach()


class Unlike(Classes):
    def total(self, terms: Terms) -> torch.Tensor:
        return 3 * self.losses(terms).sum()


class Coupled(Classes):
    couples = True


class Unknown(Classes):
    terms = ("logits", "weather")


class Without(Objective):
    terms = ("logits",)


class Undeclared(Classes):
    terms = ("logits",)


class Simpo(Objective):
    """SimPO (Meng et al. 2024, arXiv:2405.14734): no reference, a margin per token."""

    terms = ("logprobs", "lengths")

    beta: float = Field(default=2.0, gt=0)
    margin: float = 0.5

    def losses(self, terms: Terms) -> torch.Tensor:
        per_token = terms["logprobs"] / terms["lengths"]
        return -torch.nn.functional.logsigmoid(self.beta * (per_token[:, 0] - per_token[:, 1]) - self.margin)


class Judging(Objective):
    """Single answers, without a reference."""

    terms = ("logprobs", "desirable")

    def losses(self, terms: Terms) -> torch.Tensor:
        return torch.where(terms["desirable"], -terms["logprobs"][:, 0], terms["logprobs"][:, 0].exp())


class Triplet(Objective):
    """The nearest wrong text is to be further away than the right one."""

    terms = ("anchors", "candidates", "positives", "excluded")
    couples = True

    def losses(self, terms: Terms) -> torch.Tensor:
        cosines = terms["anchors"] @ terms["candidates"].T
        rows = torch.arange(len(cosines))
        wrong = cosines.masked_fill(terms["excluded"], -1.0)
        wrong = wrong.index_put((rows, terms["positives"]), torch.tensor(-1.0)).amax(1)
        return (0.5 + wrong - cosines[rows, terms["positives"]]).relu()


BROKEN = [Raises, Summed, Halved, Listed, Infinite, Steep, Detached, Unlike, Coupled, Unknown, Without, Undeclared]
OBJECTIVES: dict[str, tuple[type, ...]] = {
    "text-classification": (Scaled, *BROKEN, int),
    "preference": (Simpo, Judging),
    "embedding": (Triplet,),
}


def put(monkeypatch: pytest.MonkeyPatch, *candidates: Candidate) -> None:
    monkeypatch.setattr(tunesmith.registry, "_registry", Registry(Host(list(candidates), environ={})))


@pytest.fixture(autouse=True)
def _plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plugin ``demo`` with the objectives above, in the process's registry."""
    module = ModuleType("demo_objectives")
    specs = []
    for task, kinds in OBJECTIVES.items():
        for kind in kinds:
            setattr(module, kind.__name__, kind)
            target, name = f"demo_objectives:{kind.__name__}", kind.__name__.lower()
            specs.append(ObjectiveSpec(name=name, summary=name, target=target, tasks=(task,)))
    monkeypatch.setitem(sys.modules, "demo_objectives", module)
    hooks = SimpleNamespace(tunesmith_objectives=hookimpl(lambda: specs))
    put(
        monkeypatch,
        Candidate(name="demo", distribution="demo", version="1", target="demo", requires=(), load=lambda: hooks),
    )
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objectives")
    tiny_bert(folder / "bert")
    tiny_llama(folder / "llama")
    rows = [f"{word} {n},{label}" for n in range(8) for word, label in (("apple", "fruit"), ("iron", "metal"))]
    (folder / "text-classification").write_text("\n".join(["text,label", *rows]) + "\n")
    pairs = [f"question {n},answer {n % 5}" for n in range(16)]
    (folder / "embedding").write_text("\n".join(["anchor,positive", *pairs]) + "\n")
    answers = [{"prompt": f"Hi {n}", "chosen": "Hello!", "rejected": "Go away"[: 3 + n % 5]} for n in range(16)]
    (folder / "preference").write_text("\n".join(map(json.dumps, answers)) + "\n")
    return folder


def recipe(place: Path, task: str, objective: Any, *overrides: str, out: str = "never") -> Any:
    return tunesmith.parse_recipe(
        {
            "task": task,
            "model": str(place / ("llama" if task == "preference" else "bert")),
            "objective": objective,
            "data": {
                "train": str(place / task),
                "format": "jsonl" if task == "preference" else "csv",
                "split": {"validation": 0.25},
            },
            "train": {"precision": "fp32", "device": "cpu", "max_steps": 3, "rows_per_batch": 6, "learning_rate": 1e-2},
            "output": out,
        },
        overrides=overrides,
    )


def steps(run: Any) -> list[float]:
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    return [line["loss"] for line in map(json.loads, lines) if "grad_norm" in line]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_trains_is_reported_and_comes_back(place: Path, tmp_path: Path, precision: str) -> None:
    asked = {"name": "scaled", "scale": 3}
    over = f"train.precision={precision}"
    run = tunesmith.train(recipe(place, "text-classification", asked, over, out=str(tmp_path / "run")))
    plain = tunesmith.train(recipe(place, "text-classification", None, over, out=str(tmp_path / "plain")))
    assert run.recipe().objective.model_dump() == {"name": "scaled", "scale": 3.0}
    assert plain.recipe().objective.model_dump() == {"name": "cross-entropy", "label_smoothing": 0.0}
    assert steps(run)[0] == pytest.approx(3 * steps(plain)[0], rel=1e-4)
    registry = tunesmith.registry.get_registry()
    task, _ = open_task(find_model_by_name(str(run.path), registry), registry)
    assert task.chosen.objective == Scaled(scale=3.0)
    assert run.manifest["plugins"] == {"demo": {"distribution": "demo", "version": "1"}}


@pytest.mark.parametrize(
    ("task", "objective", "parts"),
    [
        ("preference", "simpo", 1),
        ("preference", "judging", 1),
        ("embedding", "triplet", 1),
        ("embedding", "triplet", 2),
    ],
)
def test_it_trains_other_tasks(place: Path, tmp_path: Path, task: str, objective: str, parts: int) -> None:
    over = (f"train.accumulate={parts}", "train.max_steps=16", "train.epochs=9")
    run = tunesmith.train(recipe(place, task, objective, *over, out=str(tmp_path / "run")))
    losses = steps(run)
    assert len(losses) == 16
    assert sum(losses[-4:]) < sum(losses[:4])
    if task == "preference":
        assert not list(run.path.rglob("reference.safetensors")), "it reads no reference, so none is computed"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", ["ZeroDivisionError: by nothing"]),
        ("summed", ["it gave torch.float32 () on cpu for torch.float32 ("]),
        ("halved", ["it gave torch.float16"]),
        ("listed", ["it gave list for torch.float32"]),
        ("infinite", ["it gave inf, inf"]),
        ("steep", ["the gradient of its losses is not finite"]),
        ("detached", ["have no gradient, so that nothing can be learned"]),
        ("unlike", ["its total is", "the sum of its losses"]),
        ("undeclared", ["KeyError: 'labels'", "of the terms that its class names (logits)"]),
        ("coupled", ["cannot be used with this task", "couples = True", "part by part"]),
        ("unknown", ["terms = ('logits', 'weather')", "a tuple of names of logits, labels"]),
        ("without", ["it has no method losses"]),
        ("int", ["cannot be used", "a subclass of tunesmith.tasks.Objective"]),
    ],
)
def test_what_fails_is_told_before_any_run_begins(place: Path, tmp_path: Path, name: str, words: list[str]) -> None:
    wanted = recipe(place, "text-classification", f"demo/{name}", out=str(tmp_path / "run"))
    with pytest.raises(PluginError) as caught:
        tunesmith.train(wanted)
    for part in (f"the objective 'demo/{name}' of the plugin 'demo'", *words):
        assert part in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_trying_it_out_changes_nothing(place: Path) -> None:
    made = []
    for objective in ("scaled", None):
        wanted = recipe(place, "text-classification", objective)
        with own_random_state(0, torch.device("cpu")):
            made.append((prepare(wanted, Single(wanted), tunesmith.registry.get_registry()), torch.rand(4)))
    (work, drawn), (plain, other) = made
    assert torch.equal(drawn, other), "it draws no random numbers"
    assert type(work.task.chosen.objective) is Scaled
    assert type(work.task.chosen).__name__ == "ChosenObjective"
    assert all(weight.grad is None for weight in work.model.parameters())
    assert [module.training for module in work.model.modules()] == [one.training for one in plain.model.modules()]
    assert work.facts["objective"] == "scaled (scale 2.0)"
    assert "objective" not in plain.facts


def test_without_its_plugin_a_model_answers_and_only_the_loss_is_missed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tunesmith.train(recipe(place, "text-classification", "demo/scaled", out=str(tmp_path / "run")))
    put(monkeypatch)
    model = tunesmith.load(run.path, device="cpu")
    assert model.predict([{"text": "apple 3"}])[0]["label"] in ("fruit", "metal")
    registry = tunesmith.registry.get_registry()
    task, _ = open_task(find_model_by_name(str(run.path), registry), registry)
    assert task.state()["objective"] == {"name": "demo/scaled", "scale": 2.0}, "what is saved again is whole"
    with pytest.raises(ModelError, match=r"'demo/scaled', which this model was trained with, is not here") as caught:
        evaluate(model, [str(place / "text-classification")], format="csv", registry=registry)
    assert "the model answers without, but has no loss" in str(caught.value)


def test_ours_are_not_tried_out(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("a job with a built-in objective pays nothing for this")

    monkeypatch.setattr(CrossEntropy, "losses", never)
    wanted = recipe(place, "text-classification", {"label_smoothing": 0.1})
    with own_random_state(0, torch.device("cpu")):
        prepare(wanted, Single(wanted), tunesmith.registry.get_registry())
