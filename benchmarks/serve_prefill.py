# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Reading long prompts: tokens a second, ours beside transformers and llama.cpp.

    python benchmarks/serve_prefill.py --shape qwen3-0.6b [--tokens 512] [--peer-python PATH] [--llama-python PATH]

Random weights; prompts that have nothing in common, one after the other, each with one token of an answer; the median
counts. ``--llama-python`` names an interpreter that has llama-cpp-python; its model is written by our exporter, from
weights in bf16 and at 8 bits.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contest import Column, contest, left_out, options_parser
from first_token import llama_cpp, prompts_of, tunesmith, with_transformers
from serve_decode import SHAPES, make_model

Times = Callable[[Path, list[list[int]]], list[float]]


def figures(options: argparse.Namespace, folder: Path, measure: Times) -> dict[str, float]:
    prompts = prompts_of(1 + options.turns, options.tokens, seed=1)
    _, *times = measure(make_model(options.shape, folder / "model"), prompts)
    middle = statistics.median(times)
    return {"tokens_per_second": options.tokens / middle * 1000, "ms": middle}


def ours(weights: Any) -> Callable[[argparse.Namespace, Path], dict[str, float]]:
    return lambda options, folder: figures(options, folder, lambda model, prompts: tunesmith(model, prompts, weights))


def transformers_forward(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return figures(options, folder, with_transformers)


def llama(quantize: str | None) -> Callable[[argparse.Namespace, Path], dict[str, float]]:
    def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
        def times(model: Path, prompts: list[list[int]]) -> list[float]:
            if quantize is None:
                in_bf16(model)
            return llama_cpp(options.llama_python, model, prompts, quantize)

        return figures(options, folder, times)

    return measure


def in_bf16(folder: Path) -> None:
    """Store a model's weights in bf16: the exporter writes them as they are stored."""
    import torch
    import transformers

    transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="qwen3-0.6b")
    parser.add_argument("--tokens", type=int, default=512, help="of a prompt")
    parser.add_argument("--turns", type=int, default=5, help="prompts that are timed")
    parser.add_argument("--llama-python", help="interpreter with llama-cpp-python")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.turns = options.max_steps or options.turns
    contenders = {
        "tunesmith": ours("auto"),
        "tunesmith, bf16": ours("bf16"),
        "tunesmith, 8 bits": ours("int8"),
        "transformers": transformers_forward,
        "llama.cpp, bf16": llama(None),
        "llama.cpp, 8 bits": llama("int8"),
    }
    llamas = [name for name in contenders if name.startswith("llama.cpp")]
    if not options.llama_python:
        left_out(options, "llama.cpp", "--llama-python names no interpreter that has llama-cpp-python")
        for name in llamas:
            del contenders[name]
    columns = [
        Column("tokens_per_second", "tokens/s", "{:,.1f}", greater_is_better=True),
        Column("ms", "ms", "{:,.1f}"),
    ]
    facts = {"shape": options.shape, "tokens": options.tokens}
    contest(options, contenders, columns, facts=facts, here=llamas)


if __name__ == "__main__":
    main()
