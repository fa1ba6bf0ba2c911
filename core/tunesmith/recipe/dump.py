# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A recipe as text, every value written out, and as a JSON schema."""

from __future__ import annotations

from typing import Any

import yaml

from tunesmith.recipe.schema import Recipe
from tunesmith.recipe.yaml_text import Loader

__all__ = ["dump_recipe", "inline", "recipe_schema"]


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 *or* our reader would take for something else."""

    yaml_implicit_resolvers = {  # noqa: RUF012 -- PyYAML's own way
        first: yaml.SafeDumper.yaml_implicit_resolvers.get(first, []) + Loader.yaml_implicit_resolvers.get(first, [])
        for first in yaml.SafeDumper.yaml_implicit_resolvers.keys() | Loader.yaml_implicit_resolvers.keys()
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Only double quotes keep a text with line breaks, tabs and the like on one line.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML with every value, also those that were chosen; reads back as an equal recipe."""
    lines: list[str] = []
    for key, value in recipe.model_dump(mode="json").items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {inline(name)}: {inline(item)}" for name, item in value.items())]
        else:
            lines.append(f"{key}: {inline(value)}")
    return "\n".join(lines) + "\n"


def inline(value: Any) -> str:
    """A value as YAML on one line: ``[a, b]``, ``{text: body}``, ``'on'``."""
    text = yaml.dump(
        [value], Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.rstrip("\n")[1:-1]


def recipe_schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of a recipe, for editors and other programs."""
    schema = Recipe.model_json_schema(mode="validation")
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Tunesmith recipe"}
    return about | {key: value for key, value in schema.items() if key != "title"}
