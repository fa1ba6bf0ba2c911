# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The benchmarks of licenses run small, so that they cannot rot. No time is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

for needed in ("fastapi", "uvicorn", "sqlalchemy"):
    pytest.importorskip(needed, reason="the license server's packages are not installed")


def run(root: Path, name: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, str(root / "benchmarks" / name), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_leases_are_renewed_over_http(root: Path) -> None:
    figures = json.loads(run(root, "license_server.py", "--nodes", "2", "--json", "--seconds", "0.2"))
    assert figures["nodes"] == 2
    assert figures["renewals"] >= 2
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["most_ms"]


def test_a_license_is_decided_about_cold_and_warm(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    printed = run(root, "license_decision.py", "--turns", "1", "--rotations", "2", "--out", str(out))
    assert "first call of a process, with imports" in printed
    result = json.loads(out.read_text())
    assert result["rotations"] == 2
    assert 0 < result["milliseconds"]["warm"] < result["milliseconds"]["cold"]
