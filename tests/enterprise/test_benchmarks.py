# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The benchmarks of licenses and of a governed server run small, so that they cannot rot. No time is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from forge import Forge

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


def test_a_governed_server_is_asked_beside_one_with_keys_only(root: Path) -> None:
    pytest.importorskip("jwt", reason="the packages of the extra oidc are not installed")
    figures = json.loads(run(root, "serve_governed.py", "--models", "none", "--requests", "2", "--json"))
    told = figures["models"]
    assert list(told) == ["keys only", "governed, API key", "governed, token"]
    assert all(0 < one["p50_ms"] <= one["p99_ms"] for one in told.values())
    assert {"added_p50_ms", "added_p99_ms", "ratio_p50"} <= set(told["governed, token"])
    assert figures["written"]["records"] > 40  # what the governed server answered is in its log


@pytest.mark.timeout(600)
def test_several_processes_train_beside_one(root: Path, tmp_path: Path, forge: Forge) -> None:
    rows = [{"question": f"What is {i} and {i}? " * (1 + i % 4), "answer": f"It is {2 * i}."} for i in range(40)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "result.json"
    small = ("--shape", "tiny", "--steps", "2", "--repeat", "1", "--tokens", "256", "--processes", "1")
    # The benchmark itself in a fork, for the time; the jobs that it starts, and measures, are real processes.
    program = (
        "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('distributed', run_name='__main__')"
    )
    done = forge.python("-c", program, root / "benchmarks", *small, "--data", tmp_path, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "1 processes, threads:" in done.stdout
    turns = json.loads(out.read_text())["turns"]
    assert [one["loss"] for one, *_ in turns.values()] == pytest.approx([turns_loss(turns)] * 2, rel=1e-5)
    assert all(one["rate"] > 0 and one["held"] > 1e8 for one, *_ in turns.values())


def turns_loss(turns: dict[str, list[dict[str, float]]]) -> float:
    """The last loss of the first way."""
    return next(iter(turns.values()))[0]["loss"]
