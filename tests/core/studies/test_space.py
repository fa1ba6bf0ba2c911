# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Ranges and lists as people write them; what cannot work is refused before any trial."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import RecipeError
from tunesmith.recipe import parse_recipe
from tunesmith.studies.space import parse_space, with_values

RECIPE = parse_recipe(
    {"task": "chat", "model": "m", "method": "lora", "data": {"train": "a.csv"}, "output": "runs/searched"}
)


def one(key, spec, recipe=RECIPE):
    (dimension,) = parse_space(recipe, {key: spec})
    return dimension


def test_a_range_on_a_logarithmic_scale():
    rate = one("train.learning_rate", "log:1e-5..1e-3")
    assert (rate.low, rate.high, rate.log, rate.whole, rate.choices) == (1e-5, 1e-3, True, False, None)


def test_a_range_of_whole_numbers_is_whole_because_the_key_is():
    assert one("method.rank", "1..8").whole
    assert one("method.rank", "1..8").value(3) == 3
    assert not one("train.epochs", "1..8").whole


def test_values_are_read_as_in_a_recipe():
    assert one("method.rank", "8,16, 32").choices == (8, 16, 32)
    assert one("train.schedule", "linear,cosine").choices == ("linear", "cosine")
    assert one("method.targets", "[q_proj, v_proj],[q_proj]").choices == (["q_proj", "v_proj"], ["q_proj"])
    assert one("method", "full,{name: lora, rank: 4}").choices == ("full", {"name": "lora", "rank": 4})
    assert one("data.train", "../a.csv,../b.csv").choices == ("../a.csv", "../b.csv")
    assert one("method.rank", [8, 16]).choices == (8, 16)


def test_choices_have_labels_that_lead_back():
    targets = one("method.targets", "[q_proj, v_proj],[q_proj]")
    assert targets.labels == ("[q_proj, v_proj]", "[q_proj]")
    assert [targets.value(label) for label in targets.labels] == list(targets.choices)


@given(st.floats(min_value=1e-5, max_value=1e-3))
def test_a_drawn_number_has_four_digits_and_stays_in_the_range(drawn):
    rate = one("train.learning_rate", "log:1e-5..1e-3")
    value = rate.value(drawn)
    assert 1e-5 <= value <= 1e-3
    assert abs(value - drawn) <= drawn * 5.01e-4
    assert float(f"{value:.4g}") == value


@pytest.mark.parametrize(
    ("key", "spec", "words"),
    [
        ("train.learning_rat", "1..2", "unknown key; did you mean 'learning_rate'?"),
        ("lr", "1..2", "here it is called train.learning_rate"),
        ("train.learning_rate", "0..1e-3", "given 0"),
        ("train.learning_rate", "log:0..1e-3", "a logarithmic scale has no 0"),
        ("train.learning_rate", "1e-3..1e-5", "the range is empty"),
        ("train.learning_rate", "log:1e-3,1e-4", "not a range"),
        ("method.rank", "0..8", "a whole number of at least 1, given 0"),
        ("method.rank", "1.5..8", "method.rank is a whole number"),
        ("method.rank", "8,x", "a whole number of at least 1, given 'x'"),
        ("method.rank", "8", "nothing to choose between"),
        ("method.rank", "8,8", "8 stands twice"),
        ("method.rank", "[8", "the values cannot be read"),
        ("train.schedule", "1..2", "a range fits numbers only"),
        ("train.schedule", "linear,cosin", "did you mean 'cosine'?"),
        ("output", "a,b", "a search cannot change output"),
        ("evaluate.metric", "loss,accuracy", "a search cannot change evaluate.metric"),
        ("data.split.validation", "0.1,0.2", "a search cannot change data.split.validation"),
    ],
)
def test_what_is_refused(key, spec, words):
    with pytest.raises(RecipeError) as caught:
        one(key, spec)
    assert words in str(caught.value)
    assert key in str(caught.value)


def test_nothing_to_change():
    with pytest.raises(RecipeError, match="a search needs something to change"):
        parse_space(RECIPE, {})


def test_values_that_exclude_each_other_are_found_in_pairs():
    with pytest.raises(RecipeError, match=r"the recipe with method\.name=full, method\.rank=8"):
        parse_space(RECIPE, {"method.name": "lora,full", "method.rank": "8,16"})


def test_a_key_and_its_section_exclude_each_other():
    with pytest.raises(RecipeError, match=r"--over method=.* and --over method\.rank=.* exclude each other"):
        parse_space(RECIPE, {"method": "lora,full", "method.rank": "8,16"})


def test_the_other_values_stay_and_the_recipe_is_not_changed():
    changed = with_values(RECIPE, {"method.rank": 4, "train.epochs": 1})
    assert (changed.method.name, changed.method.rank, changed.train.epochs) == ("lora", 4, 1)
    assert changed.data == RECIPE.data
    assert RECIPE.method.rank is None
