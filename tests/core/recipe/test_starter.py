# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Every starter is a recipe, and so is each of its lines uncommented."""

from __future__ import annotations

import re

import pytest

from tunesmith.recipe import Recipe, parse_recipe, starter_recipe
from tunesmith.recipe.yaml_text import read_yaml

BUILT_IN = [
    "text-classification",
    "token-classification",
    "question-answering",
    "causal-lm",
    "chat",
    "image-classification",
    "tabular-classification",
    "tabular-regression",
]
TASKS = [*BUILT_IN, "my-plugin/stance", "yes"]
COMMENTED = re.compile(r"^( *)#(\w+:.*)$", re.MULTILINE)


def parsed(text: str) -> Recipe:
    data, lines = read_yaml(text, "starter")
    return parse_recipe(data, lines=lines)


@pytest.mark.parametrize("task", TASKS)
def test_it_is_a_recipe(task: str) -> None:
    recipe = parsed(starter_recipe(task))
    assert recipe.task == task
    assert recipe.output == "runs/" + task.split("/")[-1]
    assert recipe.data.split.validation == 0.1


@pytest.mark.parametrize("task", TASKS)
def test_every_commented_key_is_at_its_default(task: str) -> None:
    text = starter_recipe(task)
    whole = parsed(text)
    hits = list(COMMENTED.finditer(text))
    assert len(hits) > 30
    for hit in hits:
        assert parsed(text[: hit.start()] + hit[1] + hit[2] + text[hit.end() :]) == whole
    assert parsed(COMMENTED.sub(r"\1\2", text)) == whole


@pytest.mark.parametrize("task", TASKS)
def test_every_key_is_there_with_its_meaning(task: str) -> None:
    text = starter_recipe(task)
    prose = re.sub(r"\s*\n\s*# ", " ", text)
    for name, field in Recipe.model_fields.items():
        assert re.search(rf"^#?{name}:", text, re.MULTILINE)
        assert field.description is not None
        for key, inner in getattr(field.annotation, "model_fields", {}).items():
            assert re.search(rf"^  #?{key}: ", text, re.MULTILINE), f"{name}.{key}"
            assert inner.description in prose, f"{name}.{key}"
    assert max(map(len, text.splitlines())) <= 120


def test_the_examples_fit_the_task() -> None:
    assert parsed(starter_recipe("text-classification")).data.columns == {"text": "text", "label": "label"}
    assert parsed(starter_recipe("tunesmith/image-classification")).model.name == "scratch:cnn"
    assert parsed(starter_recipe("chat")).data.train == ["data/train.jsonl"]


def test_a_task_needs_a_name() -> None:
    with pytest.raises(ValueError, match="the task needs a name"):
        starter_recipe(" ")
