# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A recipe from the flags of ``tunesmith train``."""

from __future__ import annotations

import pytest

from tunesmith.errors import RecipeError
from tunesmith.recipe import from_flags, parse_recipe


def test_flags_make_the_recipe_a_file_would() -> None:
    recipe = from_flags(
        task="text-classification",
        model="tunesmith/tiny",
        train=["a.csv", "b.csv"],
        test="t.csv",
        text="body",
        label="category",
        out="runs/a",
        method="lora",
        sets=["train.epochs=1", "method.rank=4"],
    )
    assert recipe == parse_recipe(
        {
            "task": "text-classification",
            "model": "tunesmith/tiny",
            "method": {"name": "lora", "rank": 4},
            "data": {"train": ["a.csv", "b.csv"], "test": "t.csv", "columns": {"text": "body", "label": "category"}},
            "train": {"epochs": 1},
            "output": "runs/a",
        }
    )


def test_what_is_not_given_keeps_its_default() -> None:
    recipe = from_flags(task="chat", model="m", train="a.jsonl", out="o")
    assert recipe == parse_recipe({"task": "chat", "model": "m", "data": {"train": "a.jsonl"}, "output": "o"})


def test_problems_name_the_flag() -> None:
    with pytest.raises(RecipeError) as caught:
        from_flags(task="chat", model="", train=["a", ""], out="", method="loar", sets=["train.epoch=3"])
    assert str(caught.value).splitlines()[:6] == [
        "the command line: 5 problems",
        "    --model: model.name: expected text, given an empty text",
        "    --method: method.name: expected 'full', 'lora' or 'head', given 'loar'; did you mean 'lora'?",
        "    --train: data.train[1]: expected text, given an empty text",
        "    --set train.epoch=3: train.epoch: unknown key; did you mean 'epochs'?",
        "    --out: output: expected text, given an empty text",
    ]
