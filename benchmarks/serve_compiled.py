# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One answer at a time: steps in PyTorch, the core's compiled steps, and enterprise/compiled-decode.

    python benchmarks/serve_compiled.py --shape llama-16m [--tokens 200] [--turns 9]
    python benchmarks/serve_compiled.py --shape qwen3-0.6b --tokens 32 --turns 3
    python benchmarks/serve_compiled.py --shape llama-16m --dtype float32

Random weights of the named shape, in bf16 as published models are, or in float32 as a model may be that was trained so:
the core holds both in fp16, and compiled-decode the first in 12 bits. Greedy, a prompt of 16 tokens, no stop token.
Three engines are open in one process and answer the same request turn about, so that what else the machine does falls
on all of them; rates are medians over the turns, of the tokens after the first. The core and compiled-decode
have to give the same answer, log-probabilities included; PyTorch's steps are in fp32, whose rounding is its own. The
license that the third asks for is made for the occasion, with a vendor of its own.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from licensed_copy import use_licensed_copy
from report import machine, save, table
from serve_decode import PROMPT, SHAPES, make_model
from turns import turn_about

PYTORCH, CORE, FASTER = "steps in PyTorch", "the core", "with compiled-decode"


def opened(model: Path, weights: Any, accelerate: Sequence[str], *, in_pytorch: bool = False) -> Any:
    """An engine; ``in_pytorch``: as where nothing can be compiled."""
    from tunesmith.engine import open_engine
    from tunesmith.engine.compiled import CompiledDecoder

    of = CompiledDecoder.of
    if in_pytorch:
        logging.getLogger("tunesmith.engine.opening").setLevel(logging.ERROR)  # it warns that nothing was compiled
        CompiledDecoder.of = lambda *_, **__: None  # type: ignore[assignment, method-assign]
    try:
        return open_engine(model, weights=weights, slots=1, context=512, accelerate=accelerate)
    finally:
        CompiledDecoder.of = of  # type: ignore[method-assign]


def answered(engine: Any, tokens: int) -> tuple[float, list[tuple[int, float]]]:
    """Tokens a second behind the first, and the answer with its log-probabilities."""
    from tunesmith.engine import GenerateRequest, Sampling

    request = GenerateRequest(
        prompt=tuple(range(PROMPT)),
        max_new_tokens=tokens,
        sampling=Sampling(temperature=0),
        stop_tokens=frozenset(),
    )
    stream = iter(engine.submit(request))
    made = [next(stream)]
    began = time.perf_counter()
    made += list(stream)
    seconds = time.perf_counter() - began
    return (tokens - 1) / seconds, [(token.id, token.logprob) for token in made]


def measured(options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Rates of all turns of each engine.

    Raises:
        AssertionError: compiled-decode gave another answer.
    """
    model = make_model(options.shape, folder / "model", options.dtype)
    engines = {
        PYTORCH: opened(model, "fp32", (), in_pytorch=True),
        CORE: opened(model, options.weights, ()),
        FASTER: opened(model, options.weights, ("enterprise/compiled-decode",)),
    }
    return turn_about(engines, options.turns, lambda engine: answered(engine, options.tokens), (CORE, FASTER))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="llama-16m")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16", help="of the model's files")
    parser.add_argument("--weights", default="auto", help="of compiled steps")
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--turns", type=int, default=9, help="that are counted")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        use_licensed_copy(Path(folder), "optimizations")
        rates = measured(options, Path(folder))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    rows = [
        [name, f"{rate:,.1f}", *(f"{rate / medians[other]:.2f} ×" for other in (PYTORCH, CORE))]
        for name, rate in medians.items()
    ]
    print(table(["", "tokens/s", "to PyTorch", "to the core"], rows))
    if options.out:
        facts = {name: getattr(options, name) for name in ("shape", "dtype", "weights", "tokens")}
        save(options.out, {"benchmark": "serve_compiled", "machine": machine(), **facts, "runs": rates})


if __name__ == "__main__":
    main()
