# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Recipes to begin with: the few keys a job needs, and every other key as a comment with its default.

Only the handful of example values stands here; all explanations and defaults come from the schema.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Literal, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tunesmith.recipe.dump import inline
from tunesmith.recipe.schema import Recipe
from tunesmith.recipe.words import described, section_of

__all__ = ["starter_recipe"]

_HEAD = """\
# A Tunesmith recipe. To run it: tunesmith train recipe.yaml
#
# A # followed by a key, without a space, is a setting at its default: remove the # and change it.
# null means: chosen for you, and written into the run. Relative paths start where the command is run.
"""

_SPLIT = {"validation": 0.1, "test": 0.1}
_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "text-classification": {
        "model": {"name": "tunesmith/tiny"},
        "data": {"train": "data/train.csv", "columns": {"text": "text", "label": "label"}, "split": _SPLIT},
    },
    "token-classification": {
        "model": {"name": "tunesmith/tiny"},
        "data": {"train": "data/train.conll", "split": _SPLIT},
    },
    "question-answering": {
        "model": {"name": "tunesmith/tiny"},
        "data": {"train": "data/train.json", "format": "squad", "split": _SPLIT},
    },
    "causal-lm": {
        "model": {"name": "tunesmith/tiny"},
        "data": {"train": "data/train.txt", "split": _SPLIT},
    },
    "chat": {
        "model": {"name": "tunesmith/tiny"},
        "data": {"train": "data/train.jsonl", "split": _SPLIT},
    },
    "embedding": {
        "model": {"name": "sentence-transformers/all-MiniLM-L6-v2"},
        "data": {"train": "data/pairs.csv", "columns": {"anchor": "question", "positive": "answer"}, "split": _SPLIT},
    },
    "preference": {
        "model": {"name": "tunesmith/tiny"},
        "objective": {"name": "dpo"},
        "data": {"train": "data/pairs.jsonl", "split": _SPLIT},
    },
    "reward": {
        "model": {"name": "tunesmith/tiny"},
        "data": {"train": "data/pairs.jsonl", "split": _SPLIT},
    },
    "tabular-classification": {
        "model": {"name": "scratch:tabular-mlp"},
        "data": {"train": "data/train.csv", "columns": {"label": "species"}, "split": _SPLIT},
    },
    "tabular-regression": {
        "model": {"name": "scratch:tabular-mlp"},
        "data": {"train": "data/train.csv", "columns": {"target": "price"}, "split": _SPLIT},
    },
    "seq2seq": {
        "model": {"name": "google-t5/t5-small"},
        "data": {"train": "data/pairs.csv", "columns": {"source": "en", "target": "de"}, "split": _SPLIT},
        "evaluate": {"generate": 100},
    },
    "image-classification": {
        "model": {"name": "scratch:cnn"},
        "data": {"train": "data/train", "split": _SPLIT},
    },
}
_GENERIC: Mapping[str, Any] = {
    "model": {"name": "tunesmith/tiny"},
    "data": {"train": "data/train.csv", "split": _SPLIT},
}


def starter_recipe(task: str) -> str:
    """A commented recipe for a task, as YAML.

    Args:
        task: a built-in task gets fitting example values; for any other name they are general.

    Raises:
        ValueError: the name is empty.
    """
    if not task.strip():
        raise ValueError("the task needs a name, e.g. 'text-classification'")
    short = task.rsplit("/", 1)[-1]
    examples = _EXAMPLES.get(task.removeprefix("tunesmith/"), _GENERIC)
    values = {"task": task, **examples, "output": f"runs/{short}"}
    parts = [_HEAD]
    for name, field in Recipe.model_fields.items():
        section = section_of(field)
        if section is None:
            parts.append(_key(name, field, values, indent=""))
        else:
            inner = "".join(_key(key, part, values.get(name, {}), indent="  ") for key, part in _fields(section))
            parts.append(f"{_comment(field, '')}{name}:\n{inner}")
    return "\n".join(parts)


def _fields(section: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    return list(section.model_fields.items())


def _key(name: str, field: FieldInfo, values: Mapping[str, Any], indent: str) -> str:
    """The explanation of a key, and the key: with its example value, or commented out with its default."""
    if name in values:
        line = f"{indent}{name}: {inline(values[name])}\n"
    else:
        line = f"{indent}#{name}: {inline(_default(field))}\n"
    return _comment(field, indent) + line


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True, validated_data={})
    value = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return list(value) if isinstance(value, tuple) else value


def _comment(field: FieldInfo, indent: str) -> str:
    text = field.description or ""
    if get_origin(field.annotation) is Literal:
        text += f" One of {described(field)}."
    lines = textwrap.wrap(text, width=110, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    section = section_of(field) if indent else None  # a section on one line: its keys are explained above it
    for key, part in _fields(section) if section else []:
        lines.append(f"{indent}#   {key}: {part.description}")
    return "".join(f"{line}\n" for line in lines)
