# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Seconds from kill -9 of one process of a job until it trains again, and whether it ends as without.

    python benchmarks/recovery.py [--processes 4] [--rank 3] [--steps 100] [--json FILE]

A small encoder learns to tell two words apart, with tunesmith-enterprise (which must be installed), in a licensed copy
that is made for the occasion. The job is done twice: undisturbed, and with one process killed in the middle. What
counts is the time from the signal to the first step after the last checkpoint, and that all metrics are equal.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from licensed_copy import use_licensed_copy

EVERY = 50
"""Steps between two checkpoints."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rank", type=int, default=3, help="the process that is killed")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        use_licensed_copy(folder, "distributed")
        _prepare(folder, arguments.steps)
        whole = _job(folder, "whole", arguments.processes)
        code = whole.wait()
        killed = _job(folder, "killed", arguments.processes)
        seconds, lost = _kill(folder, killed, arguments.rank, arguments.steps)
        codes = (code, killed.wait())
        metrics = [_metrics(folder / one) for one in ("whole", "killed")] if codes == (0, 0) else [{}, None]
        starts = json.loads((folder / "killed-logs" / "job.json").read_text())["starts"]
    figures = {
        "processes": arguments.processes,
        "seconds_until_training_again": round(seconds, 2),
        "steps_done_again": lost,
        "starts": len(starts),
        "same_metrics": metrics[0] == metrics[1],
    }
    for key, value in figures.items():
        print(f"{key.replace('_', ' '):30}{value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def _prepare(folder: Path, steps: int) -> None:
    from tunesmith.testing import tiny_bert

    rows = [f"{word} {'very ' * (n % 7)}{n},{label}" for n in range(24) for word, label in (("a", "x"), ("b", "y"))]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    tiny_bert(folder / "bert")
    train = {"epochs": steps, "max_steps": steps, "tokens_per_batch": 96, "precision": "fp32", "save_every": EVERY}
    recipe = {
        "task": "text-classification",
        "model": str(folder / "bert"),
        "data": {"train": str(folder / "rows.csv"), "split": {"validation": 0.25}},
        "train": {**train, "device": "cpu"},
        "evaluate": {"every": steps},
        "output": "set below",
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))  # JSON is YAML


def _job(folder: Path, name: str, processes: int) -> subprocess.Popen[bytes]:
    command = ["launch", "recipe.yaml", "--set", f"output={name}", "--nproc", str(processes), "--logs", f"{name}-logs"]
    environ = os.environ | {"PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "tunesmith_cli", *command, "--quiet"], cwd=folder, env=environ, stdout=subprocess.DEVNULL
    )


def _kill(folder: Path, job: subprocess.Popen[bytes], rank: int, steps: int) -> tuple[float, int]:
    """Gives the seconds until it trains again, and how many steps it does twice."""
    pulse = folder / "killed-logs" / f"process-{rank}.pulse"
    while (at := _step(pulse)[1]) < steps // 2 + EVERY // 2:
        _alive(job)
    victim = _step(pulse)[0]
    os.kill(victim, signal.SIGKILL)
    killed = time.perf_counter()
    while True:
        _alive(job)
        process, step = _step(pulse)
        if process not in (0, victim) and step > steps // 2:
            return time.perf_counter() - killed, at - steps // 2


def _alive(job: subprocess.Popen[bytes]) -> None:
    if job.poll() is not None:
        raise SystemExit(f"the job ended with {job.returncode} before it was measured: give it more --steps")
    time.sleep(0.01)


def _step(pulse: Path) -> tuple[int, int]:
    """Number of the process, and its step; zeros where there is none."""
    try:
        process, step = struct.unpack_from("<qq", pulse.read_bytes())
    except (OSError, struct.error):
        return 0, 0
    return process, step


def _metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())["metrics"]
    return found


if __name__ == "__main__":
    main()
