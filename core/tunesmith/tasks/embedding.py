# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Vectors of texts that belong together lie together: search, deduplication, clustering.

Shapes: R rows of a batch, C candidates of a batch (every row's positive and its negatives), L length in tokens,
D numbers a vector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tunesmith.data.rows import Column, Origin, Row, RowError
from tunesmith.errors import DataError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Batch, Encoded, Metric
from tunesmith.tasks.cells import is_missing, text_cell
from tunesmith.tasks.classification_report import excerpt
from tunesmith.tasks.coupled import CoupledTask
from tunesmith.tasks.lengths import Lengths, choose_max_length, plural, position_limit
from tunesmith.tasks.negatives import NO_TEXT, step_targets, text_key
from tunesmith.tasks.pooling import (
    Pooling,
    PoolMode,
    pooled,
    pooling_of,
    reads_forward,
    saved_pooling,
    sentence_transformers_files,
)
from tunesmith.tasks.retrieval import Search, retrieval_scores
from tunesmith.tasks.sections import Section, Table
from tunesmith.tasks.state import state_floats, state_int
from tunesmith.tasks.text import bind_tokenizer, check_vocabulary, pad_right, padding_token, token_ids

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["Embedding", "Pair", "Vectors"]

WORST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that belong together, and texts that do not.

    Attributes:
        anchor: what is searched with.
        positive: what should be found; ``None`` when a vector alone is asked for.
        negatives: what should not be found.
        origin: where the row stands.
    """

    anchor: str
    positive: str | None
    negatives: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Vectors:
    """What the model makes of one row.

    Attributes:
        anchor: float32 (D,), of length 1.
        candidates: float32 (C, D), the positive first; (0, D) where there is none.
    """

    anchor: np.ndarray[Any, np.dtype[np.float32]]
    candidates: np.ndarray[Any, np.dtype[np.float32]]


class Embedding(CoupledTask[Pair, Vectors]):
    """A vector for every text, so that texts that belong together are near each other.

    Objectives: ``contrastive`` (:mod:`tunesmith.tasks.embedding_losses`), by which every anchor has to find its
    positive among the positives and negatives of all rows of the step, and those of plugins. A text that is known to
    belong to an anchor is never a negative for it: neither a copy of its positive, nor another positive of the same
    anchor, nor the anchor itself.

    Vectors are the mean of the token features of an encoder, or the last token's of a decoder; a folder of
    sentence-transformers says itself how its vectors are made. They always have length 1.
    """

    columns = (
        Column(
            name="anchor",
            summary="the text to search with, or to make a vector of",
            aliases=("query", "question", "text", "text1", "sentence1"),
        ),
        Column(
            name="positive",
            summary="the text that belongs to it",
            target=True,
            aliases=("document", "passage", "answer", "context", "text2", "sentence2"),
        ),
        Column(
            name="negative",
            summary="a text, or a list of texts, that do not belong to it",
            target=True,
            optional=True,
            aliases=("negatives", "hard_negative", "hard_negatives"),
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(name="mrr", greater_is_better=True, summary="mean of 1 / place of the first right text"),
        Metric(name="recall@1", greater_is_better=True, summary="share of the right texts that stand first"),
        Metric(name="recall@5", greater_is_better=True, summary="share of the right texts among the first 5"),
        Metric(name="recall@10", greater_is_better=True, summary="share of the right texts among the first 10"),
        Metric(
            name="ndcg@10", greater_is_better=True, summary="discounted gain among the first 10, of the best possible"
        ),
        Metric(name="loss", greater_is_better=False, summary="mean of the objective over the split's texts, nats"),
    )
    terms: ClassVar[Mapping[str, str]] = {
        "anchors": "(R, D): vectors of the anchors, of length 1",
        "candidates": "(C, D): vectors of every row's positive and negatives, of length 1",
        "positives": "int64 (R,): the place of each row's positive among the candidates",
        "excluded": "bool (R, C): candidates that are no negatives of an anchor, other than its positive",
    }
    default_objective = "tunesmith/contrastive"
    default_max_length = 512
    default_tokens_per_batch = 8192
    tallied = ("_lengths",)

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.tokenizer: Any = None
        self.pooling: PoolMode = "mean"
        self.width = 0
        self._padding = 0
        self._lengths = Lengths(self.default_max_length, data.too_long)
        self._training: Sequence[Pair] | None = None

    @property
    def temperature(self) -> float:
        """What cosines are divided by; 1 for an objective without one."""
        return float(getattr(self.chosen.objective, "temperature", 1.0))

    @property
    def _contrasts(self) -> bool:
        from tunesmith.tasks.embedding_losses import Contrastive

        return self._lost is None and isinstance(self.chosen.objective, Contrastive)

    def counted(self) -> list[str]:
        return self._lengths.sentences()

    # ---- rows ----------------------------------------------------------------------------------

    def parse(self, row: Row, *, labelled: bool = True) -> Pair:
        anchor = text_cell(row, "anchor")
        if not labelled:
            return Pair(anchor, None, (), row.origin)
        positive, negatives = text_cell(row, "positive"), _negatives(row)
        if positive in negatives:
            raise RowError("the positive is among the row's negatives")
        if anchor in negatives:
            raise RowError("the anchor itself is among the row's negatives")
        return Pair(anchor, positive, negatives, row.origin)

    def fit(self, examples: Sequence[Pair]) -> None:
        self._training = examples
        counts = Counter(example.positive for example in examples)
        if len(counts) < 2 and not any(example.negatives for example in examples):
            raise DataError(
                "there is nothing to tell apart in the training rows",
                given=f"{plural(len(examples), 'row')}, all with the same positive",
                expected="rows with different positives: each row's is a negative for the others",
                fix="check that data.columns.positive names the right column",
            )
        shared = sum(count for count in counts.values() if count > 1)
        if shared:
            self.note(
                f"{shared:,} of {plural(len(examples), 'row')} have their positive in common with another row: "
                "in the same step, neither is a negative for the other"
            )

    def texts(self, examples: Sequence[Pair]) -> list[str]:
        return [text for example in examples for text in _texts(example)]

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        examples, self._training = self._training or (), None
        tokenizer, source = bind_tokenizer(source, lambda: self.texts(examples))
        return self._set_up(source, tokenizer, self.data.max_length, pooling_of(source))

    def _set_up(
        self, source: ModelSource, tokenizer: Any, max_length: int | None, pooling: Pooling | None
    ) -> nn.Module:
        from tunesmith import models

        model: Any = models.load_weights(source, "features")
        check_vocabulary(model, tokenizer, source.name)
        config = model.config
        self.tokenizer = tokenizer
        self._padding = padding_token(tokenizer, config)
        config.pad_token_id = config.get_text_config().pad_token_id = self._padding
        self.width = int(config.get_text_config().hidden_size)
        if pooling is None:
            pooling = Pooling("last" if reads_forward(config) else "mean")
        elif pooling.prompts:
            self.note(
                f"the model names prompts ({', '.join(pooling.prompts)}), which are not added; "
                "where they matter, they must stand in the texts"
            )
        self.pooling = pooling.mode
        default = min(pooling.max_length or self.default_max_length, self.default_max_length)
        limit = choose_max_length(max_length, default, position_limit(model, tokenizer))
        self._lengths = Lengths(limit, self.data.too_long)
        return model  # type: ignore[no-any-return]

    def encode(self, example: Pair, row: int) -> list[Encoded]:
        texts = _texts(example)
        ids = [token_ids(self.tokenizer, text, special=True) for text in texts]
        if not self._lengths.admit(max(map(len, ids)), example.origin):
            return []
        limit = self._lengths.limit
        ids = [
            token_ids(self.tokenizer, text, special=True, max_length=limit) if len(tokens) > limit else tokens
            for text, tokens in zip(texts, ids, strict=True)
        ]
        ids = [tokens or [self._padding] for tokens in ids]  # a text the tokenizer knows nothing of
        features: dict[str, np.ndarray[Any, Any]] = {
            "input_ids": np.asarray([token for tokens in ids for token in tokens], dtype=np.int32),
            "lengths": np.asarray([len(tokens) for tokens in ids], dtype=np.int32),
            "keys": np.asarray([text_key(text) for text in texts], dtype=np.int64),
        }
        return [Encoded(features, length=sum(map(len, ids)), targets=int(example.positive is not None), row=row)]

    def collate(self, items: Sequence[Encoded]) -> Batch:
        """Anchors are ``input_ids``, candidates ``candidate_ids``, row after row and the positive first.

        ``labels`` is the place of each row's positive among the candidates; ``extra`` holds the texts' keys, int64
        (R, 1 + most candidates of a row), and how many candidates a row has.
        """
        import torch

        texts = [np.split(item.features["input_ids"], item.features["lengths"].cumsum()[:-1]) for item in items]
        counts = np.asarray([len(row) - 1 for row in texts], dtype=np.int64)
        candidates = [text for row in texts for text in row[1:]]
        inputs = self._padded([row[0] for row in texts], "input_ids", "attention_mask")
        if candidates:
            inputs |= self._padded(candidates, "candidate_ids", "candidate_mask")
        keys = np.full((len(items), 1 + counts.max()), NO_TEXT, dtype=np.int64)
        for index, item in enumerate(items):
            keys[index, : counts[index] + 1] = item.features["keys"]
        labelled = bool((counts > 0).all())
        return Batch(
            inputs=inputs,
            labels=torch.from_numpy(counts.cumsum() - counts) if labelled else None,
            targets=len(items) if labelled else 0,
            tokens=sum(item.length for item in items),
            rows=[item.row for item in items],
            extra={"keys": keys, "counts": counts},
        )

    def _padded(self, texts: Sequence[np.ndarray[Any, Any]], ids: str, mask: str) -> dict[str, torch.Tensor]:
        inputs = {ids: pad_right(texts, self._padding)}
        if len({len(text) for text in texts}) > 1:  # without a mask, attention takes a faster way to the same result
            inputs[mask] = pad_right([np.ones_like(text) for text in texts], 0)
        return inputs

    # ---- loss ----------------------------------------------------------------------------------

    def represent(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Vectors of the anchors, then of the candidates: float32 (R + C, D)."""
        import torch

        inputs = batch.inputs
        vectors = [pooled(model, inputs["input_ids"], inputs.get("attention_mask"), self.pooling)]
        if "candidate_ids" in inputs:
            vectors.append(pooled(model, inputs["candidate_ids"], inputs.get("candidate_mask"), self.pooling))
        return torch.cat(vectors)

    def coupled_loss(self, representations: Sequence[torch.Tensor], batches: Sequence[Batch]) -> torch.Tensor:
        import torch

        if any(batch.labels is None for batch in batches):
            raise ValueError("a batch has no positives, so it has no loss")
        parts = list(zip(representations, batches, strict=True))
        anchors = torch.cat([vectors[: len(batch.rows)] for vectors, batch in parts])
        candidates = torch.cat([vectors[len(batch.rows) :] for vectors, batch in parts])
        positives, masked = step_targets(batches)
        device = anchors.device
        terms = {
            "anchors": anchors,
            "candidates": candidates,
            "positives": torch.from_numpy(positives).to(device),
            "excluded": torch.from_numpy(masked).to(device),
        }
        return self.chosen.total(terms, rows=len(anchors))

    # ---- answers -------------------------------------------------------------------------------

    def outputs(self, model: nn.Module, batch: Batch) -> list[Vectors]:
        vectors = self.represent(model, batch).cpu().numpy()
        anchors, candidates = vectors[: len(batch.rows)], vectors[len(batch.rows) :]
        rows = np.split(candidates, batch.extra["counts"].cumsum()[:-1])
        return [Vectors(anchor, row) for anchor, row in zip(anchors, rows, strict=True)]

    def answer(self, output: Vectors) -> dict[str, Any]:
        # The shortest decimals that read back as the same float32.
        return {"embedding": [float(str(number)) for number in output.anchor]}

    def score(self, outputs: Sequence[Vectors], examples: Sequence[Pair]) -> dict[str, float]:
        """Search among all distinct positives and negatives of the split; queries are its distinct anchors."""
        from tunesmith.tasks.embedding_losses import split_loss

        search = _search(outputs, examples)
        found = search.rank(self.temperature)
        scores = retrieval_scores(found.ranks, search.pairs[:, 0])
        # The search knows this loss; that of another objective is one more pass over the texts.
        return {**scores, "loss": float(found.losses.mean()) if self._contrasts else split_loss(search, self.chosen)}

    def sections(self, outputs: Sequence[Vectors], examples: Sequence[Pair]) -> list[Section]:
        search = _search(outputs, examples)
        found = search.rank(self.temperature)
        missed = [place for place in np.argsort(-found.ranks, kind="stable").tolist() if found.ranks[place] > 1]
        rows = []
        for place in missed[:WORST_SHOWN]:
            query, text = search.pairs[place].tolist()
            nearest = int(found.nearest[query])
            rows.append(
                (
                    excerpt(search.queries[query]),
                    excerpt(search.corpus[text]),
                    int(found.ranks[place]),
                    excerpt(search.corpus[nearest]) if nearest >= 0 else "",
                )
            )
        if not rows:
            return []
        return [
            Table(
                title="Hardest to find",
                note=f"{len(missed):,} of {plural(len(search.pairs), 'pair')} are not found first, "
                f"among {plural(len(search.corpus), 'text')}; these stand furthest down.",
                header=("searched with", "should be found", "place", "the nearest wrong text"),
                rows=rows,
            )
        ]

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        loss = {"temperature": [self.temperature]} if self._contrasts else self.objective_state()
        return {"pooling": self.pooling, "max_length": self._lengths.limit, **loss}

    def files(self) -> dict[str, bytes]:
        return sentence_transformers_files(self.pooling, width=self.width, max_length=self._lengths.limit)

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        pooling = saved_pooling(state) if "pooling" in state else pooling_of(source)
        max_length = state_int(state, "max_length") if "max_length" in state else self.data.max_length
        if "temperature" in state:
            temperature = state_floats(state, "temperature")[0]
            self.restore_objective({"temperature": temperature})
        self.restore_objective(state.get("objective"))
        return self._set_up(source, models.load_tokenizer(source), max_length, pooling)


def _search(outputs: Sequence[Vectors], examples: Sequence[Pair]) -> Search:
    """The split as queries, corpus and the pairs that belong together."""
    search = Search()
    for output, example in zip(outputs, examples, strict=True):
        if example.positive is not None:
            texts = (example.positive, *example.negatives)
            search.add(example.anchor, output.anchor, dict(zip(texts, output.candidates, strict=False)))
    if not search.size:
        raise ValueError("none of these rows has a positive to score against")
    return search


def _negatives(row: Row) -> tuple[str, ...]:
    value: Any = row.values.get("negative")
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        return () if is_missing(value) else (text_cell(row, "negative"),)
    return tuple(text_cell(Row({"negative": text}, row.origin), "negative") for text in value)


def _texts(example: Pair) -> list[str]:
    """Anchor, positive, negatives: as many as there are."""
    return [example.anchor, *(() if example.positive is None else (example.positive, *example.negatives))]
