# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import pytest

from tunesmith.errors import RecipeError, RunError
from tunesmith.models.source import ModelSource
from tunesmith.recipe import dump_recipe, parse_recipe
from tunesmith.tasks.image_classification import ImageClassification
from tunesmith.tasks.tabular_regression import TabularRegression
from tunesmith.tasks.text_classification import TextClassification
from tunesmith.training.resolve import (
    refuse_changes,
    resolve_batch,
    resolve_epochs,
    resolve_evaluation,
    resolve_pauses,
    resolve_rate,
    with_values,
)


def recipe(*overrides):
    base = {"task": "text-classification", "model": "m", "data": {"train": "rows.csv"}, "output": "run"}
    return parse_recipe(base, overrides=overrides)


def task(kind=TextClassification):
    return kind(recipe().data)


@pytest.mark.parametrize(
    ("override", "kind", "rate"),
    [
        ("method=full", "folder", 5e-5),
        ("method=lora", "folder", 2e-4),
        ("method=head", "folder", 1e-3),
        ("method=full", "scratch", 1e-3),
        ("train.learning_rate=0.5", "scratch", 0.5),
    ],
)
def test_the_rate_follows_the_method_unless_given(override, kind, rate):
    assert resolve_rate(recipe(override), ModelSource(name="m", kind=kind)).train.learning_rate == rate


def test_text_is_counted_in_tokens_and_images_in_rows():
    text = resolve_batch(recipe(), task()).train
    images = resolve_batch(recipe(), task(ImageClassification)).train
    assert (text.tokens_per_batch, text.rows_per_batch) == (2048, None)
    assert (images.tokens_per_batch, images.rows_per_batch) == (None, 128)
    assert resolve_batch(recipe("train.rows_per_batch=7"), task()).train.tokens_per_batch is None


def test_a_token_budget_for_images_is_refused():
    with pytest.raises(RecipeError, match=r"has no tokens to count[\s\S]*train\.rows_per_batch"):
        resolve_batch(recipe("train.tokens_per_batch=64"), task(ImageClassification))


@pytest.mark.parametrize("override", ["evaluate.every=5", "evaluate.metric=accuracy", "evaluate.patience=2"])
def test_settings_that_need_validation_rows_say_so(override):
    key = override.split("=")[0]
    with pytest.raises(RecipeError, match=rf"{key} needs rows to evaluate on[\s\S]*data\.split\.validation=0\.1"):
        resolve_evaluation(recipe(override), task(), validation_rows=0)


def test_an_unknown_metric_is_told_with_the_known_ones():
    with pytest.raises(RecipeError, match=r"no metric 'acuracy'[\s\S]*accuracy or[\s\S]*did you mean 'accuracy'"):
        resolve_evaluation(recipe("evaluate.metric=acuracy"), task(), validation_rows=9)


@pytest.mark.parametrize("rows", [0, 9])
def test_a_resolved_recipe_resolves_to_itself(tmp_path, rows):
    from tunesmith.recipe import read_recipe

    resolved = resolve_evaluation(resolve_batch(recipe(), task()), task(), validation_rows=rows)
    (tmp_path / "recipe.yaml").write_text(dump_recipe(resolved))
    again = read_recipe(tmp_path / "recipe.yaml")
    assert resolve_evaluation(resolve_batch(again, task()), task(), validation_rows=rows) == again == resolved


def test_what_was_chosen_may_be_left_out_when_resuming_and_what_differs_is_named():
    stored = resolve_batch(recipe("train.epochs=3"), task())
    refuse_changes(recipe("output=elsewhere"), stored, "run")
    with pytest.raises(RunError) as caught:
        refuse_changes(recipe("train.epochs=4", "data.columns.text=body", "train.tokens_per_batch=1"), stored, "run")
    for words in ("train.epochs: 3.0 in the run, 4.0 given", "train.tokens_per_batch: 2048", "data.columns"):
        assert words in str(caught.value)


def test_settings_of_a_plugin_may_be_fewer_than_the_run_wrote_out_also_in_their_sections():
    written = {"demo": {"pace": 1, "parts": {"many": 2, "large": False}}}
    stored = recipe().model_copy(update={"plugins": written})
    refuse_changes(recipe("plugins.demo.parts.many=2"), stored, "run")
    with pytest.raises(RunError) as caught:
        refuse_changes(recipe("plugins.demo.parts.large=true", "plugins.other.pace=3"), stored, "run")
    for words in ("plugins.demo.parts.large: False in the run, True given", "plugins.other.pace: None in the run"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "override", "epochs"),
    [
        (274, (), 100),
        (6_400, (), 15),
        (1_000_000, (), 3),
        (274, ("train.epochs=2",), 2),
        (274, ("train.rows_per_batch=2",), 11),
    ],
)
def test_the_epochs_of_a_table_follow_from_its_rows(rows, override, epochs):
    subject = task(TabularRegression)
    assert resolve_epochs(resolve_batch(recipe(*override), subject), subject, items=rows).train.epochs == epochs


def test_other_tasks_see_their_rows_three_times():
    assert resolve_epochs(resolve_batch(recipe(), task()), task(), items=274).train.epochs == 3


def test_a_table_pauses_twenty_times_and_not_after_every_short_epoch():
    subject = task(TabularRegression)
    resolved = resolve_epochs(recipe("train.rows_per_batch=64"), subject, items=274)
    paused = resolve_pauses(resolved, subject, total_steps=1000, validation_rows=9)
    assert (paused.evaluate.every, paused.train.save_every) == (50, 50)
    without = resolve_pauses(resolved, subject, total_steps=1000, validation_rows=0)
    assert (without.evaluate.every, without.train.save_every) == (None, 50)
    given = with_values(resolved, "evaluate", every=10)
    assert resolve_pauses(given, subject, total_steps=1000, validation_rows=9).train.save_every == 10
    few = resolve_epochs(recipe("train.rows_per_batch=64"), subject, items=100_000)
    assert resolve_pauses(few, subject, total_steps=4_000, validation_rows=9) == few
    assert resolve_pauses(resolved, task(), total_steps=1000, validation_rows=9) == resolved
