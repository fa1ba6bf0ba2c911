# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One process with all threads beside several with a part of them, and what `tunesmith plan` said of them before.

    python benchmarks/distributed.py [--processes 2] [--steps 14] [--repeat 2]
    python benchmarks/distributed.py --predict [--strategies ddp fsdp] [--worlds 1 2 4]

The work is the chat work of train_chat.py, the same recipe for all. The enterprise package is a copy of the installed
one with a root and a license made for the occasion. The rate is that of the steps themselves, without the first few;
the ways take turns.

With --predict each job is planned first (`tunesmith plan --strategy`), then trained twice, with few steps and with
more; bytes are what the loopback device of a network namespace counted for the difference, over all processes. Where no
namespace can be made, the machine's own device counts, with whatever else is sent meanwhile. Memory is the largest peak
of a process, by the kernel.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contest import SHARED, Clock
from licensed_copy import licensed_copy
from report import machine, save, table
from train_chat import RATE, SHAPES, TOKENS, make_model, read_rows

NAMESPACE = ("unshare", "--map-root-user", "--net")
COUNTED = "cat /proc/net/dev > before; {}; code=$?; cat /proc/net/dev > after; exit $code"
FEW = 3
"""Steps of the shorter job, of which only the bytes are looked at."""


def prepare(options: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Package, license, model, rows and recipe; gives the environment that finds them."""
    environment = licensed_copy(folder, "distributed")
    make_model(options, folder / "base")
    rows = "".join(json.dumps(row) + "\n" for row in read_rows(options, "train"))
    (folder / "rows.jsonl").write_text(rows, encoding="utf-8")
    recipe = {
        "task": "chat",
        "model": "base",
        "data": {"train": "rows.jsonl"},
        "train": {
            "max_steps": options.steps,
            "learning_rate": RATE,
            "tokens_per_batch": options.tokens,
            "precision": options.precision,
            "save_every": 1_000_000,
            "log_every": 1,
        },
        "evaluate": {"before": False, "samples": 0},
        "output": "run",
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
    return os.environ | environment | {"XDG_CACHE_HOME": str(folder / "cache")}


def tunesmith(
    folder: Path, environment: Mapping[str, str], threads: int, *command: str, apart: bool = False
) -> tuple[str, int]:
    """One command: what it prints, and bytes: the most that any process of it held.

    Args:
        apart: in a network namespace of its own, whose loopback device is counted.
    """
    program = [sys.executable, "-m", "tunesmith_cli", *command]
    if apart:
        counted = COUNTED.format(shlex.join(program))
        program = [*NAMESPACE, "sh", "-c", f"ip link set lo up && {counted}"] if namespaces() else ["sh", "-c", counted]
    environment = {**environment, "OMP_NUM_THREADS": str(threads)}
    with (folder / "out").open("w+") as out, (folder / "errors").open("w+") as errors:
        started = subprocess.Popen(program, cwd=folder, env=environment, stdout=out, stderr=errors)
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if started.returncode not in (0, 4):  # 4: planned, and would not fit
            sys.exit(errors.read())
        return out.read(), usage.ru_maxrss * 1024


def namespaces() -> bool:
    """Whether a network namespace can be made here."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*NAMESPACE, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0


def steps_of(folder: Path) -> list[dict[str, Any]]:
    """The records of the run's steps, without the first few."""
    lines = (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [record for record in map(json.loads, lines) if record["kind"] == "step"]
    return steps[Clock.WARM_UP :] or steps


def train(
    folder: Path, environment: Mapping[str, str], threads: int, *command: str, apart: bool = False
) -> dict[str, float]:
    """Tokens a second, seconds of a step, the last loss, and the most that a process held: bytes."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    _, held = tunesmith(folder, environment, threads, *command, "--quiet", apart=apart)
    steps = steps_of(folder)
    seconds = sum(step["seconds"] for step in steps)
    return {
        "rate": sum(step["tokens"] for step in steps) / seconds,
        "seconds": seconds / len(steps),
        "loss": steps[-1]["loss"],
        "held": float(held),
    }


def compare(options: argparse.Namespace, folder: Path, environment: Mapping[str, str]) -> None:
    """One process beside several."""
    cores = available()
    each = max(1, cores // options.processes)
    ways = {
        f"1 process, threads: {cores}": (cores, "train", "recipe.yaml"),
        f"{options.processes} processes, threads: {each} each": (
            each,
            *("launch", "--nproc", str(options.processes), "recipe.yaml"),
            *("--set", f"train.strategy={options.strategies[0]}"),
        ),
    }
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(options.repeat):
        for way, (threads, *command) in ways.items():
            found[way].append(train(folder, environment, threads, *command))
    rates = {way: statistics.median(one["rate"] for one in turns) for way, turns in found.items()}
    alone = next(iter(rates.values()))
    rows = [[way, f"{rate:,.0f}", f"{rate / alone:.2f}", f"{found[way][0]['loss']:.4f}"] for way, rate in rates.items()]
    print(table(["", "tokens/s", "of one process", "last loss"], rows))
    if options.out:
        save(options.out, {"machine": machine(), **settings(options), "turns": found})


def predict(options: argparse.Namespace, folder: Path, environment: Mapping[str, str]) -> None:
    """What was planned beside what was, for each strategy and number of processes."""
    cores = available()
    found = []
    for strategy in options.strategies:
        for world in options.worlds:
            layout = ("--strategy", strategy, "--nproc", str(world), "--samples", "0", "--json")
            planned = json.loads(tunesmith(folder, environment, cores, "plan", "recipe.yaml", *layout)[0])
            threads = max(1, cores // world)
            command = ("launch", "--nproc", str(world), "recipe.yaml", "--set", f"train.strategy={strategy}")
            sent = []
            for steps in (FEW, options.steps):
                measured = train(
                    folder, environment, threads, *command, "--set", f"train.max_steps={steps}", apart=True
                )
                sent.append(loopback(folder))
            found.append(
                {
                    "strategy": strategy,
                    "world": world,
                    "planned": planned["projection"]["figures"]["cost"],
                    "measured": {
                        "sent_bytes": (sent[1] - sent[0]) / (options.steps - FEW) / world,
                        "step_seconds": measured["seconds"],
                        "tokens_per_second": measured["rate"],
                        "peak_bytes": measured["held"],
                    },
                }
            )
    header = [*("", "processes"), *("sent MB", "planned", "off"), *("step s", "planned", "off")]
    print(table([*header, "held MB", "planned", "off"], [row(one) for one in found]))
    if options.out:
        save(options.out, {"machine": machine(), **settings(options), "jobs": found})


def row(one: Mapping[str, Any]) -> list[str]:
    """Measured, planned and the error of the plan."""
    planned, measured = one["planned"], one["measured"]
    cells = [one["strategy"], str(one["world"])]
    planned = {**planned, "peak_bytes": planned["memory"]["peak"]}
    for key, scale in (("sent_bytes", 1e6), ("step_seconds", 1.0), ("peak_bytes", 1e6)):
        real, said = measured[key] / scale, planned[key] / scale
        off = "" if not real or not said else f"{said / real - 1:+.0%}"
        cells += [f"{real:.3g}", f"{said:.3g}", off]
    return cells


def loopback(folder: Path) -> int:
    """Bytes that the loopback device sent during the last job."""
    counts = []
    for name in ("before", "after"):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        counts.append(next(int(line.split(":")[1].split()[8]) for line in lines if line.strip().startswith("lo:")))
    return counts[1] - counts[0]


def available() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    return {"shape": options.shape, "tokens_per_step": options.tokens, "steps": options.steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predict", action="store_true", help="hold plans against jobs")
    parser.add_argument("--shape", choices=SHAPES, default="qwen3-34m")
    parser.add_argument("--strategies", nargs="+", default=["ddp"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--worlds", type=int, nargs="+", default=[1, 2, 4], help="with --predict: processes of each job"
    )
    parser.add_argument("--tokens", type=int, default=TOKENS, help="of a step")
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--precision", default="auto", help="see train.precision")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "gsm8k")
    parser.add_argument("--out", type=Path, help="save the figures as JSON")
    options = parser.parse_args()
    if options.predict and options.steps <= FEW:
        parser.error(f"--predict needs more than {FEW} steps")
    with tempfile.TemporaryDirectory() as name:
        environment = prepare(options, Path(name))
        (predict if options.predict else compare)(options, Path(name), environment)


if __name__ == "__main__":
    main()
