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

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names

if TYPE_CHECKING:
    from tunesmith.engine import Model, load
    from tunesmith.errors import TunesmithError
    from tunesmith.export import export_model
    from tunesmith.planning import plan
    from tunesmith.recipe import Recipe, parse_recipe, read_recipe
    from tunesmith.runs import Run
    from tunesmith.studies import cross_validate, search
    from tunesmith.training import train

__version__ = "0.1.0"

__all__ = [
    "Model",
    "Recipe",
    "Run",
    "TunesmithError",
    "cross_validate",
    "export_model",
    "load",
    "parse_recipe",
    "plan",
    "read_recipe",
    "search",
    "train",
]

if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Model": "tunesmith.engine",
            "Recipe": "tunesmith.recipe",
            "Run": "tunesmith.runs",
            "TunesmithError": "tunesmith.errors",
            "load": "tunesmith.engine",
            "parse_recipe": "tunesmith.recipe",
            "plan": "tunesmith.planning",
            "read_recipe": "tunesmith.recipe",
            "cross_validate": "tunesmith.studies",
            "export_model": "tunesmith.export",
            "search": "tunesmith.studies",
            "train": "tunesmith.training",
        },
    )
