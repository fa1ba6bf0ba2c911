# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""docs/reference/recipe.md is made from the schema.

To write it anew: ``python tests/core/recipe/test_reference.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from tunesmith.recipe import Recipe
from tunesmith.recipe.dump import inline
from tunesmith.recipe.words import described, section_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "recipe.md"

HEAD = """\
<!--
SPDX-FileCopyrightText: 2026 The Tunesmith authors
SPDX-License-Identifier: MIT

Made from core/tunesmith/recipe/schema.py; do not edit. To write it anew: python tests/core/recipe/test_reference.py
-->
# Recipe

A recipe describes one job wholly. It is a YAML or TOML file, a set of flags, or a `tunesmith.Recipe` in Python; all
three are checked alike. `tunesmith recipe new TASK` prints a commented one to begin with, `tunesmith recipe schema` the
JSON schema for editors.

```yaml
task: text-classification
model: tunesmith/tiny
method: full
data:
  train: data/train.csv
  test: data/test.csv
  columns: {text: text, label: category}
train: {epochs: 5, learning_rate: 2e-4, tokens_per_batch: 1024, seed: 0}
output: runs/banking
```

- **Unknown keys are errors**, and so are values of the wrong type; nothing is converted on the quiet. All problems are
  told together, each with its line.
- **Relative paths start at the current working directory**, also when the recipe is a file elsewhere.
- **`null` means "chosen for you"**. What was chosen is printed, and written into the run's `recipe.yaml`.
- **Short forms**: `model: NAME` is `model: {name: NAME}`, `method: lora` is `method: {name: lora}`, and a single file
  needs no list. A section with nothing in it has its defaults.
- **Plain YAML values follow YAML 1.2**: `2e-4` is a number; only `true` and `false` are booleans, so `no` is a text;
  `010` is ten. A key that stands twice is an error.

## Overrides

`--set KEY=VALUE` puts one value over the recipe; it may be repeated, and later ones win. `KEY` is dotted
(`train.epochs`, `data.columns.text`, `data.split.validation`). `VALUE` is read as YAML:

| `--set` | value |
|---|---|
| `train.epochs=3` | the number 3 |
| `train.max_steps=` | nothing: `null` |
| `data.train=[a.csv, b.csv]` | a list |
| `data.train=*.csv` | the text `*.csv`: without quotes or brackets at its start, a value is taken as it stands |
| `model.revision='12'` | the text `12` |
| `method=lora` | the whole section anew, in its short form: the rank of the old one is forgotten |

## Every key
"""


def tables(model: type[BaseModel], name: str = "") -> Iterator[str]:
    """A heading, the section's docstring and a table; then the same for the sections in it."""
    if name:
        yield f"### `{name}`\n\n{(model.__doc__ or '').strip().replace('``', '`')}\n"
    rows = ["| key | holds | default | meaning |", "|---|---|---|---|"]
    for key, field in model.model_fields.items():
        section = section_of(field)
        kind = f"[section](#{f'{name}.{key}'.strip('.').replace('.', '')})" if section else described(field)
        default = "required" if field.is_required() else "–" if section else f"`{inline(_default(field))}`"
        rows.append(f"| `{key}` | {kind} | {default} | {field.description} |")
    yield "\n".join(rows) + "\n"
    for key, field in model.model_fields.items():
        section = section_of(field)
        if section:
            yield from tables(section, f"{name}.{key}".strip("."))


def _default(field: object) -> object:
    value = field.get_default(call_default_factory=True, validated_data={})  # type: ignore[attr-defined]
    return list(value) if isinstance(value, tuple) else value


def page() -> str:
    return "\n".join([HEAD, *tables(Recipe)])


def test_the_reference_says_what_the_schema_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/core/recipe/test_reference.py"


def test_every_key_is_in_the_reference() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for field in Recipe.model_fields.values():
        for key, inner in getattr(field.annotation, "model_fields", {}).items():
            assert f"| `{key}` |" in text
            assert f"| {inner.description} |" in text


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
