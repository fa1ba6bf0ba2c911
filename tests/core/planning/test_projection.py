# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Planning for a plugin's strategy: what the core tells it of a job, with the model's values and without."""

import json
import sys
import types

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor

import tunesmith
from tunesmith.errors import NotFoundError, PluginError, RecipeError
from tunesmith.models.adapters import is_adapted
from tunesmith.planning import Growth, Layout, Projection, Table
from tunesmith.planning.outline import outlined
from tunesmith.planning.shape import shape_of
from tunesmith.plugin import StrategySpec, hookimpl
from tunesmith.testing import plugin_installed, tiny_bert, tiny_llama
from tunesmith.training.prepare import prepare
from tunesmith.training.strategy import Single


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {"bert": str(tiny_bert(folder / "bert")), "llama": str(tiny_llama(folder / "llama", context=128))}


@pytest.fixture
def chats(tmp_path, models):
    said = [("When?", "At nine. " * (1 + i % 5)) if i % 2 else ("When? " * (1 + i % 5), "Now.") for i in range(24)]
    rows = [{"prompt": prompt, "completion": completion} for prompt, completion in said]
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return {
        "task": "chat",
        "model": models["llama"],
        "data": {"train": str(tmp_path / "chats.jsonl")},
        "train": {"precision": "fp32", "tokens_per_batch": 200},
        "output": str(tmp_path / "run"),
    }


class Strategies:
    """A plugin whose strategy cannot be made here, as those that need several processes cannot."""

    def __init__(self, projection="demo_projection:project"):
        self.asked = []
        self.projection = projection

    @hookimpl
    def tunesmith_strategies(self):
        yield StrategySpec(
            name="abroad", summary="Elsewhere", target="demo_projection:Abroad", projection=self.projection
        )
        yield StrategySpec(name="silent", summary="Elsewhere", target="demo_projection:Abroad")

    def project(self, shape, layout):
        self.asked.append((shape, layout))
        figures = {"world": layout.world, "operations": shape.forward(2, 10, 5) + shape.backward(2, 10, 5)}
        table = Table("more of them", ("processes", "step"), (("1", "2 s"), ("2", "1 s")))
        return Projection("demo/abroad", layout.world < 4, {"on": "islands"}, (table,), figures, ("far away",))


@pytest.fixture
def plugin(monkeypatch):
    made = Strategies()
    module = types.ModuleType("demo_projection")

    def never(recipe):
        raise AssertionError("planning makes no strategy of a plugin")

    module.project, module.Abroad = made.project, never
    monkeypatch.setitem(sys.modules, "demo_projection", module)
    with plugin_installed(made, name="demo"):
        yield made


def planned(recipe, layout, **options):
    return tunesmith.plan(tunesmith.parse_recipe(recipe), layout=layout, **options)


def shape_here(recipe):
    parsed = tunesmith.parse_recipe(recipe)
    work = prepare(parsed, Single(parsed), tunesmith.registry.get_registry())
    return shape_of(work), work


def test_the_strategy_is_asked_once_about_the_job_and_the_place(chats, plugin):
    made = planned(chats, Layout("abroad", processes=2, nodes=2), steps=False)
    ((shape, layout),) = plugin.asked
    assert (layout.world, layout.machine) == (4, None)
    assert not made.fits  # there, whatever there is here
    assert made.projection.facts == {"on": "islands"}
    assert made.recipe["train"]["strategy"] == "single"
    assert shape.total_steps == made.steps.total
    assert sum(len(batch) for batch in shape.batches) == 24  # all of so short an epoch
    data = made.as_json()
    assert json.loads(json.dumps(data))["projection"]["figures"]["world"] == 4


def test_real_steps_go_with_the_question_where_the_machine_is_this_one(chats, plugin):
    made = planned(chats, Layout("demo/abroad"))
    ((shape, _),) = plugin.asked
    assert made.fits
    assert [(one.rows, one.length, one.seconds) for one in shape.measured] == [
        (one.rows, one.length, one.seconds) for one in made.measurement.steps
    ]


def test_operations_are_counted_as_they_are_known_to_be(chats):
    shape, work = shape_here(chats)
    layers = [one for one in work.model.modules() if isinstance(one, torch.nn.Linear)]
    inside = sum(one.weight.numel() for one in layers if one is not work.model.lm_head)
    width = sum(one.out_features for name, one in work.model.named_modules() if name.endswith("q_proj"))
    tokens, places = 6 * 30, 80
    known = 6 * inside * tokens + 12 * width * tokens * 30 + 6 * work.model.lm_head.weight.numel() * places
    assert shape.forward(6, 30, places) + shape.backward(6, 30, places) == pytest.approx(known, rel=0.1)
    assert len(shape.blocks) == work.model.config.num_hidden_layers
    assert shape.parameters == sum(one.numel() for one in work.model.parameters())
    assert all(one.grad is None for one in work.model.parameters())


def test_in_outline_the_same_is_counted_without_a_weight(chats):
    recipe = chats | {"method": "lora"}
    here, adapted = shape_here(recipe)
    assert is_adapted(adapted.model)
    assert here.moving < here.parameters
    assert here.backward.per_token < 1.6 * here.forward.per_token  # 2, where all weights train
    work = outlined(tunesmith.parse_recipe(recipe), tunesmith.registry.get_registry())
    assert all(isinstance(one, FakeTensor) for one in work.model.parameters())
    found = shape_of(work)
    assert (found.forward, found.backward, found.blocks) == (here.forward, here.backward, here.blocks)
    assert found.kept(8, 40, 100) == pytest.approx(here.kept(8, 40, 100), rel=0.1)
    assert found.batches == here.batches


def test_for_another_machine_no_weight_is_read_and_no_step_taken(chats, plugin, models):
    made = planned(chats, Layout("abroad", machine="island"))
    ((shape, layout),) = plugin.asked
    assert layout.machine == "island"
    assert shape.parameters > 30_000
    assert (shape.measured, shape.elsewhere, made.measurement, made.outlook) == ((), 0, None, None)
    assert shape.precision == "fp32"
    assert "device" not in made.facts


def test_open_precision_is_that_of_gpus_in_outline(tmp_path, models):
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"word {i},{'ab'[i % 2]}\n" for i in range(20)))
    recipe = {"task": "text-classification", "model": models["bert"], "data": {"train": str(tmp_path / "rows.csv")}}
    work = outlined(
        tunesmith.parse_recipe(recipe | {"output": str(tmp_path / "run")}), tunesmith.registry.get_registry()
    )
    assert work.recipe.train.precision == "bf16"
    assert shape_of(work).forward.per_token > 0


def test_a_task_that_looks_at_values_is_refused_in_words(chats, monkeypatch):
    monkeypatch.setattr(
        "tunesmith.tasks.chat.Chat.before_training",
        lambda self, model, items, **options: model.get_input_embeddings().weight.sum().item(),
    )
    with pytest.raises(RecipeError) as caught:
        outlined(tunesmith.parse_recipe(chats), tunesmith.registry.get_registry())
    text = str(caught.value)
    assert "cannot be planned for another machine: it needs the values of its model" in text
    assert "chat: DataDependentOutputException" in text
    assert "leave --gpu out" in text


def test_a_strategy_that_says_nothing_is_refused_and_one_that_does_is_named(chats, plugin):
    for name in ("silent", "single"):
        with pytest.raises(NotFoundError, match="does not say what a job would need and cost") as caught:
            planned(chats, Layout(name))
        assert "demo/abroad" in str(caught.value)
    with pytest.raises(NotFoundError, match="no strategy of this name"):
        planned(chats, Layout("nowhere"))


def test_a_projection_that_cannot_be_imported_is_the_plugin_s_mistake(chats):
    made = Strategies(projection="demo_nothing:project")
    with plugin_installed(made, name="demo"), pytest.raises(PluginError, match="'abroad' that cannot be loaded"):
        planned(chats, Layout("abroad"))


def test_a_spec_and_a_layout_check_their_form():
    with pytest.raises(ValueError, match=r"projection must look like 'package.module:attribute', given 'project'"):
        StrategySpec(name="a", summary="b", target="c:d", projection="project")
    with pytest.raises(ValueError, match="processes and nodes are at least 1, given 0 and 1"):
        Layout("ddp", processes=0)


def test_growth_is_nothing_without_rows():
    growth = Growth(7.0, 2.0, 0.5, 3.0)
    assert growth(0, 0, 0) == 0
    assert growth(2, 4, 5) == 7 + 2 * 8 + 0.5 * 32 + 15
