# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One strict, typed description of a job, from YAML, TOML, flags or Python.

>>> from tunesmith.recipe import parse_recipe
>>> data = {"train": "train.csv"}
>>> recipe = parse_recipe({"task": "chat", "model": "tunesmith/tiny", "data": data, "output": "runs/chat"})
>>> recipe.method.name, recipe.train.schedule
('full', 'linear')

Nothing here reads rows, finds models or knows which tasks exist; that is for the rooms above. What a plugin adds to a
recipe (``chosen.py``, ``plugins.py``) is checked when the job is prepared.
"""

from tunesmith.recipe.dump import dump_recipe, recipe_schema
from tunesmith.recipe.flags import from_flags
from tunesmith.recipe.parse import parse_recipe
from tunesmith.recipe.plugins import plugin_settings
from tunesmith.recipe.reader import read_recipe
from tunesmith.recipe.schema import (
    AugmentSection,
    DataSection,
    EvaluateSection,
    MethodSection,
    ModelSection,
    ObjectiveSection,
    Recipe,
    ReportPartSection,
    SplitSection,
    TrackerSection,
    TrainSection,
    TransformSection,
)
from tunesmith.recipe.section import Section
from tunesmith.recipe.starter import starter_recipe

__all__ = [
    "AugmentSection",
    "DataSection",
    "EvaluateSection",
    "MethodSection",
    "ModelSection",
    "ObjectiveSection",
    "Recipe",
    "ReportPartSection",
    "Section",
    "SplitSection",
    "TrackerSection",
    "TrainSection",
    "TransformSection",
    "dump_recipe",
    "from_flags",
    "parse_recipe",
    "plugin_settings",
    "read_recipe",
    "recipe_schema",
    "starter_recipe",
]
