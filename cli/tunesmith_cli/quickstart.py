# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The first minute: fine-tune the small model that comes with the package, on the small dataset that does."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunesmith.recipe import Recipe

__all__ = ["QUESTION", "free_folder", "quickstart_recipe"]

QUESTION = "Where is my parcel? It was meant to be here on Monday."


def free_folder(name: str) -> Path:
    """``name``, or ``name-2``, ``name-3`` … : the first that does not exist."""
    candidates = (Path(name if number == 1 else f"{name}-{number}") for number in count(1))
    return next(folder for folder in candidates if not folder.exists())


def quickstart_recipe(out: Path) -> Recipe:
    """The job: six kinds of questions to a support desk, told apart by ``tunesmith/tiny``."""
    from tunesmith.recipe import parse_recipe

    recipe: dict[str, Any] = {
        "task": "text-classification",
        "model": "tunesmith/tiny",
        "method": "full",
        "data": {"train": "dataset:tunesmith/support#train", "test": "dataset:tunesmith/support#test"},
        "train": {"epochs": 10, "learning_rate": 1e-3, "tokens_per_batch": 512, "weight_decay": 0.1},
        "output": str(out),
    }
    return parse_recipe(recipe, source="the quickstart")
