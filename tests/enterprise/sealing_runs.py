# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A small run to be sealed, and the recipe it was made by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunesmith.recipe import Recipe, parse_recipe
from tunesmith.testing import tiny_bert
from tunesmith.training import train

WORDS = (("pear", "fruit"), ("zinc", "metal"))
ROWS = [{"text": f"{word} {'very ' * (n % 7)}{n}", "label": label} for n in range(24) for word, label in WORDS]


def a_trained_run(folder: Path) -> Path:
    """A run, the rows it was trained on, and the model it started from, in a folder."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    tiny_bert(folder / "bert")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TUNESMITH_CACHE", "off")
        patched.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        train(a_recipe(folder, folder / "run"))
    return folder


def a_recipe(folder: Path, output: Path, rows: str = "rows.jsonl", **changes: Any) -> Recipe:
    """A short job on rows of the folder."""
    job = {
        "task": "text-classification",
        "model": str(folder / "bert"),
        "data": {"train": [str(folder / rows)], "split": {"test": 0.25}},
        "train": {"max_steps": 2, "tokens_per_batch": 96, "precision": "fp32", "device": "cpu"},
        "output": str(output),
    }
    return parse_recipe(job | changes)
