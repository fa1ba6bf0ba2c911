# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the loop asks of a strategy beside the gradient, of a plugin that answers otherwise than one process does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file

import tunesmith
import tunesmith.registry
from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import NotFoundError, PluginError, RunError, StoppedError
from tunesmith.models.later import later_weights
from tunesmith.plugin import CheckpointSaved, RecipeSectionSpec, StepDone, StrategySpec, hookimpl
from tunesmith.recipe.section import Section
from tunesmith.registry import Registry
from tunesmith.runs import Run
from tunesmith.tasks.base import Batch
from tunesmith.testing import tiny_bert
from tunesmith.training import Checkpoints, Single, verify, vocabulary
from tunesmith.training.moving import move_run

HERE = __name__
NAMES = ("Watched", "Shared", "Short", "Late", "Own", "Filling")


class Watched(Single):
    """As single, and notes what it is asked."""

    portable = True
    asked: ClassVar[list[str]] = []

    def begin(self, model: Any, recipe: Any, sample: Callable[[], Batch]) -> None:
        batch = sample()
        self.asked.append(f"begin {recipe.train.precision}, {len(batch.rows)} row, {type(model).__name__}")

    def whole_state(self, model: Any) -> Mapping[str, torch.Tensor]:
        self.asked.append("whole_state")
        return {name: torch.full_like(tensor, 0.5) for name, tensor in model.state_dict().items()}


class Shared(Single):
    """Another computes the batches, last one first."""

    divides = True
    seen: ClassVar[list[tuple[str, int]]] = []

    def divide(self, split: str, batches: Sequence[Any], compute: Callable[[Any], Sequence[Any]]) -> Sequence[Any]:
        assert not torch.is_inference_mode_enabled()
        self.seen.append((split, len(batches)))
        return [compute(batch) for batch in reversed(batches)][::-1]


class Short(Single):
    """Knows that the gradient is long."""

    def gradient_norm(self, moving: Sequence[torch.nn.Parameter]) -> torch.Tensor:
        assert all(parameter.grad is not None for parameter in moving)
        return torch.tensor(8.0)

    def clip(self, moving: Sequence[torch.nn.Parameter], limit: float, norm: torch.Tensor) -> None:
        assert (limit, norm.item()) == (1.0, 8.0)
        for parameter in moving:
            parameter.grad = torch.zeros_like(parameter)


class LateCheckpoints(Checkpoints):
    """They are there, and told of at the end."""

    closed: ClassVar[list[str]] = []

    def whole(self, *, wait: bool = False) -> list[Path]:
        return super().whole() if wait else []

    def close(self) -> None:
        self.closed.append("closed")


class Late(Single):
    def checkpoints(self, folder: Path, model: Any, optimizer: Any, *, keep: int) -> Checkpoints:
        return LateCheckpoints(folder, model, optimizer, keep)


class Own(Watched):
    """Does not say that it computes what one process computes: what its parent says does not count."""


class Filling(Single):
    """Puts the weights in place itself, a part at a time."""

    fills = True
    filled: ClassVar[list[int]] = []

    def begin(self, model: Any, recipe: Any, sample: Callable[[], Batch]) -> None:
        later = later_weights(model)
        assert later is not None
        self.filled += [len(later.fill(part)) for part in (model.bert.encoder, model)]


@hookimpl
def tunesmith_strategies() -> list[StrategySpec]:
    return [StrategySpec(name=name.lower(), summary="-", target=f"{HERE}:{name}") for name in NAMES]


class Settings(Section):
    """What a recipe says to the plugin."""

    pace: int = 1


@hookimpl
def tunesmith_recipe_sections() -> list[RecipeSectionSpec]:
    return [RecipeSectionSpec(name="demo", summary="-", target=f"{HERE}:Settings")]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Makes a process with the plugin `demo`, or with none."""
    import sys

    module = sys.modules[HERE]

    def install(there: bool) -> None:
        demo = Candidate(name="demo", distribution="demo", version="1", target=HERE, load=lambda: module)
        made = Host([demo] if there else [], environ={})
        monkeypatch.setattr(host, "_host", made)
        monkeypatch.setattr(tunesmith.registry, "_registry", Registry(made))

    install(True)
    return install


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    rows = [f"{word} {n},{label}" for n in range(12) for label, word in (("fruit", "pear"), ("metal", "zinc"))]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    tiny_bert(folder / "bert")
    return folder


@pytest.fixture
def recipe(place: Path, tmp_path: Path) -> Callable[..., tunesmith.Recipe]:
    def make(strategy: str, out: str = "run") -> tunesmith.Recipe:
        return tunesmith.parse_recipe(
            {
                "task": "text-classification",
                "model": str(place / "bert"),
                "data": {"train": str(place / "rows.csv"), "split": {"validation": 0.25}},
                "train": {
                    "max_steps": 3, "rows_per_batch": 2, "precision": "fp32", "device": "cpu", "save_every": 1,
                    "strategy": strategy,
                },
                "evaluate": {"every": 3},
                "output": str(tmp_path / out),
            }
        )  # fmt: skip

    return make


def steps(run: Any) -> list[dict[str, Any]]:
    return [record for record in run.metrics() if record["kind"] == "step"]


def test_it_is_told_when_everything_is_prepared_and_says_what_is_saved(plugin: Any, recipe: Any) -> None:
    Watched.asked.clear()
    run = tunesmith.train(recipe("watched"))
    assert Watched.asked[0] == "begin fp32, 1 row, BertForSequenceClassification"
    assert Watched.asked.count("whole_state") == 1
    saved = load_file(run.path / "model" / "model.safetensors")
    assert saved
    assert all(bool((tensor == 0.5).all()) for tensor in saved.values())


def test_it_puts_the_weights_in_place_and_ends_with_the_same_bits(plugin: Any, recipe: Any) -> None:
    Filling.filled.clear()
    runs = [tunesmith.train(recipe(name, name)) for name in ("filling", "single")]
    assert Filling.filled == [32, 7]
    one, other = ((run.path / "model" / "model.safetensors").read_bytes() for run in runs)
    assert one == other


def test_held_out_rows_are_divided_and_scored_in_their_order(plugin: Any, recipe: Any) -> None:
    Shared.seen.clear()
    divided = tunesmith.train(recipe("shared"))
    alone = tunesmith.train(recipe("single", "alone"))
    assert Shared.seen == [("validation", 3)] * 2  # before the first step, and after the last
    assert divided.manifest["metrics"] == alone.manifest["metrics"]
    found = [[r for r in run.metrics() if r["kind"] == "evaluation"] for run in (divided, alone)]
    assert found[0] == found[1]


def test_it_knows_the_norm_of_the_gradient_and_shortens_it(plugin: Any, recipe: Any) -> None:
    run = tunesmith.train(recipe("short"))
    assert [step["grad_norm"] for step in steps(run)] == [8.0] * 3


def test_a_checkpoint_is_told_of_when_it_is_whole_and_let_go_of_at_the_end(plugin: Any, recipe: Any) -> None:
    told: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, StepDone | CheckpointSaved):
            told.append(f"{type(event).__name__} {event.step}")

    LateCheckpoints.closed.clear()
    tunesmith.train(recipe("late"), observers=[listen])
    assert told[:3] == ["StepDone 1", "StepDone 2", "StepDone 3"]
    assert told[3:] == ["CheckpointSaved 1", "CheckpointSaved 2", "CheckpointSaved 3"]
    assert LateCheckpoints.closed == ["closed"]


# ---- going on elsewhere ----------------------------------------------------------------------------------------------


def stopped(recipe: tunesmith.Recipe) -> Path:
    flag = threading.Event()
    flag.set()
    with pytest.raises(StoppedError):
        tunesmith.train(recipe, stop=flag)
    return Path(recipe.output)


def test_a_run_goes_on_in_the_core_when_the_plugin_of_its_strategy_is_gone(plugin: Any, recipe: Any) -> None:
    folder = stopped(recipe("watched"))
    plugin(False)
    with pytest.raises(PluginError, match="the run needs the plugin 'demo', which is not installed") as caught:
        tunesmith.train(resume=folder)
    assert f"tunesmith train --resume {folder} --strategy single" in str(caught.value)
    run = tunesmith.train(resume=folder, strategy="single")
    alone = tunesmith.train(recipe("single", "alone"))
    assert run.recipe().train.strategy == "single"
    assert [step["loss"] for step in steps(run)] == [step["loss"] for step in steps(alone)]
    model = Path("model", "model.safetensors")
    assert (run.path / model).read_bytes() == (alone.path / model).read_bytes()
    assert verify(run).whole


def test_what_the_recipe_says_to_the_plugin_of_a_strategy_is_left_with_it(plugin: Any, recipe: Any) -> None:
    job = recipe("watched").model_copy(update={"plugins": {"demo": {"pace": 2}}})
    folder = stopped(job)
    manifest = Run.open(folder).manifest
    assert (manifest["only_strategy_of"], list(manifest["plugins"])) == ("demo", ["demo"])
    move_run(Run.open(folder), "demo/watched", tunesmith.registry.get_registry())
    manifest = Run.open(folder).manifest
    assert (manifest["only_strategy_of"], list(manifest["plugins"])) == ("demo", ["demo"])
    assert manifest["recipe"]["plugins"] == {"demo": {"pace": 2}}
    plugin(False)
    run = tunesmith.train(resume=folder, strategy="single")
    assert (run.recipe().plugins, run.manifest["plugins"], run.manifest["status"]) == ({}, {}, "finished")


def test_a_run_that_moves_to_a_plugin_needs_it_from_then_on(plugin: Any, recipe: Any) -> None:
    folder = stopped(recipe("single"))
    move_run(Run.open(folder), "watched", tunesmith.registry.get_registry())
    plugin(False)
    with pytest.raises(PluginError, match="the run needs the plugin 'demo', which is not installed") as caught:
        tunesmith.train(resume=folder)
    assert f"tunesmith train --resume {folder} --strategy single" in str(caught.value)


def test_a_strategy_that_computes_something_of_its_own_is_not_left(plugin: Any, recipe: Any) -> None:
    folder = stopped(recipe("own"))
    before = (folder / "recipe.yaml").read_bytes()
    with pytest.raises(RunError) as caught:
        tunesmith.train(resume=folder, strategy="single")
    assert "own when it was started, single now; own computes what no other does" in str(caught.value)
    with pytest.raises(RunError, match="own computes what no other does"):
        tunesmith.train(resume=stopped(recipe("single", "other")), strategy="own")
    with pytest.raises(NotFoundError, match="nowhere"):
        tunesmith.train(resume=folder, strategy="nowhere")
    assert (folder / "recipe.yaml").read_bytes() == before
    assert tunesmith.train(resume=folder).manifest["status"] == "finished"


def test_a_run_of_many_vectors_goes_on_where_its_checkpoints_hold_all_of_them(
    plugin: Any, recipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary, "WORTH_IT", 1)
    one = stopped(recipe("single", "one"))
    with pytest.raises(RunError, match="its checkpoints hold the vectors of the tokens that occur alone"):
        tunesmith.train(resume=one, strategy="watched")
    other = stopped(recipe("watched", "other"))
    assert tunesmith.train(resume=other, strategy="single").manifest["steps"] == 3
    assert tunesmith.train(resume=one).manifest["status"] == "finished"


def test_a_strategy_is_named_for_runs_that_are_resumed(plugin: Any, recipe: Any) -> None:
    with pytest.raises(TypeError, match="strategy=NAME goes with resume"):
        tunesmith.train(recipe("single"), strategy="single")
