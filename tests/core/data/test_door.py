# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The room's door: what it exports, and what opening it costs."""

from __future__ import annotations

import subprocess
import sys

import tunesmith.data

HEAVY = ("pyarrow", "PIL", "huggingface_hub", "torch", "transformers", "pydantic")


def test_all():
    assert sorted(tunesmith.data.__all__) == tunesmith.data.__all__
    assert all(hasattr(tunesmith.data, name) for name in tunesmith.data.__all__)


def test_importing_loads_no_heavy_library():
    code = f"import sys, tunesmith.data; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
