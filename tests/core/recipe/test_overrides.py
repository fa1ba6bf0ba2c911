# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``--set KEY=VALUE``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import RecipeError
from tunesmith.recipe import Recipe, parse_recipe
from tunesmith.recipe.dump import inline
from tunesmith.recipe.overrides import parse_overrides

JOB: dict[str, Any] = {
    "task": "chat",
    "model": "scratch:llama",
    "method": {"name": "lora", "rank": 4},
    "data": {"train": "a.jsonl"},
    "train": {"epochs": 1},
    "output": "runs/a",
}


def over(*overrides: str) -> Recipe:
    return parse_recipe(JOB, overrides=overrides)


def message(*overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        over(*overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=3", 3),
        ("k=2e-4", 2e-4),
        ("k=.5", 0.5),
        ("k=-1", -1),
        ("k=true", True),
        ("k=no", "no"),
        ("k=010", 10),
        ("k=1:30", "1:30"),
        ("k=", None),
        ("k=null", None),
        ("k='3'", "3"),
        ('k="a\\nb"', "a\nb"),
        ("k= a b ", "a b"),
        ("k=a=b", "a=b"),
        ("k=*.csv", "*.csv"),
        ("k=|", "|"),
        ("k=#", "#"),
        ("k=a: b", "a: b"),
        ("k=dataset:x#train", "dataset:x#train"),
        ("k=C:\\data\\a.csv", "C:\\data\\a.csv"),
        ("k=[a.csv,b.csv]", ["a.csv", "b.csv"]),
        ("k=[1, 2e-4]", [1, 2e-4]),
        ("k={text: body}", {"text": "body"}),
    ],
)
def test_values_are_yaml(text: str, value: object) -> None:
    [override] = parse_overrides([text])
    assert override.path == ("k",)
    assert override.value == value
    assert type(override.value) is type(value)


def test_values_go_over_the_recipe_and_later_ones_win() -> None:
    recipe = over("train.epochs=2", "train.epochs=5", "data.train=[a.csv,b.csv]", "data.columns.messages=chat")
    assert recipe.train.epochs == 5
    assert recipe.data.train == ["a.csv", "b.csv"]
    assert recipe.data.columns == {"messages": "chat"}


def test_keys_of_a_section_in_short_form() -> None:
    assert over("model.context=128").model.context == 128
    assert over("model.context=128").model.name == "scratch:llama"


def test_a_whole_section_replaces_the_old_one() -> None:
    assert over("method=full").method.rank is None
    recipe = over("method=lora", "method.rank=8")
    assert (recipe.method.name, recipe.method.rank) == ("lora", 8)


def test_sections_are_made_where_they_are_missing() -> None:
    recipe = over("evaluate.patience=3", "data.split.validation=0.2")
    assert recipe.evaluate.patience == 3
    assert recipe.data.split.validation == 0.2


def test_unknown_keys_name_the_flag() -> None:
    text = message("train.epoch=3", "epochs=3", "foo.bar=1")
    assert "--set train.epoch=3: train.epoch: unknown key; did you mean 'epochs'?" in text
    assert "--set epochs=3: epochs: unknown key; it belongs under train:" in text
    known = "task, model, method, objective, data, train, evaluate, trackers, plugins, output"
    assert f"--set foo.bar=1: foo: unknown key; known here: {known}" in text


def test_wrong_values_name_the_flag_and_not_the_line_they_replace() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(JOB, overrides=["data.train=[1]"], lines={("data",): 3, ("data", "train"): 4})
    assert "--set data.train=[1]: data.train[0]: expected text, given 1" in str(caught.value)


def test_a_path_through_a_value() -> None:
    text = message("train.epochs.x=3")
    assert "--set train.epochs.x=3: train.epochs is a single value and has no keys" in text
    assert "given:    train.epochs: 1" in text
    assert "expected: --set train.epochs=VALUE" in text


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("train.epochs", "--set train.epochs: no = sign"),
        ("", "--set : no = sign"),
        ("=3", "--set =3: an empty key"),
        ("train..epochs=3", "--set train..epochs=3: an empty key"),
        ("data.train=[a.csv", "--set data.train=[a.csv: the value cannot be read"),
        ("data.train=[*.csv]", "--set data.train=[*.csv]: the value cannot be read"),
        ("data.train='a", "--set data.train='a: the value cannot be read"),
    ],
)
def test_malformed_overrides_are_explained(override: str, what: str) -> None:
    text = message(override)
    assert text.startswith(what)
    assert "expected:" in text


@settings(deadline=None, derandomize=True)
@given(st.one_of(st.integers(-(10**9), 10**9), st.floats(allow_nan=False), st.booleans(), st.none(), st.text()))
def test_what_we_write_reads_back(value: object) -> None:
    [override] = parse_overrides([f"a.b={inline([value])}"])
    assert override.value == [value]


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_any_text_is_an_override_or_an_error_that_names_the_flag(text: str) -> None:
    with suppress(RecipeError):
        parse_recipe(JOB, overrides=[text])
        return
    assert "--set" in message(text)


@pytest.mark.parametrize("text", ["a" + ".a" * 20_000 + "=1", "train=" + "[" * 20_000, "x" * 20_000])
def test_an_override_of_many_characters_is_told_in_few(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe({"task": "chat"}, overrides=[text])
    assert len(str(caught.value)) < 2_000
