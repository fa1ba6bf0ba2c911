# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The benchmark of priority runs small, so that it cannot rot. No time is judged here."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest


def test_it_measures_what_it_says(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    out = tmp_path / "result.json"
    small = ["--shape", "tiny", "--requests", "2", "--seconds", "0.05", "--turns", "1", "--slots", "2"]
    monkeypatch.setattr(sys, "argv", ["serve_priority.py", *small, "--orders", "core", "pause", "--out", str(out)])
    importlib.import_module("serve_priority").main()
    assert "p95, overload : alone" in capsys.readouterr().out
    result = json.loads(out.read_text())
    assert set(result["latency"]) == {"core", "pause"}
    for found in result["latency"].values():
        assert 0 < found["alone_p50_ms"] <= found["alone_p95_ms"]
        assert found["ratio_p95"] == pytest.approx(found["overload_p95_ms"] / found["alone_p95_ms"])
    assert result["throughput"]["throughput_ratio"] > 0
    assert set(result["fairness"]) == {"fair_core", "fair", "weights"}
