# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is written reads back the same, and the JSON schema says what is accepted."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.recipe import Recipe, dump_recipe, parse_recipe, recipe_schema
from tunesmith.recipe.yaml_text import read_yaml

JOB: dict[str, Any] = {"task": "chat", "model": "m", "data": {"train": "a"}, "output": "o"}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(
    ["yes", "no", "null", "~", "2e-4", "1_000", "010", "1:30", "2026-01-01", "true", ".inf", "- a", "a: b", "<<", "="]
)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
counts = st.integers(min_value=1)
share = st.floats(0, 0.49)

recipes = st.fixed_dictionaries(
    {
        "task": texts,
        "model": texts | st.fixed_dictionaries({"name": texts.map("scratch:{}".format), "context": st.integers(8)}),
        "method": st.sampled_from(["full", "head"])
        | st.fixed_dictionaries({"name": st.just("lora"), "alpha": positive, "targets": st.none() | st.lists(texts)}),
        "data": st.fixed_dictionaries(
            {
                "train": st.lists(texts, min_size=1),
                "columns": st.dictionaries(texts, st.text(st.characters(exclude_categories=["Cs"]))),
                "split": st.fixed_dictionaries({"validation": share, "test": share}),
                "label_separator": st.none() | texts,
                "augment": st.lists(texts | st.fixed_dictionaries({"name": texts, "amount": positive})),
            }
        ),
        "train": st.fixed_dictionaries(
            {
                "epochs": positive | counts.filter(lambda number: number < 10**300),
                "learning_rate": st.none() | positive,
                "betas": st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)),
                "max_steps": st.none() | st.integers(1, 10**30),
            }
        ),
        "trackers": st.lists(texts | st.fixed_dictionaries({"name": texts, "project": texts})),
        "plugins": st.dictionaries(
            texts | st.sampled_from(["1", "on", "null", "a: b"]),
            st.dictionaries(texts, st.none() | st.booleans() | texts | positive | st.lists(texts)),
        ),
        "output": texts,
    }
)


@settings(deadline=None, derandomize=True)
@given(recipes)
def test_a_recipe_reads_back_as_it_was(data: dict[str, Any]) -> None:
    recipe = Recipe.model_validate(data)
    text = dump_recipe(recipe)
    plain, lines = read_yaml(text, "r")
    assert parse_recipe(plain, lines=lines) == recipe
    assert dump_recipe(parse_recipe(plain)) == text


@settings(deadline=None, derandomize=True)
@given(recipes)
def test_other_yaml_readers_read_the_same(data: dict[str, Any]) -> None:
    text = dump_recipe(Recipe.model_validate(data))
    assert yaml.safe_load(text) == read_yaml(text, "r")[0]


def test_every_value_is_written_in_the_order_of_the_schema() -> None:
    text = dump_recipe(parse_recipe(JOB | {"data": {"train": ["a", "b"], "columns": {"text": "on"}}}))
    assert "task: chat\nmodel:\n  name: m\n  revision: null\n" in text
    assert "  train: [a, b]\n  weights: {}\n  validation: []\n" in text
    split = "split: {validation: 0.0, test: 0.0, seed: 0, folds: null, fold: null, group: null}"
    assert f"  columns: {{text: 'on'}}\n  {split}\n" in text
    assert "  betas: [0.9, 0.999]\n  epsilon: 1.0e-08\n" in text
    sections = {name: field.annotation for name, field in Recipe.model_fields.items()}
    for name, section in sections.items():
        assert f"{name}:" in text
        for key in getattr(section, "model_fields", {}):
            assert f"\n  {key}: " in text


def test_the_json_schema() -> None:
    schema = recipe_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "$id" not in schema
    assert schema["title"] == "Tunesmith recipe"
    assert schema["description"].startswith("A job, wholly described")
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["task", "model", "data", "output"]
    assert schema["properties"]["model"]["anyOf"] == [{"type": "string"}, {"$ref": "#/$defs/ModelSection"}]
    train = schema["$defs"]["TrainSection"]["properties"]
    assert train["precision"]["enum"] == ["auto", "fp32", "bf16", "bf16-weights"]
    assert train["weight_decay"] == {
        "default": 0.01,
        "description": "Decoupled (AdamW); not applied to biases, norms and other one-dimensional parameters.",
        "minimum": 0,
        "title": "Weight Decay",
        "type": "number",
    }


def test_every_key_of_the_json_schema_is_explained() -> None:
    schema = recipe_schema()
    for name, section in {"Recipe": schema, **schema["$defs"]}.items():
        for key, entry in section["properties"].items():
            described = entry if "description" in entry else schema["$defs"][entry["$ref"].split("/")[-1]]
            assert described["description"], f"{name}.{key}"
