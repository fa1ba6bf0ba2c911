# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Benchmarks run for two steps, so that they cannot rot. No time is judged here."""

import json
import subprocess
import sys

import pytest

from tunesmith.recipe import read_recipe
from tunesmith.testing import tiny_bert


def test_banking77_runs_both_contenders(root, tmp_path):
    pytest.importorskip("accelerate", reason="the peer needs accelerate")
    rows = "text,category\n" + "".join(f"apple {n},fruit\niron {n},metal\n" for n in range(40))
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text(rows)
    model = tiny_bert(tmp_path / "bert")
    command = [sys.executable, str(root / "benchmarks" / "banking77.py"), "--model", str(model)]
    command += ["--data", str(tmp_path), "--max-steps", "2", "--out", str(tmp_path / "result.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| tunesmith |" in done.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["median"].keys() == {"tunesmith", "trainer"}
    assert all(0 <= figures["accuracy"] <= 1 and figures["seconds"] > 0 for figures in result["median"].values())
    assert result["machine"]["cores"]


def test_the_recipes_are_recipes(root):
    files = sorted((root / "benchmarks" / "recipes").glob("*.yaml"))
    assert len({read_recipe(file).output for file in files}) == len(files) >= 3
