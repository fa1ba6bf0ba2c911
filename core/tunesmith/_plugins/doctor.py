# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Import every target of a plugin, in a process of its own: specs are text, and text rots.

A target may hang, exit or crash the interpreter. So the child writes a line as each target is done, and
when it ends early the first target without a line is the one to blame; the rest are tried in a new child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tunesmith._plugins.records import Provided

__all__ = ["TargetCheck", "check_plugin_targets"]

_CHILD = "tunesmith._plugins.import_targets"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCheck:
    """How importing one target went.

    Attributes:
        provided: what names the target.
        ok: it is there.
        seconds: it took, without what earlier targets of the plugin had imported already.
        reason: one line; empty when ok.
        traceback: or what the child said before it died; empty when ok.
    """

    provided: Provided
    ok: bool
    seconds: float
    reason: str = ""
    traceback: str = ""


def check_plugin_targets(provided: Sequence[Provided], *, timeout: float = 120.0) -> list[TargetCheck]:
    """Import the targets of one plugin, in order.

    Args:
        provided: what the plugin provides.
        timeout: seconds one child may take.

    Returns:
        One check per target, in the given order.
    """
    checks: list[TargetCheck] = []
    while len(checks) < len(provided):
        rest = provided[len(checks) :]
        lines, end, seconds, said = _run_child([one.spec.target for one in rest], timeout)
        for one, line in zip(rest, lines, strict=False):
            checks.append(TargetCheck(provided=one, **json.loads(line)))
        if len(lines) < len(rest):
            blamed = rest[len(lines)]
            checks.append(TargetCheck(provided=blamed, ok=False, seconds=seconds, reason=end, traceback=said))
    return checks


def _run_child(targets: list[str], timeout: float) -> tuple[list[str], str, float, str]:
    """The lines a child wrote, how it ended, the time limit or 0, and the end of what it said."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder, "report"), Path(folder, "output")
        report.touch()
        command = [sys.executable, "-X", "faulthandler", "-m", _CHILD, str(report), *targets]
        seconds = 0.0
        with output.open("wb") as said:
            try:
                code = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=timeout, env=environ
                ).returncode
                end = f"the process ended with exit code {code} while importing it"
            except subprocess.TimeoutExpired:
                end, seconds = f"importing it was not done after {timeout:g} s", timeout
        tail = output.read_bytes()[-4000:].decode("utf-8", "replace")
        return report.read_text("utf-8").splitlines(), end, seconds, tail
