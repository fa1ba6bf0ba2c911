# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The machine and the versions, found without importing anything heavy."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import version

import tunesmith.runs
from tunesmith.runs import environment


def test_it_names_the_machine_and_the_packages() -> None:
    found = environment()
    assert list(found) == ["python", "platform", "cpu", "cores", "packages"]
    assert found["python"] == platform.python_version()
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["packages"]["torch"] == version("torch")
    assert found["packages"]["tunesmith"] == version("tunesmith")
    assert json.loads(json.dumps(found)) == found


def test_it_imports_nothing_heavy() -> None:
    program = """
import sys, tunesmith.runs
tunesmith.runs.environment()
print(sorted({'torch', 'transformers', 'numpy', 'pyarrow', 'peft'} & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_what_is_public() -> None:
    assert tunesmith.runs.__all__ == [
        "Comparison",
        "Run",
        "RunSummary",
        "artefact_digests",
        "atomic_write",
        "checkpoint_damage",
        "compare_runs",
        "complete_checkpoints",
        "environment",
        "file_digest",
        "flush_folder",
        "list_runs",
        "usual_permissions",
        "writing",
    ]
