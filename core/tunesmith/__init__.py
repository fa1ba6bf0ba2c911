# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Fine-tune open models on your own data, see what came out, use it.

>>> import tunesmith
>>> run = tunesmith.train(tunesmith.read_recipe("recipe.yaml"))  # doctest: +SKIP
>>> model = tunesmith.load(run.path)  # doctest: +SKIP
>>> model.predict([{"text": "I lost my card"}])  # doctest: +SKIP

Importing this package loads neither torch nor transformers; names are resolved on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunesmith.engine import Model, load
    from tunesmith.errors import TunesmithError
    from tunesmith.recipe import Recipe, parse_recipe, read_recipe
    from tunesmith.runs import Run
    from tunesmith.training import train

__version__ = "0.1.0"

__all__ = ["Model", "Recipe", "Run", "TunesmithError", "load", "parse_recipe", "read_recipe", "train"]

_HOME = {
    "Model": "tunesmith.engine",
    "Recipe": "tunesmith.recipe",
    "Run": "tunesmith.runs",
    "TunesmithError": "tunesmith.errors",
    "load": "tunesmith.engine",
    "parse_recipe": "tunesmith.recipe",
    "read_recipe": "tunesmith.recipe",
    "train": "tunesmith.training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tunesmith' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
