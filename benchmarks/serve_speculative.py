# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answers that repeat what they were given: the core's engine, and beside it the same with speculative decoding.

    python benchmarks/serve_speculative.py --shape llama-16m --work edit [--streams 1] [--tokens 256] [--turns 5]
    python benchmarks/serve_speculative.py --shape qwen3-0.6b --work summary
    python benchmarks/serve_speculative.py --model MODEL [--draft MODEL]

How fast a shape is does not depend on its weights, but how often a guess is right depends on what it writes, and
random weights write nothing. So the weights are random, every step computes all of the model, and then the likeliest
token is made that of a text which was written beforehand. Both engines write it, token by token the same. The prompt
is a page of this repository's documentation, as much of it as the prompt holds, in tokens of a vocabulary of 8,000 that
was learned from all pages; the texts:

- ``edit``: the prompt again, with one word of twelve changed for another word.
- ``summary``: every third sentence of the prompt, each behind two words that are not from there.
- ``free``: another page. Nothing in it is worth a guess but what English has anyway.

With ``--model`` nothing is forced: a real model writes on from a beginning that it wrote itself. Both engines are open
in one process and answer the same request turn about, so that what else the machine does falls on both; rates are
medians over the turns, of the tokens after the first, and so is the ratio, which each turn has of its own. The license
that the second engine asks for is made for the occasion, with a vendor of its own.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from licensed_copy import use_licensed_copy
from report import machine, save, table
from serve_decode import SHAPES, make_model
from turns import turn_about

DOCS = Path(__file__).parents[1] / "docs"
PAGE, OTHER = "explanation/architecture.md", "explanation/calibration.md"
WORKS = ("edit", "summary", "free")
CORE, FASTER = "the core alone", "with speculation"
VOCABULARY = 8000
WORD = r"\s*\S+"  # with the space before it
Figures = dict[str, float]


def words_of(page: str) -> list[str]:
    """Its words, with the space before each."""
    text = re.sub(r"<!--.*?-->", "", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(WORD, text)


def text_of(work: str, prompt: str) -> str:
    """The answer that is written."""
    draw = random.Random(0)
    others = sorted({word for word in words_of(OTHER) if word.strip().isalpha()})
    if work == "edit":
        words = re.findall(WORD, prompt)
        return "".join(draw.choice(others) if place % 12 == 6 else word for place, word in enumerate(words))
    if work == "summary":
        sentences = re.split(r"(?<=[.:])(?=\s)", prompt)
        return "".join("".join(draw.choices(others, k=2)) + sentence for sentence in sentences[::3])
    return "".join(words_of(OTHER))


def texts(work: str, vocabulary: int, prompt: int) -> tuple[list[int], list[int]]:
    """The tokens of the prompt, and of what is written.

    Args:
        work: of ``WORKS``.
        vocabulary: tokens that are learned from the documentation: some bytes, and what often stands together.
        prompt: its tokens, at most.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    pages = [page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))]
    tokenizer.train_from_iterator(pages, trainer)
    ids = tokenizer.encode("".join(words_of(PAGE))).ids[:prompt]
    return ids, tokenizer.encode(text_of(work, tokenizer.decode(ids))).ids


class Scripted:
    """A decoder that computes every step, and whose likeliest token is then that of a text."""

    def __init__(self, decoder: Any, prompt: int, text: Sequence[int]) -> None:
        self._decoder, self._prompt, self._text = decoder, prompt, text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def step(self, memory: Any, parts: Any, wanted: Sequence[int]) -> Any:
        logits = self._decoder.step(memory, parts, wanted)
        places = [part.before + place for part in parts for place in range(len(part.tokens))]
        for row, token in enumerate(wanted):
            after = places[token] + 1 - self._prompt
            if 0 <= after < len(self._text):
                logits[row, self._text[after]] = 1e4
        return logits


def opened(options: argparse.Namespace, model: str | Path) -> dict[str, Any]:
    """Both engines."""
    from tunesmith.engine import open_engine

    faster = f"enterprise/speculation:{options.draft or ''}".rstrip(":")
    return {
        name: open_engine(model, weights=options.weights, slots=options.streams, accelerate=accelerate)
        for name, accelerate in ((CORE, ()), (FASTER, (faster,)))
    }


def requested(options: argparse.Namespace, engines: dict[str, Any]) -> Any:
    """The request that all engines answer, made ready to write what they have to."""
    from tunesmith.engine import GenerateRequest, Sampling

    settings: dict[str, Any] = {"sampling": Sampling(temperature=0), "stop_tokens": frozenset()}
    if options.model:
        engine = engines[CORE]
        begin = GenerateRequest(
            prompt="Once upon a time", max_new_tokens=engine.info.context // 3, sampling=settings["sampling"]
        )
        prompt = tuple(engine.tokenize(engine.submit(begin).result().text))
        tokens = min(options.tokens, engine.info.context - len(prompt))
        return GenerateRequest(prompt=prompt, max_new_tokens=tokens, **settings)
    vocabulary = min(SHAPES[options.shape][1]["vocab_size"], VOCABULARY)
    ids, text = texts(options.work, vocabulary, options.prompt)
    for engine in engines.values():
        engine._batching._decoder = Scripted(engine._batching._decoder, len(ids), text)
    return GenerateRequest(prompt=tuple(ids), max_new_tokens=min(options.tokens, len(text)), **settings)


def answered(engine: Any, request: Any, streams: int) -> tuple[Figures, list[int]]:
    """Figures of so many answers at once, and the tokens of the first."""
    before = engine.stats()
    start = time.perf_counter()
    asked = [engine.submit(request) for _ in range(streams)]
    made = [next(first := iter(asked[0]))]
    began = time.perf_counter()
    made += list(first)
    for one in asked:
        one.result()
    seconds = time.perf_counter() - began
    after = engine.stats()
    figures = {
        "tokens_per_second": (len(made) - 1) * streams / seconds,
        "first_ms": (began - start) * 1000,
        "guessed": after.guessed_tokens - before.guessed_tokens,
        "right": after.right_tokens - before.right_tokens,
    }
    return figures, [token.id for token in made]


def measured(options: argparse.Namespace, folder: Path) -> dict[str, list[Figures]]:
    """Figures of all turns of both engines.

    Raises:
        AssertionError: with speculation another answer was given.
    """
    engines = opened(options, options.model or make_model(options.shape, folder / "model"))
    request = requested(options, engines)
    return turn_about(engines, options.turns, lambda engine: answered(engine, request, options.streams), (CORE, FASTER))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="llama-16m")
    parser.add_argument("--work", choices=WORKS, default="edit")
    parser.add_argument("--model", help="a real model, whose own text is measured")
    parser.add_argument("--draft", help="a smaller model with the same tokens, which guesses too")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--streams", type=int, default=1, help="answers at once")
    parser.add_argument("--prompt", type=int, default=512, help="its tokens, at most")
    parser.add_argument("--tokens", type=int, default=256, help="of each answer, at most")
    parser.add_argument("--turns", type=int, default=5, help="that are counted")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        use_licensed_copy(Path(folder), "optimizations")
        figures = measured(options, Path(folder))
    medians = {
        name: {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
        for name, turns in figures.items()
    }
    pairs = zip(figures[FASTER], figures[CORE], strict=True)
    ratios = [faster["tokens_per_second"] / core["tokens_per_second"] for faster, core in pairs]
    told = ["", f"{statistics.median(ratios):.2f} × ({min(ratios):.2f} to {max(ratios):.2f})"]
    rows = [
        [
            name,
            f"{of['tokens_per_second']:,.1f}",
            ratio,
            f"{of['first_ms']:,.1f}",
            f"{of['right']:,.0f} of {of['guessed']:,.0f}",
        ]
        for (name, of), ratio in zip(medians.items(), told, strict=True)
    ]
    print(table(["", "tokens/s", "to the core, of all turns", "first token, ms", "guesses that were right"], rows))
    if options.out:
        facts = {name: getattr(options, name) for name in ("shape", "work", "model", "draft", "weights", "streams")}
        kept = {"runs": figures, "median": medians, "ratios": ratios}
        save(options.out, {"benchmark": "serve_speculative", "machine": machine(), **facts, **kept})


if __name__ == "__main__":
    main()
