# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The second request that begins like the first: time to its first token, ours beside transformers and llama.cpp.

    python benchmarks/serve_prefix.py --shape qwen3-0.6b [--shared 1000] [--peer-python PATH] [--llama-python PATH]

Random weights. Another prompt comes first, so that caches are warm; then one that begins with ``--shared`` tokens and
goes on with 24 others; then some with the same beginning and 24 others each, of which the median counts.
``--llama-python`` names an interpreter that has llama-cpp-python; its model is written by our exporter.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

from contest import Column, contest, left_out, options_parser
from first_token import llama_cpp, prompts_of, tunesmith, with_transformers
from serve_decode import SHAPES, make_model

OWN = 24
Times = Callable[[Path, list[list[int]]], list[float]]


def figures(options: argparse.Namespace, folder: Path, measure: Times) -> dict[str, float]:
    (shared,) = prompts_of(1, options.shared, seed=1)
    prompts = prompts_of(1, options.shared + OWN, seed=2)
    prompts += prompts_of(1 + options.turns, OWN, shared=shared, seed=3)
    _, first, *others = measure(make_model(options.shape, folder / "model"), prompts)
    second = statistics.median(others)
    return {"first_ms": first, "second_ms": second, "gain": first / second}


def tunesmith_auto(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return figures(options, folder, tunesmith)


def tunesmith_int8(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return figures(options, folder, lambda model, prompts: tunesmith(model, prompts, "int8"))


def transformers_generate(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return figures(options, folder, with_transformers)


def llama_int8(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return figures(options, folder, lambda model, prompts: llama_cpp(options.llama_python, model, prompts, "int8"))


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="qwen3-0.6b")
    parser.add_argument("--shared", type=int, default=1000, help="tokens that the prompts begin with")
    parser.add_argument("--turns", type=int, default=5, help="requests behind the first")
    parser.add_argument("--llama-python", help="interpreter with llama-cpp-python")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.turns = options.max_steps or options.turns
    contenders = {
        "tunesmith": tunesmith_auto,
        "tunesmith, 8 bits": tunesmith_int8,
        "transformers": transformers_generate,
        "llama.cpp, 8 bits": llama_int8,
    }
    if not options.llama_python:
        left_out(options, "llama.cpp", "--llama-python names no interpreter that has llama-cpp-python")
        del contenders["llama.cpp, 8 bits"]
    columns = [
        Column("first_ms", "first request, ms", "{:,.1f}"),
        Column("second_ms", "second request, ms", "{:,.1f}", greater_is_better=False),
        Column("gain", "first to second", "{:,.1f} ×"),
    ]
    facts = {"shape": options.shape, "shared": options.shared, "own": OWN}
    contest(options, contenders, columns, facts=facts, here=["llama.cpp, 8 bits"])


if __name__ == "__main__":
    main()
