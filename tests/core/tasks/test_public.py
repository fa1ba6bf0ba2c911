# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import subprocess
import sys

import tunesmith.tasks


def test_public_names():
    assert tunesmith.tasks.__all__ == [
        "Batch",
        "Encoded",
        "Matrix",
        "Metric",
        "Objective",
        "Section",
        "Table",
        "Task",
        "Text",
        "Transform",
        "open_task",
        "save_task",
    ]


def test_importing_the_tasks_loads_neither_torch_nor_transformers():
    names = "embedding preference reward text_classification causal_lm chat image_classification"
    names += " token_classification question_answering"
    names += " tabular_classification tabular_regression image_transforms text_transforms"
    code = "import sys\n" + "".join(f"import tunesmith.tasks.{name}\n" for name in names.split())
    code += "print([name for name in ('torch', 'transformers', 'PIL', 'pyarrow') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
