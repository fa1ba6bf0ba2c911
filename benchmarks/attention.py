# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attention, forward and backward: our plain products, the models' own (``eager``), and PyTorch's fused kernel.

    python benchmarks/attention.py [--bf16] [--turns 25]

The three take turns on the same tensors; medians in milliseconds. Each batch holds about 2,048 tokens.

Shapes: R rows, H heads of queries, K heads of keys, L tokens a row, D width of a head.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from report import machine, save, table
from torch import nn
from torch.nn import functional

TOKENS = 2048
LENGTHS = (17, 48, 100, 152, 250, 320, 512)
KINDS: dict[str, dict[str, Any]] = {
    "MiniLM: 12 heads of 32, padded, dropout 0.1": {"heads": 12, "shared": 12, "width": 32, "dropout": 0.1},
    "Qwen3 34 M: 6 heads over 3, of 64, causal": {"heads": 6, "shared": 3, "width": 64, "causal": True},
    "SmolLM2: 9 heads over 3, of 64, causal": {"heads": 9, "shared": 3, "width": 64, "causal": True},
}


def measure(
    length: int, *, heads: int, shared: int, width: int, dropout: float = 0.0, causal: bool = False, turns: int = 25
) -> dict[str, float]:
    """Milliseconds of a forward and a backward pass over one batch, by implementation."""
    from transformers.models.llama.modeling_llama import eager_attention_forward

    from tunesmith.training.plain_attention import plain_attention

    rows = max(1, TOKENS // length)
    query, key, value = (torch.randn(rows, length, count, width) for count in (heads, shared, shared))
    inputs = [one.transpose(1, 2).requires_grad_() for one in (query, key, value)]
    gradient = torch.randn(rows, length, heads, width)
    layer = nn.Module().train()
    layer.is_causal, layer.num_key_value_groups = causal, heads // shared  # type: ignore[assignment]
    seen, added = None, None
    if causal:
        added = torch.full((length, length), torch.finfo(torch.float32).min).triu(1)[None, None]
    else:
        seen = torch.ones(rows, 1, 1, length, dtype=torch.bool)
        seen[::2, ..., -max(1, length // 16) :] = False
        seen = seen.expand(rows, 1, length, length)
        added = torch.where(seen, 0.0, torch.finfo(torch.float32).min)

    def ours() -> torch.Tensor:
        return plain_attention(layer, *inputs, seen, dropout=dropout)[0]

    def eager() -> torch.Tensor:
        found: torch.Tensor = eager_attention_forward(layer, *inputs, added, scaling=width**-0.5, dropout=dropout)[0]
        return found

    def fused() -> torch.Tensor:
        return functional.scaled_dot_product_attention(
            *inputs, attn_mask=seen, is_causal=causal, dropout_p=dropout, enable_gqa=heads != shared
        ).transpose(1, 2)

    ways: dict[str, Callable[[], torch.Tensor]] = {"ours": ours, "eager": eager, "fused": fused}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            start = time.perf_counter()
            answer = way()
            answer.backward(gradient.to(answer.dtype))
            times[name].append(time.perf_counter() - start)
            for one in inputs:
                one.grad = None
    return {name: 1e3 * statistics.median(found) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=25)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--bf16", action="store_true", help="under bf16 autocast")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    options = parser.parse_args()
    from tunesmith.training.heap import kept_memory

    found: dict[str, dict[str, dict[str, float]]] = {}
    with kept_memory(), torch.autocast("cpu", torch.bfloat16) if options.bf16 else nullcontext():
        for kind, settings in KINDS.items():
            found[kind] = {str(n): measure(n, **settings, turns=options.turns) for n in options.lengths}
    for kind, by_length in found.items():
        rows = [
            [
                length,
                *(f"{times[way]:.1f}" for way in times),
                f"{times['ours'] / min(times['eager'], times['fused']):.2f} ×",
            ]
            for length, times in by_length.items()
        ]
        print(f"\n{kind}\n\n" + table(["tokens a row", "ours, ms", "eager", "fused", "to the best other"], rows))
    if options.out:
        save(options.out, {"benchmark": "attention", "machine": machine(), "bf16": options.bf16, "times_ms": found})


if __name__ == "__main__":
    main()
