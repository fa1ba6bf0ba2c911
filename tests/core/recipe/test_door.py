# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the room gives, and what it costs to enter."""

from __future__ import annotations

import subprocess
import sys

import tunesmith.recipe


def test_what_is_public() -> None:
    assert tunesmith.recipe.__all__ == [
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


def test_importing_it_is_light() -> None:
    program = (
        "import sys, tunesmith.recipe; print(sorted({'torch', 'transformers', 'numpy', 'peft'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
