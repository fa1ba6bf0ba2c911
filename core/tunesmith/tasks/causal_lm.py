# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plain text: pretraining, and going on with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import Column, Origin, Row
from tunesmith.errors import RecipeError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Encoded, Metric
from tunesmith.tasks.cells import text_cell
from tunesmith.tasks.classification_report import excerpt
from tunesmith.tasks.language import LANGUAGE_METRICS, LanguageModel, TokenLoss, perplexity
from tunesmith.tasks.lengths import Lengths, plural
from tunesmith.tasks.sections import Section, Table
from tunesmith.tasks.text import bind_tokenizer, token_ids

if TYPE_CHECKING:
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["CausalLM", "Document"]

WORST_SHOWN = 20
BITS_PER_BYTE = Metric(name="bits_per_byte", greater_is_better=False, summary="bits per UTF-8 byte of predicted text")


@dataclass(frozen=True, slots=True)
class Document:
    """A text and where it came from."""

    text: str
    origin: Origin


class CausalLM(LanguageModel[Document]):
    """Every token from those before it.

    A document begins with the tokenizer's start token and ends with its end token, where it has them. It is cut into
    blocks of ``data.max_length`` tokens (default: 1024, or what the model allows); each block's first token is the last
    of the block before, so that every token but a document's first is predicted exactly once.
    """

    columns = (Column(name="text", summary="a document", aliases=("text", "content", "document", "body")),)
    metrics = (*LANGUAGE_METRICS, BITS_PER_BYTE)
    tallied = ("_documents", "_blocks", "_nothing_to_predict", "_lengths", "_counts")

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self._documents = 0
        self._blocks = 0
        self._nothing_to_predict = 0
        self._lengths = Lengths(self.max_length, data.too_long)
        self._counts: np.ndarray[Any, np.dtype[np.int64]] | None = None
        self._counting = False  # the documents that are being encoded are those to learn from
        self._unigram: float | None = None

    def counted(self) -> list[str]:
        if self.data.too_long == "truncate":
            sentences = []
            if self._blocks > self._documents:
                sentences.append(
                    f"{plural(self._documents, 'document')} cut into {self._blocks:,} blocks of at most "
                    f"{self.max_length:,} tokens; nothing is lost"
                )
        else:
            sentences = self._lengths.sentences()
        if self._nothing_to_predict:
            sentences.append(
                f"{plural(self._nothing_to_predict, 'document')} of a single token skipped: nothing to predict"
            )
        return sentences

    def parse(self, row: Row, *, labelled: bool = True) -> Document:
        return Document(text_cell(row, "text"), row.origin)

    def texts(self, examples: Sequence[Document]) -> list[str]:
        return [example.text for example in examples]

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        tokenizer, source = bind_tokenizer(source, lambda: self.texts(self._training or ()))
        return self._set_up(source, tokenizer, self.data.max_length)

    def _set_up(self, source: ModelSource, tokenizer: Any, max_length: int | None) -> nn.Module:
        model = self.bind(source, tokenizer, max_length)
        self._lengths = Lengths(self.max_length, self.data.too_long)
        if not isinstance(tokenizer.eos_token_id, int):
            self.note("the tokenizer has no end token, so the model does not learn where a text ends")
        return model

    def start_encoding(self, examples: Sequence[Document]) -> None:
        self._counting = examples is self._training

    def encode(self, example: Document, row: int) -> list[Encoded]:
        ids, ends = self._tokens(example.text)
        self._count(ids)
        if len(ids) < 2:
            self._nothing_to_predict += 1
            return []
        if self.data.too_long != "truncate" and not self._lengths.admit(len(ids) - 1, example.origin):
            return []
        starts = range(0, len(ids) - 1, self.max_length)
        self._documents += 1
        self._blocks += len(starts)
        return [self._block(example.text, ids, ends, start, row) for start in starts]

    def _block(self, text: str, ids: np.ndarray[Any, Any], ends: np.ndarray[Any, Any], start: int, row: int) -> Encoded:
        block = ids[start : start + self.max_length + 1]
        first, last = int(ends[start]), int(ends[start + len(block) - 1])
        features = {
            "input_ids": block,
            "span": np.asarray((first, last), dtype=np.int64),
            "bytes": np.asarray(len(text[first:last].encode("utf-8", "surrogatepass")), dtype=np.int64),
        }
        return Encoded(features, length=len(block) - 1, targets=len(block) - 1, row=row)

    def _tokens(self, text: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """A document's tokens, int32 (L,), and behind which character each ends, int64 (L,)."""
        encoding = self.tokenizer(
            text,
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            return_offsets_mapping=self.tokenizer.is_fast,
            verbose=False,
        )
        ids: list[int] = encoding["input_ids"]
        if self.tokenizer.is_fast:
            ends = np.asarray([end for _, end in encoding["offset_mapping"]], dtype=np.int64)
        else:  # no offsets: spread the characters evenly, so that a document's total is right
            ends = (np.arange(1, len(ids) + 1, dtype=np.int64) * len(text)) // max(len(ids), 1)
        begin, end = _ids(self.tokenizer.bos_token_id), _ids(self.tokenizer.eos_token_id)
        tokens = np.asarray([*begin, *ids, *end], dtype=np.int32)
        return tokens, np.concatenate([np.zeros(len(begin), np.int64), ends, np.full(len(end), len(text), np.int64)])

    def prompt_tokens(self, prompt: str) -> list[int]:
        """The start token, where there is one, and the text.

        Raises:
            RecipeError: an empty prompt, and the tokenizer has neither a start nor an end token to begin with.
        """
        ids = [*_ids(self.tokenizer.bos_token_id), *token_ids(self.tokenizer, prompt, special=False)]
        ids = ids or _ids(self.tokenizer.eos_token_id)
        if not ids:
            raise RecipeError("the prompt is empty", expected="text to go on from", fix="give a prompt")
        return ids

    # ---- the unigram baseline ------------------------------------------------------------------

    def _count(self, ids: np.ndarray[Any, Any]) -> None:
        """Count the tokens of training documents: what a model would score that knows only how frequent each is."""
        if not self._counting:
            return
        if self._counts is None:
            self._counts = np.zeros(len(self.tokenizer), dtype=np.int64)
        np.add.at(self._counts, ids[1:], 1)

    def unigram_loss(self) -> float | None:
        """Entropy of the training tokens' frequencies, nats per token; ``None`` before any was encoded."""
        if self._counts is None or not self._counts.any():
            return self._unigram
        share = self._counts[self._counts > 0] / self._counts.sum()
        return float(-(share * np.log(share)).sum())

    # ---- scores and report ---------------------------------------------------------------------

    def score(self, outputs: Sequence[TokenLoss], examples: Sequence[Document]) -> dict[str, float]:
        total = sum(output.bytes for output in outputs)
        nats = math.fsum(output.loss_sum for output in outputs)
        bits = nats / math.log(2) / total if total else math.inf
        return {**super().score(outputs, examples), "bits_per_byte": bits}

    def sections(self, outputs: Sequence[TokenLoss], examples: Sequence[Document]) -> list[Section]:
        pairs = sorted(zip(outputs, examples, strict=True), key=lambda pair: -pair[0].loss)
        tokens = sum(output.tokens for output in outputs)
        figures: list[tuple[str, str | int | float]] = [
            ("loss, nats per token", round(self.score(outputs, examples)["loss"], 4)),
            ("predicted tokens", tokens),
        ]
        baseline = self.unigram_loss()
        if baseline is not None:
            figures.insert(1, ("unigram baseline, nats per token", round(baseline, 4)))
        worst = [
            (str(example.origin), excerpt(example.text[slice(*output.span)]), output.tokens, _rounded(output.loss))
            for output, example in pairs[:WORST_SHOWN]
        ]
        return [
            Table(
                title="Loss and baseline",
                note="The unigram baseline knows only how frequent each token is in the training text.",
                header=("figure", "value"),
                rows=figures,
            ),
            Table(
                title="Hardest passages",
                note="Greatest loss per token first.",
                header=("where", "text", "tokens", "perplexity"),
                rows=worst,
            ),
        ]

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "unigram_loss": self.unigram_loss()}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        model = self._set_up(source, models.load_tokenizer(source), self.saved_max_length(state))
        self.restore_settings(state)
        saved = state.get("unigram_loss")
        self._unigram = saved if isinstance(saved, float) else None
        return model


def _ids(token: Any) -> list[int]:
    return [token] if isinstance(token, int) else []


def _rounded(loss: float) -> float:
    return round(perplexity(loss), 2)
