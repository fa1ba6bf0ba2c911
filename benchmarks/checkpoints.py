# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Time that checkpoints take from training: the core's, which a step waits for, and those written beside the steps.

    python benchmarks/checkpoints.py [--size 16000000] [--every 50] [--turns 2] [--json FILE]

A chat-sized decoder trains on batches of --tokens tokens, in one process, in turns of --every steps: without a
checkpoint, with the core's, and with one that is written beside the next steps (of tunesmith-enterprise, which must be
installed; no license is asked here). What each turn takes more than the same steps without a checkpoint, in percent, is
what the checkpoint costs. Steps are made the same way in all of them, and whatever a checkpoint still does when its
steps are over counts. On a machine that does other work too, look at the processor's work: it does not wait.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tunesmith.models.find import BYTE_VOCABULARY
from tunesmith.models.load import load_weights
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.recipe.schema import TrainSection
from tunesmith.training.checkpoint import Progress
from tunesmith.training.checkpoints import Checkpoints
from tunesmith.training.optimizer import make_optimizer

ROW = 128
"""Tokens of a row."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=16_000_000, help="weights of the model")
    parser.add_argument("--tokens", type=int, default=2048, help="tokens of a step")
    parser.add_argument("--every", type=int, default=50, help="steps between two checkpoints")
    parser.add_argument("--turns", type=int, default=2, help="how often each way is measured")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    arguments = parser.parse_args()
    options = ScratchOptions(
        architecture="llama", size=arguments.size, tokenizer="byte", vocabulary=BYTE_VOCABULARY, context=ROW, seed=0
    )
    model = load_weights(ModelSource(name="scratch:llama", kind="scratch", scratch=options), "causal-lm").train()
    optimizer = make_optimizer(model, TrainSection())
    optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = 1e-4
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(0, BYTE_VOCABULARY, (max(1, arguments.tokens // ROW), ROW), generator=generator)

    def steps(count: int, between: Callable[[], object]) -> float:
        started = time.perf_counter()
        for _ in range(count):
            model(input_ids=rows, labels=rows).loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            between()
        return time.perf_counter() - started

    with tempfile.TemporaryDirectory() as folder:
        ways = {"none": None, **_ways(Path(folder), model, optimizer)}
        steps(3, lambda: None)
        taken: dict[str, list[float]] = {name: [] for name in ways}
        work: dict[str, list[float]] = {name: [] for name in ways}
        step = 0
        for turn in range(arguments.turns + 1):
            for name, checkpoints in ways.items():
                step += 1
                count = arguments.every if turn else 2  # the first turn only warms up
                started, worked = time.perf_counter(), time.process_time()
                if checkpoints is None:
                    steps(count, lambda: None)
                else:
                    checkpoints.save(Progress(step=step))
                    steps(count, checkpoints.whole)
                    checkpoints.whole(wait=True)
                if turn:
                    taken[name].append(time.perf_counter() - started)
                    work[name].append(time.process_time() - worked)
        for checkpoints in ways.values():
            if checkpoints is not None:
                checkpoints.close()
    plain = statistics.median(taken["none"])
    weights = sum(one.numel() for one in model.parameters())
    print(f"{weights:,} weights, {12 * weights / 2**20:.0f} MiB a checkpoint")
    given = f"{arguments.every} steps of {rows.numel():,} tokens"
    print(f"{given}: {plain:.2f} s without a checkpoint, on {torch.get_num_threads()} threads\n")
    print("| checkpoints | seconds lost | of the time | of the processor's work |\n|---|---|---|---|")
    figures = {}
    for name in list(ways)[1:]:
        lost = statistics.median(taken[name]) - plain
        more = 100 * (statistics.median(work[name]) / statistics.median(work["none"]) - 1)
        figures[name] = {
            "seconds": round(lost, 3),
            "percent": round(100 * lost / plain, 2),
            "percent_of_work": round(more, 2),
        }
        print(f"| {name} | {lost:.2f} | {100 * lost / plain:.1f} % | {more:.1f} % |")
    if arguments.json is not None:
        seconds = {name: [round(one, 3) for one in values] for name, values in taken.items()}
        written = {"weights": weights, "seconds": seconds, "lost": figures}
        arguments.json.write_text(json.dumps(written, indent=2) + "\n")


def _ways(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Checkpoints]:
    from tunesmith_enterprise.checkpoints.overlapped import OverlappedCheckpoints  # where it is not installed: --help

    return {
        "core": Checkpoints(folder / "core", model, optimizer, keep=2),
        "overlapped": OverlappedCheckpoints(folder / "beside", model, optimizer, keep=2),
    }


if __name__ == "__main__":
    main()
