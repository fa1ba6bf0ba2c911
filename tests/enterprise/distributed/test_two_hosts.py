# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The walk-through of docs/how-to/two-hosts.md, on two hosts that are network namespaces."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tunesmith.runs import Run

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "two-hosts.md"
BLOCK = re.compile(r"^```shell\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOSTS = ("tunesmith-a", "tunesmith-b")


def cannot() -> str:
    """Why this machine makes no network namespaces."""
    if not shutil.which("ip") or not hasattr(os, "geteuid") or os.geteuid():
        return "network namespaces need Linux, root, and `ip`"
    made = subprocess.run(["ip", "netns", "add", "tunesmith-probe"], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "delete", "tunesmith-probe"], capture_output=True, check=False)
    return "" if made.returncode == 0 else f"no network namespaces here: {made.stderr.strip()}"


@pytest.fixture
def no_hosts() -> Any:
    """None of another test, or of one that failed."""
    if reason := cannot():
        pytest.skip(reason)

    def delete() -> None:
        for host in HOSTS:
            subprocess.run(["ip", "netns", "delete", host], capture_output=True, check=False)

    delete()
    yield
    delete()


@pytest.mark.usefixtures("no_hosts")
def test_a_link_that_is_cut_in_the_middle_changes_nothing(site: Any, launched: Any) -> None:
    steps = {"max_steps": 60, "epochs": 10, "save_every": 2}
    site.recipe("recipe.yaml", output="runs/two-hosts", train=steps)
    tools = site.folder / "two-hosts-tools"
    tools.mkdir()
    (tools / "tunesmith").write_text(f'#!/bin/sh\nexec {sys.executable} -m tunesmith_cli "$@"\n')
    (tools / "tunesmith").chmod(0o755)
    script = "\n".join(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    environ = site.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", script], cwd=site.folder, env=environ, capture_output=True, text=True, timeout=200, check=False
    )
    said = "\n".join((site.folder / file).read_text() for file in ("a.txt", "b.txt"))
    assert done.returncode == 0, done.stdout + done.stderr + said
    cut = Run.open(site.folder / "runs" / "two-hosts")
    report = json.loads((site.folder / "logs" / "node-0" / "job.json").read_text())
    whys = [start["why"] for start in report["starts"]]
    assert "heard of" in whys[0]
    assert (whys[-1], report["exit_code"]) == ("", 0)

    undisturbed = launched(site.recipe("still.yaml", output="still", train=steps), name="still-job")
    assert undisturbed.run(2) == [0, 0], undisturbed.said
    still = Run.open(site.folder / "still")
    assert cut.manifest["metrics"] == still.manifest["metrics"]
    assert (cut.path / "model" / "model.safetensors").read_bytes() == (
        still.path / "model" / "model.safetensors"
    ).read_bytes()
    assert [record["loss"] for record in cut.metrics() if record["kind"] == "step"] == [
        record["loss"] for record in still.metrics() if record["kind"] == "step"
    ]
