# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The commands of docs/how-to/several-processes.md, in the order in which they stand there, on one small job."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from forge import PYTHON, Forge

from tunesmith.runs import Run

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "several-processes.md"
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^tunesmith (.+)$|`tunesmith ((?:launch|train) [^`]+)`", re.MULTILINE)
JOBS = (
    (
        "launch --nproc 2 recipe.yaml",
        "launch --nproc 2 --resume RUN",
    ),
    (
        "launch --nproc 4 --strategy fsdp recipe.yaml",
        "launch --nproc 2 --resume RUN",
        "launch --nproc 2 --resume RUN --strategy ddp",
        "train --resume RUN --strategy single",
    ),
    ("train recipe.yaml --set train.strategy=overlapped",),
)
"""Each is one job: all its commands but the last are stopped by Ctrl-C."""


def commands() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    assert BLOCK.search(text)
    return [" ".join((block or sentence).split()) for block, sentence in COMMAND.findall(text)]


def test_every_command_of_the_page_is_run_here() -> None:
    assert commands() == [command for job in JOBS for command in job]


def _heed_ctrl_c() -> None:
    """Whoever started the tests in the background may have them, and what they start, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Reader:
    """Who types the commands. All processes are forks, for the time."""

    def __init__(self, site: Any, forge: Forge) -> None:
        self.folder, self._environ = site.folder, site.environ
        self._program = [str(forge.folder / PYTHON), str(site.folder / "typed.py")]
        # As a file, and not by -m: then the processes that it starts with its own Python are forks too.
        (site.folder / "typed.py").write_text("import sys\nfrom tunesmith_cli.main import main\nsys.exit(main())\n")
        self.run = site.folder / "page-run"

    def types(self, command: str, *, stops: bool) -> None:
        """A command; ``stops``: after some steps it gets Ctrl-C."""
        words = shlex.split(command.replace("RUN", self.run.name).replace("recipe.yaml", "page.yaml"))
        before = self.steps()
        process = subprocess.Popen(
            [*self._program, *words], cwd=self.folder, env=self._environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_heed_ctrl_c,
        )  # fmt: skip
        try:
            while stops and self.steps() == before:
                assert process.poll() is None, process.communicate()
                time.sleep(0.02)
            if stops:
                process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.terminate()
        assert process.returncode == (130 if stops else 0), f"{command}\n{out}\n{err}"
        assert Run.open(self.run).manifest["status"] == ("interrupted" if stops else "finished")
        assert self.steps() > before

    def steps(self) -> int:
        """How many stand in the run."""
        found = self.run / "metrics.jsonl"
        return found.read_text().count('"kind": "step"') if found.exists() else 0


@pytest.mark.skipif(os.name != "posix", reason="the processes of this test are forks")
def test_the_commands_of_the_page_come_to_the_end_of_one_process(site: Any, forge: Forge) -> None:
    site.recipe(
        "page.yaml", output="page-run",
        train={"max_steps": 300, "epochs": 100, "save_every": 300, "learning_rate": 1e-5, "schedule": "constant"},
    )  # fmt: skip
    reader = Reader(site, forge)
    curves = []
    for number, job in enumerate(JOBS):
        for command in job:
            reader.types(command, stops=command != job[-1])
        curves.append([one["loss"] for one in Run.open(reader.run).metrics() if one["kind"] == "step"])
        reader.run.rename(site.folder / f"page-job-{number}")
    *several, one = curves
    assert len(one) == 300
    for curve in several:
        assert curve == pytest.approx(one, abs=1e-4)
