# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The benchmark of the license server runs small, so that it cannot rot. No time is judged here."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("tunesmith_enterprise", reason="the commercial package is not installed")
for needed in ("fastapi", "uvicorn", "sqlalchemy"):
    pytest.importorskip(needed, reason="the license server's packages are not installed")


def test_leases_are_renewed_over_http(root):
    command = [sys.executable, str(root / "benchmarks" / "license_server.py"), "--nodes", "2", "--json"]
    done = subprocess.run([*command, "--seconds", "0.2"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["nodes"] == 2
    assert figures["renewals"] >= 2
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["most_ms"]
