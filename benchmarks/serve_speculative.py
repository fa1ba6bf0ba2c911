# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answers that repeat what they were given: the core's engine, and beside it the same with speculative decoding.

    python benchmarks/serve_speculative.py --shape llama-16m --work edit [--streams 1] [--tokens 256] [--repeat 3]
    python benchmarks/serve_speculative.py --shape qwen3-0.6b --work summary
    python benchmarks/serve_speculative.py --model MODEL [--draft MODEL]

How fast a shape is does not depend on its weights, but how often a guess is right depends on what it writes, and
random weights write nothing. So the weights are random, every step computes all of the model, and then the likeliest
token is made that of a text which was written beforehand. Both contenders write it, token by token the same. The prompt
is a page of this repository's documentation, in tokens of a vocabulary of 8,000 that was learned from it; the texts:

- ``edit``: the page again, with one word of twelve changed for another word.
- ``summary``: every third sentence of the page, each behind two words that are not from there.
- ``free``: another page. Nothing in it is worth a guess but what English has anyway.

With ``--model`` nothing is forced: a real model writes on from a beginning that it wrote itself. The license that the
second contender asks for is made for the occasion, with a vendor of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from contest import Column, contest, options_parser
from serve_decode import SHAPES, make_model

DOCS = Path(__file__).parents[1] / "docs"
PAGE, OTHER = "explanation/architecture.md", "explanation/calibration.md"
WORKS = ("edit", "summary", "free")
CORE, FASTER = "the core alone", "tunesmith, speculation"
VOCABULARY = 8000


def words_of(path: Path) -> list[str]:
    """A page's words, with the space before each."""
    text = re.sub(r"<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"\s*\S+", text)


def text_of(work: str) -> tuple[str, str]:
    """The prompt, and the answer that is written."""
    words, draw = words_of(DOCS / PAGE), random.Random(0)
    others = sorted({word for word in words_of(DOCS / OTHER) if word.strip().isalpha()})
    if work == "edit":
        changed = [draw.choice(others) if place % 12 == 6 else word for place, word in enumerate(words)]
        return "".join(words), "".join(changed)
    if work == "summary":
        sentences = re.split(r"(?<=[.:])(?=\s)", "".join(words))
        kept = ["".join(draw.choices(others, k=2)) + sentence for sentence in sentences[::3]]
        return "".join(words), "".join(kept)
    return "".join(words), "".join(words_of(DOCS / OTHER))


def ids_of(texts: Sequence[str], vocabulary: int) -> list[list[int]]:
    """Texts in tokens learned from the documentation: some bytes, and what often stands together."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    pages = [page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))]
    tokenizer.train_from_iterator(pages, trainer)
    return [tokenizer.encode(text).ids for text in texts]


def texts(options: argparse.Namespace) -> list[list[int]]:
    """The tokens of the prompt, and of what is written."""
    return ids_of(text_of(options.work), min(SHAPES[options.shape][1]["vocab_size"], VOCABULARY))


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


def core(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return measured(options, folder, ())


def speculation(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    from licensed_copy import use_licensed_copy

    use_licensed_copy(folder, "optimizations")
    return measured(options, folder, (f"enterprise/speculation:{options.draft or ''}".rstrip(":"),))


def measured(options: argparse.Namespace, folder: Path, accelerate: Sequence[str]) -> dict[str, float]:
    from tunesmith.engine import GenerateRequest, Sampling, open_engine

    greedy = Sampling(temperature=0)
    model = options.model or make_model(options.shape, folder / "model")
    engine: Any = open_engine(model, weights=options.weights, slots=options.streams, accelerate=accelerate)
    tokens = options.max_steps or options.tokens
    if options.model:
        context = engine.info.context
        begin = GenerateRequest(prompt="Once upon a time", max_new_tokens=context // 3, sampling=greedy)
        prompt = engine.tokenize(engine.submit(begin).result().text)
        tokens = min(tokens, context - len(prompt))
    else:
        ids, text = json.loads(Path(options.texts).read_text()) if options.texts else texts(options)
        prompt = tuple(ids[: options.prompt])
        if options.work == "edit":  # of what the prompt holds
            text = text[: options.prompt]
        engine._batching._decoder = Scripted(engine._batching._decoder, len(prompt), text)
        tokens = min(tokens, len(text))
    request = GenerateRequest(prompt=prompt, max_new_tokens=tokens, sampling=greedy, stop_tokens=frozenset())
    engine.submit(request).result()  # caches fill
    start = time.perf_counter()
    streams = [engine.submit(request) for _ in range(options.streams)]
    made = [next(first := iter(streams[0]))]
    began = time.perf_counter()
    made += list(first)
    for stream in streams:
        stream.result()
    seconds = time.perf_counter() - began
    stats = engine.stats()
    engine.close()
    return {
        "tokens_per_second": (len(made) - 1) * options.streams / seconds,
        "first_ms": (began - start) * 1000,
        "guessed": stats.guessed_tokens,
        "right": stats.right_tokens,
        "answer": float(crc32(repr([token.id for token in made]).encode())),
    }


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="llama-16m")
    parser.add_argument("--work", choices=WORKS, default="edit")
    parser.add_argument("--model", help="a real model, whose own text is measured")
    parser.add_argument("--draft", help="a smaller model with the same tokens, which guesses too")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--streams", type=int, default=1, help="answers at once")
    parser.add_argument("--prompt", type=int, default=512, help="its tokens, at most")
    parser.add_argument("--tokens", type=int, default=256, help="of each answer, at most")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--texts", help=argparse.SUPPRESS)
    options = parser.parse_args()
    columns = [
        Column("tokens_per_second", "tokens/s", "{:,.1f}", greater_is_better=True),
        Column("first_ms", "first token, ms", "{:,.1f}"),
        Column("guessed", "guessed, both requests", "{:,.0f}"),
        Column("right", "of these right", "{:,.0f}"),
        Column("answer", "answer (CRC-32 of its tokens)", "{:.0f}"),
    ]
    facts = {name: getattr(options, name) for name in ("shape", "work", "model", "draft", "weights", "streams")}
    with tempfile.TemporaryDirectory() as folder:
        arguments: list[str] = []
        if not options.contender and not options.model:  # once for both: the documentation may change meanwhile
            written = Path(folder) / "texts.json"
            written.write_text(json.dumps(texts(options)))
            arguments = ["--texts", str(written)]
        contenders = {CORE: core, FASTER: speculation}
        contest(options, contenders, columns, arguments=arguments, facts=facts, here=[CORE])


if __name__ == "__main__":
    main()
