# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Milliseconds from a prompt of token ids to the first token of its answer, one prompt after the other on one model.

Used by ``serve_prefix.py``, ``serve_prefill.py`` and ``serve_decode.py``. As a program it is the part that runs where
llama-cpp-python is installed: ``python first_token.py`` reads ``{"gguf": …, "context": …, "prompts": [[…], …],
"tokens": …}`` and prints the times to the first token and, where more are asked for, of all that follow.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contest import bf16_pays

__all__ = ["CONTEXT", "gguf_of", "llama_cpp", "llama_cpp_answers", "prompts_of", "tunesmith", "with_transformers"]

CONTEXT = 2048
Prompts = Sequence[Sequence[int]]


def prompts_of(count: int, length: int, *, shared: Sequence[int] = (), seed: int = 0) -> list[list[int]]:
    """Token ids, at random; ``shared`` comes first in all of them."""
    draw = random.Random(seed)
    return [[*shared, *(draw.randrange(256) for _ in range(length))] for _ in range(count)]


def tunesmith(folder: Path, prompts: Prompts, weights: Any = "auto") -> list[float]:
    from tunesmith.engine import GenerateRequest, Sampling, open_engine

    engine = open_engine(folder, weights=weights, slots=4, context=CONTEXT)
    times = []
    for prompt in prompts:
        request = GenerateRequest(
            prompt=tuple(prompt), max_new_tokens=1, sampling=Sampling(temperature=0), stop_tokens=frozenset()
        )
        start = time.perf_counter()
        stream = engine.submit(request)
        next(iter(stream))
        times.append((time.perf_counter() - start) * 1000)
        stream.result()
    engine.close()
    return times


def with_transformers(folder: Path, prompts: Prompts) -> list[float]:
    import torch
    import transformers

    dtype = torch.bfloat16 if bf16_pays() else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    times = []
    for prompt in prompts:
        ids = torch.tensor([list(prompt)])
        start = time.perf_counter()
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=1,
            min_new_tokens=1,
            do_sample=False,
            pad_token_id=0,
        )
        times.append((time.perf_counter() - start) * 1000)
    return times


def llama_cpp(python: str, folder: Path, prompts: Prompts, quantize: str | None) -> list[float]:
    """Through another interpreter, on a GGUF file written by ours."""
    return [first for first, _ in llama_cpp_answers(python, folder, prompts, quantize, tokens=1)]


def llama_cpp_answers(
    python: str, folder: Path, prompts: Prompts, quantize: str | None, tokens: int
) -> list[tuple[float, float]]:
    """As :func:`llama_cpp`, and the milliseconds of all tokens after the first."""
    asked = {
        "gguf": str(gguf_of(folder, quantize)),
        "context": CONTEXT,
        "prompts": [list(each) for each in prompts],
        "tokens": tokens,
    }
    done = subprocess.run([python, __file__], input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True)
    return [tuple(pair) for pair in json.loads(done.stdout.splitlines()[-1])]


def gguf_of(folder: Path, quantize: str | None) -> Path:
    """A model folder as a GGUF file, in ``gguf`` beside it."""
    from tunesmith.export import export_model

    out = folder.parent / "gguf"
    export_model(folder, to="gguf", quantize=quantize, out=out, check=False)
    return next(out.glob("*.gguf"))


def main() -> None:
    from llama_cpp import Llama

    asked = json.load(sys.stdin)
    cores = os.cpu_count() or 1
    model = Llama(
        asked["gguf"], n_ctx=asked["context"], n_batch=512, n_threads=cores, n_threads_batch=cores, verbose=False
    )
    times = []
    for prompt in asked["prompts"]:
        start = time.perf_counter()
        answer = model.generate(prompt, temp=0)  # goes on from what is in its memory already
        next(answer)
        first = time.perf_counter()
        for _ in range(asked["tokens"] - 1):
            next(answer)
        times.append(((first - start) * 1000, (time.perf_counter() - first) * 1000))
    print(json.dumps(times))


if __name__ == "__main__":
    main()
