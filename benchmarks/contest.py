# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Ours and the peers, turn about, each in a process of its own; medians, ratios, JSON.

A contender is a function from options and an empty folder to figures. It imports what it needs itself, so that a peer
can run in another environment (``--peer-python``) and a benchmark's file is read in both.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report import machine, save, table

__all__ = ["OURS", "SHARED", "Clock", "Column", "bf16_pays", "contest", "left_out", "options_parser"]

OURS = "tunesmith"
"""Contenders whose name begins so are ours; all others are peers."""

SHARED = Path(__file__).parents[1] / ".." / "shared"
Figures = dict[str, float]
Contenders = Mapping[str, Callable[[argparse.Namespace, Path], Figures]]


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        key: of a contender's figures.
        heading: its title.
        form: format of a value, e.g. ``{:,.0f}``.
        greater_is_better: which peer is the best one, for the ratio; ``None`` prints no ratio.
    """

    key: str
    heading: str
    form: str
    greater_is_better: bool | None = None


class Clock:
    """Tokens and seconds of steps, whatever happens between them included.

    The rate leaves out the first few, in which caches fill and code compiles.
    """

    WARM_UP = 5

    def __init__(self) -> None:
        self.steps: list[tuple[float, float]] = []
        self._last = 0.0

    def start(self) -> None:
        self._last = time.perf_counter()

    def tick(self, tokens: float) -> None:
        """A step has ended."""
        now = time.perf_counter()
        self.steps.append((tokens, now - self._last))
        self._last = now

    def figures(self) -> Figures:
        warm = self.steps[self.WARM_UP :] or self.steps
        return {
            "steps": len(self.steps),
            "tokens": sum(tokens for tokens, _ in self.steps),
            "seconds": sum(seconds for _, seconds in self.steps),
            "tokens_per_second": sum(tokens for tokens, _ in warm) / sum(seconds for _, seconds in warm),
        }


def bf16_pays() -> bool:
    """Whether this processor multiplies bf16 matrices faster; peers are then measured at bf16, their best."""
    import torch

    best = {}
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.randn(512, 512).to(dtype)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            torch.mm(matrix, matrix)
            times.append(time.perf_counter() - start)
        best[dtype] = min(times)
    return best[torch.bfloat16] * 1.5 < best[torch.float32]


def options_parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every contest has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1, help="turns of each contender; medians are printed")
    parser.add_argument("--max-steps", type=int, help="optimizer steps of each contender")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="run these contenders")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter of an environment with the peers")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    return parser


def left_out(options: argparse.Namespace, name: str, reason: str) -> None:
    """Say, once, that a contender does not run, and why."""
    if not options.contender:
        print(f"{name} is left out: {reason}", file=sys.stderr, flush=True)


def contest(
    options: argparse.Namespace,
    contenders: Contenders,
    columns: Sequence[Column],
    *,
    arguments: Sequence[str] = (),
    after: Callable[[argparse.Namespace, Path], Figures] | None = None,
    facts: Mapping[str, Any] | None = None,
    here: Collection[str] = (),
) -> None:
    """Run every contender and print the table; in a child process, run the one that was asked for.

    Args:
        arguments: for the children, beside those of this process.
        after: called here with the folder a contender left, for figures that are measured alike for all.
        facts: of the benchmark, saved with the figures.
        here: peers that are started with our interpreter, for their model is written by us.
    """
    if options.contender:
        folder = Path(options.folder)
        figures = contenders[options.contender](options, folder)
        figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(figures))
        return
    names = [name for name in contenders if options.only is None or name in options.only]
    runs: dict[str, list[Figures]] = {name: [] for name in names}
    for turn in range(options.repeat):
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                python = sys.executable if name.startswith(OURS) or name in here else options.peer_python
                command = [python, sys.argv[0], *sys.argv[1:], *arguments, "--contender", name, "--folder", folder]
                command += ["--seed", str(options.seed + turn)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                figures = json.loads(done.stdout.splitlines()[-1])
                figures |= after(options, Path(folder)) if after else {}
            runs[name].append(figures)
            print(f"{name}: {figures}", file=sys.stderr, flush=True)
    medians = {
        name: {key: statistics.median(run[key] for run in found) for key in found[0]} for name, found in runs.items()
    }
    print(table(["", *_headings(columns)], [[name, *_cells(name, medians, columns)] for name in names]))
    if options.out:
        benchmark = Path(sys.argv[0]).stem
        save(
            options.out,
            {"benchmark": benchmark, "machine": machine(), **(facts or {}), "runs": runs, "median": medians},
        )


def _headings(columns: Sequence[Column]) -> list[str]:
    headings = []
    for column in columns:
        headings += [column.heading] + (["to the best peer"] if column.greater_is_better is not None else [])
    return headings


def _cells(name: str, medians: Mapping[str, Figures], columns: Sequence[Column]) -> list[str]:
    cells = []
    for column in columns:
        value = medians[name].get(column.key)
        cells.append("" if value is None else column.form.format(value))
        if column.greater_is_better is None:
            continue
        peers = [found[column.key] for peer, found in medians.items() if not peer.startswith(OURS)]
        if not peers or value is None:
            cells.append("")
        elif column.greater_is_better:
            cells.append(f"{value / max(peers):.2f} ×")
        else:
            cells.append(f"{value / min(peers):.2f} ×")
    return cells
