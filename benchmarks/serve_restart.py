# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The first request after a restart, whose beginning was read before: the core's engine, and with a prefix store.

    python benchmarks/serve_restart.py --shape llama-16m [--shared 1000] [--repeat 3]

Random weights. An engine answers two requests that begin with ``--shared`` tokens alike and go on with 24 others each,
and is closed. Another is opened over the same model. Its first request is a prompt of 32 tokens, so that caches are
warm; its second begins like those before, and goes on with 24 others: the time to its first token is printed, and how
long it took to open the engine. The license that the store asks for is made for the occasion.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from contest import Column, contest, options_parser
from first_token import prompts_of
from serve_decode import SHAPES, make_model

OWN = 24
CORE, STORE = "the core alone", "tunesmith, prefix store"


def core(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return measured(options, folder, ())


def store(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    from licensed_copy import use_licensed_copy

    use_licensed_copy(folder, "optimizations")
    found = measured(options, folder, (f"enterprise/prefix-store:{folder / 'kept'}",))
    return found | {"kept_mb": sum(file.stat().st_size for file in (folder / "kept").glob("*/*")) / 1e6}


def measured(options: argparse.Namespace, folder: Path, accelerate: Sequence[str]) -> dict[str, float]:
    from tunesmith.engine import GenerateRequest, Sampling, open_engine

    model = make_model(options.shape, folder / "model")
    shared_tokens = options.max_steps or options.shared
    (shared,) = prompts_of(1, shared_tokens, seed=1)
    prompts = prompts_of(3, OWN, shared=shared, seed=2)
    (other,) = prompts_of(1, 32, seed=3)

    def request(prompt: Sequence[int], tokens: int) -> Any:
        greedy = Sampling(temperature=0)
        return GenerateRequest(prompt=tuple(prompt), max_new_tokens=tokens, sampling=greedy, stop_tokens=frozenset())

    engine = open_engine(model, slots=2, accelerate=accelerate)
    for prompt in prompts[:2]:
        engine.submit(request(prompt, 2)).result()
    engine.close()
    start = time.perf_counter()
    engine = open_engine(model, slots=2, accelerate=accelerate)
    opened = time.perf_counter()
    engine.submit(request(other, 2)).result()
    begin = time.perf_counter()
    stream = engine.submit(request(prompts[2], 16))
    made = [next(tokens := iter(stream))]
    first = time.perf_counter()
    made += list(tokens)
    found = stream.result().usage.cached_tokens
    engine.close()
    return {
        "first_ms": (first - begin) * 1000,
        "opened_s": opened - start,
        "found": found,
        "kept_mb": 0.0,
        "answer": float(crc32(repr([token.id for token in made]).encode())),
    }


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="llama-16m")
    parser.add_argument("--shared", type=int, default=1000, help="tokens that the prompts begin with")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    columns = [
        Column("first_ms", "first token after a restart, ms", "{:,.1f}", greater_is_better=False),
        Column("opened_s", "to open the engine, s", "{:,.2f}"),
        Column("found", "tokens found", "{:,.0f}"),
        Column("kept_mb", "kept, MB", "{:,.1f}"),
        Column("answer", "answer (CRC-32 of its tokens)", "{:.0f}"),
    ]
    facts = {"shape": options.shape, "shared": options.shared, "own": OWN}
    contest(options, {CORE: core, STORE: store}, columns, facts=facts, here=[CORE])


if __name__ == "__main__":
    main()
