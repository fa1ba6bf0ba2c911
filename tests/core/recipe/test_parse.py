# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is accepted, and the words for what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tunesmith.errors import RecipeError
from tunesmith.recipe import Recipe, parse_recipe


def job(**changes: Any) -> dict[str, Any]:
    """A minimal recipe as plain data."""
    return {
        "task": "text-classification",
        "model": "tunesmith/tiny",
        "data": {"train": "a.csv"},
        "output": "runs/a",
    } | changes


def refused(data: dict[str, Any], *overrides: str) -> list[str]:
    """The problems found, one line each."""
    with pytest.raises(RecipeError) as caught:
        parse_recipe(data, overrides=overrides)
    return [line.strip() for line in caught.value.what.splitlines()[1:]]


def test_short_forms_and_defaults() -> None:
    recipe = parse_recipe(job(method="lora"))
    assert recipe.model.name == "tunesmith/tiny"
    assert (recipe.method.name, recipe.method.rank) == ("lora", None)
    assert recipe.data.train == ["a.csv"]
    assert recipe.train.weight_decay == 0.01
    assert recipe.train.learning_rate is None


def test_a_section_with_nothing_in_it_has_its_defaults() -> None:
    recipe = parse_recipe(
        job(method=None, train=None, evaluate=None, data={"train": "a.csv", "split": None, "test": None})
    )
    assert recipe == parse_recipe(job())


def test_python_may_give_paths_and_tuples() -> None:
    recipe = Recipe(
        task="chat",
        model=Path("models/a"),
        data={"train": (Path("a.jsonl"), "b.jsonl")},
        train={"betas": [0.9, 0.95]},
        output=Path("runs") / "a",
    )
    assert recipe.model.name == str(Path("models/a"))
    assert recipe.data.train == ["a.jsonl", "b.jsonl"]
    assert recipe.train.betas == (0.9, 0.95)
    assert recipe.output == str(Path("runs/a"))


def test_the_callers_data_is_left_as_it_is() -> None:
    data = job()
    parse_recipe(data, overrides=["data.columns.text=body", "model.revision=main"])
    assert data == job()


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parse_recipe(job()).output = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"train": {"epoch": 3}}, "train.epoch: unknown key; did you mean 'epochs'?"),
        ({"modle": "x"}, "modle: unknown key; did you mean 'model'?"),
        ({"learning_rate": 1e-3}, "learning_rate: unknown key; it belongs under train:"),
        ({"train": {"rank": 3}}, "train.rank: unknown key; it belongs under method:"),
        ({"train": {"validation": 0.1}}, "train.validation: unknown key; it belongs under data: or under data.split:"),
        ({"train": {"output": "x"}}, "train.output: unknown key; it belongs to the top"),
        ({"train": {"lr": 1e-3}}, "train.lr: unknown key; here it is called train.learning_rate"),
        (
            {"batch_size": 8},
            "batch_size: unknown key; here it is called train.rows_per_batch or train.tokens_per_batch",
        ),
        ({"evaluate": {"ephocs": 3}}, "evaluate.ephocs: unknown key; did you mean 'train.epochs'?"),
        ({"data": {"train": "a", "modle": 3}}, "data.modle: unknown key; did you mean 'model', at the top?"),
        (
            {"method": {"zzz": 3}},
            "method.zzz: unknown key; known here: name, rank, alpha, dropout, targets, rslora, dora, quantize, freeze",
        ),
        ({"train": {"epochs": "three"}}, "train.epochs: expected a number greater than 0, given 'three'"),
        ({"train": {"epochs": "3"}}, "train.epochs: expected a number greater than 0, given '3'; remove the quotes"),
        ({"train": {"epochs": True}}, "train.epochs: expected a number greater than 0, given true"),
        ({"train": {"epochs": 0}}, "train.epochs: expected a number greater than 0, given 0"),
        ({"train": {"epsilon": None}}, "train.epsilon: expected a number greater than 0, given nothing"),
        ({"train": {"epochs": {"a": 1}}}, "train.epochs: expected a number greater than 0, given a section of keys"),
        ({"train": {"epochs": float("inf")}}, "train.epochs: expected a number greater than 0, given inf"),
        ({"train": {"max_steps": 2.5}}, "train.max_steps: expected a whole number of at least 1, given 2.5"),
        (
            {"train": {"learning_rate": float("nan")}},
            "train.learning_rate: expected a number greater than 0, given nan",
        ),
        (
            {"train": {"precision": "fp23"}},
            "train.precision: expected 'auto', 'fp32', 'bf16' or 'bf16-weights', given 'fp23'; did you mean 'fp32'?",
        ),
        ({"method": "loar"}, "method.name: expected 'full', 'lora' or 'head', given 'loar'; did you mean 'lora'?"),
        (
            {"train": {"betas": [0.9]}},
            "train.betas: expected a list of 2 numbers each of at least 0 and less than 1, given [0.9]",
        ),
        (
            {"model": {"name": "a", "trust_remote_code": "yes"}},
            "model.trust_remote_code: expected true or false, given 'yes'",
        ),
        ({"model": {"name": "a", "revision": 12}}, "model.revision: expected text, given 12; put it in quotes"),
        ({"data": {"train": ["a", 3]}}, "data.train[1]: expected text, given 3; put it in quotes"),
        ({"data": {"train": {"file": "a"}}}, "data.train: expected a text or a list of texts, given a section of keys"),
        ({"data": {"train": []}}, "data.train: expected at least one, given an empty list"),
        (
            {"data": {"train": "a", "columns": {"text": 3}}},
            "data.columns.text: expected text, given 3; put it in quotes",
        ),
        (
            {"data": {"train": "a", "augment": [3]}},
            "data.augment[0]: expected a name, or a section of name and more, given 3",
        ),
        (
            {"data": {"train": "a", "augment": ["flip", {"pixels": 2}]}},
            "data.augment[1].name: missing. Name of a transform (`tunesmith augmentations list`).",
        ),
        (
            {"data": {"train": "a", "augment": {"name": "flip"}}},
            "data.augment: expected a name or a list of names and sections, given a section of keys",
        ),
        ({"output": ""}, "output: expected text, given an empty text"),
        (
            {"train": 3},
            "train: expected a section of epochs, max_steps, learning_rate, schedule, warmup_steps, weight_decay, "
            "betas, epsilon, max_grad_norm, tokens_per_batch, rows_per_batch, accumulate, precision, "
            "activation_checkpointing, compile, device, strategy, save_every, keep_checkpoints, log_every, "
            "seed, given 3",
        ),
        (
            {"train": {"tokens_per_batch": 8, "rows_per_batch": 8}},
            "train: give tokens_per_batch or rows_per_batch, not both",
        ),
        ({"method": {"name": "full", "rank": 8}}, "method: 'rank' is only for `lora`; the method is 'full'"),
        (
            {"model": {"name": "a", "context": 64, "tokenizer": "bpe"}},
            "model: 'tokenizer' and 'context' are only for `scratch:` models; the model is 'a'",
        ),
        (
            {"model": {"name": "scratch:llama", "tokenizer": "byte", "vocabulary": 300}},
            "model: 'vocabulary' is only for a `bpe` tokenizer; the tokenizer is 'byte'",
        ),
        (
            {"data": {"train": "a", "split": {"validation": 0.5, "test": 0.5}}},
            "data.split: validation + test is 1; nothing would be left to train on",
        ),
    ],
)
def test_one_problem_in_plain_words(changes: dict[str, Any], problem: str) -> None:
    assert refused(job(**changes)) == [problem]


@pytest.mark.parametrize("augment", ["flip", ["flip"], [{"name": "flip"}]])
def test_a_transform_may_be_written_as_its_name(augment: Any) -> None:
    recipe = parse_recipe(job(data={"train": "a", "augment": augment}))
    assert [one.model_dump() for one in recipe.data.augment] == [{"name": "flip"}]


def test_missing_keys_are_named_with_their_meaning() -> None:
    problems = refused({"data": {}})
    assert [problem.split(" ", 2)[:2] for problem in problems] == [
        ["task:", "missing."],
        ["model:", "missing."],
        ["data.train:", "missing."],
        ["output:", "missing."],
    ]
    assert "file, glob, folder" in problems[2]


def test_all_problems_come_together_in_the_order_of_the_file() -> None:
    lines = {("train", "epoch"): 9, ("train",): 8, ("output",): 3, ("outptu",): 4}
    with pytest.raises(RecipeError) as caught:
        parse_recipe(job(output=3, outptu="x", train={"epoch": 3}), source="a.yaml", lines=lines)
    assert str(caught.value).splitlines() == [
        "a.yaml: 3 problems",
        "    line 3: output: expected text, given 3; put it in quotes",
        "    line 4: outptu: unknown key; did you mean 'output'?",
        "    line 9: train.epoch: unknown key; did you mean 'epochs'?",
        "  to do:    `tunesmith recipe new TASK` prints every key with its meaning",
    ]


def test_a_long_value_is_cut() -> None:
    [problem] = refused(job(train={"epochs": "x" * 100_000}))
    assert len(problem) < 150
    assert problem.endswith("…")


@pytest.mark.parametrize("given", [["task"], "task", 3, None])
def test_what_is_no_mapping_is_refused(given: Any) -> None:
    with pytest.raises(RecipeError, match="recipe is not a recipe") as caught:
        parse_recipe(given)
    assert "keys and values: task, model" in str(caught.value)


def test_plain_data_is_not_trusted_to_be_shallow() -> None:
    deep: dict[str, object] = {}
    for _ in range(20_000):
        deep = {"a": deep}
    with pytest.raises(RecipeError, match="nested too deeply"):
        parse_recipe({"task": "chat", "model": deep})


def test_thousands_of_problems_are_counted() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe({f"key{number}": 1 for number in range(500)})
    message = str(caught.value)
    assert "recipe: 504 problems" in message
    assert "… and 484 more" in message
    assert len(message.splitlines()) < 30
