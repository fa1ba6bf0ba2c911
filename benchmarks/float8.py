# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Training steps in bf16 beside float8, of a Llama-shaped model on one GPU.

    python benchmarks/float8.py [--size 1200000000] [--tokens 16384] [--steps 30] [--turns 3] [--json FILE]

Needs a GPU of compute capability 8.9 or more, tunesmith-enterprise with its extra float8, and 16 bytes a weight. No
license is asked here. Every way begins with the same weights and sees the same random tokens: weights in fp32, products
in bf16 (autocast) or float8, the repeated layers compiled, AdamW. The ways take turns; the median turn counts. Rates
are tokens a second, the loss is that of the last step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tunesmith.errors import TunesmithError
from tunesmith.models.load import load_weights
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.recipe.schema import TrainSection
from tunesmith.training.compile_choice import repeated_layers
from tunesmith.training.optimizer import make_optimizer

VOCABULARY = 32_000
ROW = 2048
"""Tokens of a row, at most."""
WAYS = ("bf16", "tensorwise", "rowwise", "rowwise-with-gw-hp")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1_200_000_000, help="weights of the model")
    parser.add_argument("--tokens", type=int, default=16_384, help="tokens of a step")
    parser.add_argument("--steps", type=int, default=30, help="steps of a turn")
    parser.add_argument("--turns", type=int, default=3, help="how often each way is measured")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS[:3], help="what is measured; bf16 first")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    given = parser.parse_args()
    try:
        found = measured(
            given.ways, size=given.size, tokens=given.tokens, steps=given.steps, turns=given.turns,
            device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        )  # fmt: skip
    except (TunesmithError, ImportError) as error:
        sys.exit(f"not measured: {error}")
    print(f"{found['weights']:,} weights, {given.tokens:,} tokens a step, {torch.cuda.get_device_name()}")
    for name, one in found["ways"].items():
        pace = f"{one['rate']:10,.0f} tokens/s  {one['ratio']:.2f} ×"
        print(f"{name:20s} {pace}  {one['held']:.1f} GiB  loss {one['loss']:.3f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


def measured(
    ways: Sequence[str], *, size: int, tokens: int, steps: int, turns: int, device: torch.device,
    emulate: bool = False, vocabulary: int = VOCABULARY,
) -> dict[str, Any]:  # fmt: skip
    """The figures of every way, the first of them the measure of the others.

    Args:
        emulate: compute float8 without units for it, and nothing compiled: to try this file out, not to measure.

    Raises:
        TunesmithError: the device cannot do it, or torchao is missing.
    """
    # Those who are to be refused are refused before a large model is made; "bf16" has no use for it alone.
    from tunesmith_enterprise.optimizations.float8.layers import Float8
    from tunesmith_enterprise.recipe import Float8Section

    Float8(Float8Section(), emulate=emulate).convert(_smallest(), device)
    row = min(ROW, tokens)
    ids = torch.randint(0, vocabulary, (steps, tokens // row, row), generator=torch.Generator().manual_seed(0))
    taken: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, float] = {}
    held: dict[str, float] = {}
    weights = 0
    for _ in range(turns):
        for name in ways:  # one model at a time: two would not fit
            model = _model(size, vocabulary, row).to(device)
            weights = sum(one.numel() for one in model.parameters())
            if name != "bf16":
                Float8(Float8Section(recipe=name), emulate=emulate).convert(model, device)  # type: ignore[arg-type]
            if not emulate:
                torch._dynamo.reset()
                for layer in repeated_layers(model):
                    layer.compile(dynamic=True)
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            seconds, losses[name] = _steps(model, ids.to(device))
            taken[name].append(seconds)
            held[name] = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
            del model
    rates = {name: tokens / statistics.median(times) for name, times in taken.items()}
    return {
        "weights": weights,
        "ways": {
            name: {"rate": rate, "ratio": rate / rates[ways[0]], "held": held[name], "loss": losses[name]}
            for name, rate in rates.items()
        },
    }


def _steps(model: nn.Module, ids: torch.Tensor) -> tuple[float, float]:
    """Median seconds of a step, the first three not counted where there are more, and the last loss."""
    optimizer = make_optimizer(model, TrainSection())
    for group in optimizer.param_groups:
        group["lr"] = 1e-4
    wait: Callable[[], object] = torch.cuda.synchronize if ids.is_cuda else lambda: None
    times, loss = [], torch.zeros(())
    for rows in ids:
        wait()
        started = time.perf_counter()
        with torch.autocast(ids.device.type, dtype=torch.bfloat16):
            loss = model(input_ids=rows, labels=rows, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        wait()
        times.append(time.perf_counter() - started)
    return statistics.median(times[3:] or times), loss.item()


def _model(size: int, vocabulary: int, row: int) -> nn.Module:
    options = ScratchOptions(
        architecture="llama", size=size, tokenizer="byte", vocabulary=vocabulary, context=row, seed=0
    )
    model: nn.Module = load_weights(ModelSource(name="scratch:llama", kind="scratch", scratch=options), "causal-lm")
    return model.train()


def _smallest() -> nn.Module:
    """A model with a layer that can be converted."""
    return nn.ModuleList(nn.Sequential(nn.Linear(16, 16)) for _ in range(2))


if __name__ == "__main__":
    main()
