# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answering one request at a time and several at once, ours beside transformers' ``generate`` and llama.cpp.

    python benchmarks/serve_decode.py --shape llama-16m [--streams 1] [--tokens 200] [--peer-python PATH] [--repeat 3]
    python benchmarks/serve_decode.py --shape qwen3-0.6b --tokens 50 --llama-python PATH

Random weights of the named shape, made anew for every contender from the same seed; speed does not depend on what they
are. Greedy, a prompt of 16 tokens, no stop token. Rates are of the tokens after the first; ``share`` is the part of the
memory bandwidth, measured in the same process, that the weights read for these tokens take. ``--llama-python`` names an
interpreter that has llama-cpp-python, which answers one stream; its model, at 8 bits, is written by our exporter. Where
this interpreter has it too, and the plugin tunesmith-llama-cpp, that engine takes part.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from contest import Column, bf16_pays, contest, left_out, options_parser
from train_chat import SHAPES as CHAT_SHAPES

PROMPT = 16
LLAMA = "llama.cpp, 8 bits"
BY_PLUGIN = "tunesmith, through llama.cpp"
SHAPES: dict[str, tuple[str, dict[str, int]]] = {
    "llama-16m": (
        "Llama",
        {
            "vocab_size": 16_000,
            "hidden_size": 320,
            "intermediate_size": 896,
            "num_hidden_layers": 8,
            "num_attention_heads": 5,
            "num_key_value_heads": 5,
        },
    ),
    "smollm2-135m": CHAT_SHAPES["smollm2-135m"],
    "qwen3-0.6b": (
        "Qwen3",
        {
            "vocab_size": 151_936,
            "hidden_size": 1024,
            "intermediate_size": 3072,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
        },
    ),
    # for the test of this file
    "tiny": (
        "Llama",
        {
            "vocab_size": 300,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
        },
    ),
}


def make_model(shape: str, folder: Path, dtype: str = "float32") -> Path:
    """A model folder with random weights, in this dtype of PyTorch, and a tokenizer of bytes."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>").save_pretrained(folder)
    family, sizes = SHAPES[shape]
    config = getattr(transformers, f"{family}Config")(
        **sizes, tie_word_embeddings=True, max_position_embeddings=2048, bos_token_id=None, eos_token_id=None
    )
    torch.manual_seed(0)
    getattr(transformers, f"{family}ForCausalLM")(config).to(getattr(torch, dtype)).save_pretrained(folder)
    return folder


def bandwidth() -> float:
    """Bytes a second that this process reads from memory: the sum of 256 MiB, the best of five."""
    import torch

    block = torch.ones(2**26)
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        block.sum()
        best = max(best, block.nbytes / (time.perf_counter() - start))
    return best


def figures(tokens: int, seconds: float, first: float, weights: float, streams: int) -> dict[str, float]:
    rate = tokens / seconds
    return {
        "tokens_per_second": rate,
        "first_ms": first * 1000,
        "share": rate / streams * weights / bandwidth(),
    }


def ours(options: argparse.Namespace, folder: Path, weights: Any) -> dict[str, float]:
    from tunesmith.engine import open_engine

    engine = open_engine(make_model(options.shape, folder / "model"), weights=weights, slots=options.streams)
    size = engine._decoder.nbytes  # type: ignore[attr-defined]
    return timed(options, engine, size)


def timed(options: argparse.Namespace, engine: Any, size: float) -> dict[str, float]:
    """How fast an engine of ours answers; it is closed then."""
    from tunesmith.engine import GenerateRequest, Sampling

    request = GenerateRequest(
        prompt=tuple(range(PROMPT)),
        max_new_tokens=options.tokens,
        sampling=Sampling(temperature=0),
        stop_tokens=frozenset(),
    )
    engine.submit(request).result()  # caches fill
    start = time.perf_counter()
    streams = [engine.submit(request) for _ in range(options.streams)]
    next(first := iter(streams[0]))
    began = time.perf_counter()
    for _ in first:
        pass
    for stream in streams:
        stream.result()
    seconds = time.perf_counter() - began
    engine.close()
    return figures((options.tokens - 1) * options.streams, seconds, began - start, size, options.streams)


def tunesmith_fp32(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return ours(options, folder, "fp32")


def tunesmith_fp16(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return ours(options, folder, "fp16")


def tunesmith_bf16(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return ours(options, folder, "bf16")


def tunesmith_int8(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return ours(options, folder, "int8")


def tunesmith_llama_cpp(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """The engine by plugin. Another process writes the file: once PyTorch's threads have worked, llama.cpp's wait."""
    from tunesmith.engine import open_engine

    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        path = other.submit(make_gguf, options.shape, folder).result()
    return timed(options, open_engine(f"llama-cpp:{path}", slots=options.streams), path.stat().st_size)


def make_gguf(shape: str, folder: Path) -> Path:
    from first_token import gguf_of

    return gguf_of(make_model(shape, folder / "model"), "int8")


def transformers_generate(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    import torch
    import transformers

    dtype = torch.bfloat16 if bf16_pays() else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(make_model(options.shape, folder / "model"), dtype=dtype)
    ids = torch.arange(PROMPT)[None].expand(options.streams, -1)
    settings = {"do_sample": False, "pad_token_id": 0, "attention_mask": torch.ones_like(ids)}
    model.generate(ids, max_new_tokens=4, min_new_tokens=4, **settings)
    start = time.perf_counter()
    model.generate(ids, max_new_tokens=1, min_new_tokens=1, **settings)
    first = time.perf_counter() - start
    start = time.perf_counter()
    model.generate(ids, max_new_tokens=options.tokens, min_new_tokens=options.tokens, **settings)
    seconds = time.perf_counter() - start - first
    size = sum(one.nbytes for one in model.parameters())
    return figures((options.tokens - 1) * options.streams, seconds, first, size, options.streams)


def llama_8_bits(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    from first_token import llama_cpp_answers

    prompts = [range(PROMPT), range(1, 1 + PROMPT)]  # the first one only warms it up
    model = make_model(options.shape, folder / "model")
    _, (first, rest) = llama_cpp_answers(options.llama_python, model, prompts, "int8", options.tokens)
    size = next((folder / "gguf").glob("*.gguf")).stat().st_size
    return figures(options.tokens - 1, rest / 1000, first / 1000, size, 1)


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="llama-16m")
    parser.add_argument("--streams", type=int, default=1, help="answers at once")
    parser.add_argument("--tokens", type=int, default=200, help="of each answer")
    parser.add_argument("--llama-python", help="interpreter with llama-cpp-python")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    contenders = {
        "tunesmith, fp32": tunesmith_fp32,
        "tunesmith, fp16": tunesmith_fp16,
        "tunesmith, bf16": tunesmith_bf16,
        "tunesmith, 8 bits": tunesmith_int8,
        BY_PLUGIN: tunesmith_llama_cpp,
        "transformers": transformers_generate,
        LLAMA: llama_8_bits,
    }
    if options.streams > 1 or not options.llama_python:
        reason = "it answers one stream here" if options.streams > 1 else "--llama-python names no interpreter"
        left_out(options, LLAMA, reason)
        del contenders[LLAMA]
    missing = [name for name in ("llama_cpp", "tunesmith_llama_cpp") if importlib.util.find_spec(name) is None]
    if missing:
        left_out(options, BY_PLUGIN, f"{' and '.join(missing)} cannot be imported here")
        del contenders[BY_PLUGIN]
    columns = [
        Column("tokens_per_second", "tokens/s", "{:,.1f}", greater_is_better=True),
        Column("first_ms", "first token, ms", "{:,.1f}"),
        Column("share", "of the bandwidth", "{:.0%}"),
        Column("peak_mb", "peak memory, MB", "{:,.0f}"),
    ]
    facts = {"shape": options.shape, "streams": options.streams, "tokens": options.tokens}
    contest(options, contenders, columns, facts=facts, here=[LLAMA])


if __name__ == "__main__":
    main()
