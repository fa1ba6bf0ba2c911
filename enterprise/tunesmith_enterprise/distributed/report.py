# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""One report for a job of several processes, beside its logs: the machines, every start, and how each ended."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tunesmith_enterprise.distributed.meeting import Place, Round

__all__ = ["JobReport"]


class JobReport:
    """``job.json`` on the main machine; written anew after every start and every end.

    ::

        nodes       hosts, by number
        processes   on the main machine
        starts      a list: number, began, ended, why it ended where the job went on or failed
        exit_code   of the job; null while it works
        run         the folder of the run; empty before its first step
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts: list[dict[str, Any]] = []
        self._content: dict[str, Any] = {"exit_code": None, "run": ""}

    def begin(self, begun: Round, place: Place) -> None:
        """All processes are about to be started."""
        self._content |= {"nodes": list(begun.hosts), "processes": place.processes}
        self._starts.append({"number": begun.number, "began": _now(), "ended": None, "why": ""})
        self._write()

    def end(self, why: str, code: int | None, run: str) -> None:
        """All of them have ended.

        Args:
            why: empty, where the job is over.
            code: its exit code then.
        """
        self._starts[-1] |= {"ended": _now(), "why": why}
        self._content |= {"exit_code": code, "run": run}
        self._write()

    def _write(self) -> None:
        self._path.write_text(json.dumps(self._content | {"starts": self._starts}, indent=2) + "\n", encoding="utf-8")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
