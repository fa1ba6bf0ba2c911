# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Words with a tag each: names and other entities, parts of speech.

Shapes: R rows of a batch, L length in tokens, K tags, W words of a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import Column, Row
from tunesmith.errors import ModelError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Batch, Encoded, Metric, Task
from tunesmith.tasks.labels import learn_labels, sort_labels, unseen_labels
from tunesmith.tasks.lengths import Lengths, choose_max_length, plural, position_limit
from tunesmith.tasks.sections import Section
from tunesmith.tasks.state import state_int
from tunesmith.tasks.tagged_report import TaggedRow, entity_table, worst_rows
from tunesmith.tasks.tagged_rows import TaggedExample, read_tagged_row
from tunesmith.tasks.tagging import OUTSIDE, complete_tags, count_entities, entities_of, has_prefixes
from tunesmith.tasks.text import bind_tokenizer, check_vocabulary, pad_right, padding_token
from tunesmith.tasks.windows import Frame, middles, text_frame, windows
from tunesmith.tasks.word_tokens import word_tokens
from tunesmith.tasks.words import breaks

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["TagOutput", "TokenClassification"]

IGNORED = -100
"""The label of a place without a loss, as everywhere in torch and transformers."""
OVERLAP = 4
"""Windows of a long row share this part of their tokens, one in so many, with each neighbour."""


@dataclass(frozen=True, slots=True)
class TagOutput:
    """What the model says about the words that one window answers for.

    Attributes:
        row: index of the example.
        words: indices of the words in the example, int32 (W,).
        tags: most probable tag of each, int32 (W,).
        probabilities: of these tags, float32 (W,).
        loss: summed cross-entropy, nats; ``None`` where the tags are unknown.
    """

    row: int
    words: np.ndarray[Any, np.dtype[np.int32]]
    tags: np.ndarray[Any, np.dtype[np.int32]]
    probabilities: np.ndarray[Any, np.dtype[np.float32]]
    loss: float | None


class TokenClassification(Task[TaggedExample, TagOutput]):
    """Which tag each word of a row has.

    A word is tokenized with the space in front of it, if there is one. The label stands at its first token; the others
    carry no loss. A word that the tokenizer leaves nothing of is read as the unknown token.

    Rows longer than ``data.max_length`` (default: 512, or what the model allows) are read in windows that share a
    quarter of their tokens with each neighbour; every word is learned and answered exactly once, in the window in which
    it stands further inside. ``data.too_long: skip`` and ``error`` leave them out or stop the job instead.
    """

    columns = (
        Column(
            name="text",
            summary="a text, beside its entities",
            aliases=("text", "sentence", "content"),
            optional=True,
        ),
        Column(
            name="entities",
            summary="spans of the text: a list of {start, end, label}, in characters from 0",
            target=True,
            aliases=("entities", "ents"),
            optional=True,
        ),
        Column(name="tokens", summary="or a list of words", aliases=("tokens", "words"), optional=True),
        Column(
            name="tags",
            summary="and a tag for each of them",
            target=True,
            aliases=("tags", "ner_tags", "ner", "labels"),
            optional=True,
        ),
    )
    metrics = (
        Metric(name="f1", greater_is_better=True, summary="F1 of whole entities: the same words and the same type"),
        Metric(name="precision", greater_is_better=True, summary="share of the found entities that are right"),
        Metric(name="recall", greater_is_better=True, summary="share of the true entities that were found"),
        Metric(name="accuracy", greater_is_better=True, summary="share of words whose tag is right"),
        Metric(name="loss", greater_is_better=False, summary="mean cross-entropy per word, nats"),
    )
    default_max_length = 512
    token_feature = "input_ids"
    tallied = ("_lengths", "_words", "_unknown", "_unread", "_widened")

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.tokenizer: Any = None
        self.labels: tuple[str, ...] = ()
        self.prefixes = True
        self._index: dict[str, int] = {}
        self._from_words = False
        self._training: Sequence[TaggedExample] | None = None
        self._frame: Frame | None = None
        self._padding = 0
        self._lengths = Lengths(self.default_max_length, data.too_long)
        self._unknown = self._unread = self._widened = self._words = 0

    def counted(self) -> list[str]:
        found = [
            (self._unknown, "read as the unknown token: the tokenizer leaves nothing of them"),
            (self._unread, "without a token: the tokenizer leaves nothing of them; they are not learned"),
        ]
        sentences = [f"{count:,} of {self._words:,} words {what}" for count, what in found if count]
        if self._widened:
            sentences.append(f"{plural(self._widened, 'marked span')} not of whole words, widened to them")
        return [*self._lengths.sentences(), *sentences]

    # ---- rows ----------------------------------------------------------------------------------

    def parse(self, row: Row, *, labelled: bool = True) -> TaggedExample:
        return read_tagged_row(row, labelled=labelled)

    def fit(self, examples: Sequence[TaggedExample]) -> None:
        self._set_labels(sort_labels(complete_tags(learn_labels(examples, multi_label=False))))
        # A model of words given one by one must meet a text the same way: with the spaces that `breaks` puts there.
        self._from_words = any(example.text is None for example in examples)
        self._training = examples  # until build(): a tokenizer may have to be learned from them
        if not self.prefixes:
            self.note(
                "the tags have no prefixes such as B- and I-: precision, recall and f1 count single words "
                f"whose tag is not {OUTSIDE}"
            )

    def check(self, examples: Sequence[TaggedExample], split: str) -> None:
        error = unseen_labels(examples, self.labels, split)
        if error is not None:
            raise error

    def texts(self, examples: Sequence[TaggedExample]) -> list[str]:
        return ["".join(self._pieces(example)) for example in examples]

    def _pieces(self, example: TaggedExample) -> list[str]:
        """Words with the space in front of them, where there is one."""
        spaced = breaks(example.words) if self._from_words else example.spaced
        return [f" {word}" if space else word for word, space in zip(example.words, spaced, strict=True)]

    # ---- model ---------------------------------------------------------------------------------

    def head_config(self) -> dict[str, Any]:
        """Configuration of a head with this task's tags, in transformers' names."""
        return {
            "num_labels": len(self.labels),
            "id2label": dict(enumerate(self.labels)),
            "label2id": dict(self._index),
        }

    def build(self, source: ModelSource) -> nn.Module:
        from tunesmith import models

        examples, self._training = self._training or (), None
        tokenizer, source = bind_tokenizer(source, lambda: self.texts(examples))
        model = models.load_weights(source, "token-classification", **self.head_config())
        self._bind(model, tokenizer, source.name, self.data.max_length)
        return model  # type: ignore[no-any-return]

    def _bind(self, model: Any, tokenizer: Any, name: str, max_length: int | None) -> None:
        check_vocabulary(model, tokenizer, name)
        self.tokenizer = tokenizer
        self._padding = padding_token(tokenizer, model.config)
        self._frame = text_frame(tokenizer)
        limit = choose_max_length(max_length, self.default_max_length, position_limit(model, tokenizer))
        self._lengths = Lengths(limit, self.data.too_long, shortened="read in windows of up")
        if limit - self._frame.size < 2:
            raise ModelError(
                "data.max_length leaves no room for words",
                given=f"{limit:,} tokens, of which the tokenizer of {name!r} puts {self._frame.size} around a text",
                expected=f"at least {self._frame.size + 2} tokens",
                fix="raise data.max_length",
            )

    def encode(self, example: TaggedExample, row: int) -> list[Encoded]:
        """``word``, int32 (L,): the word whose label stands at a place, -1 elsewhere; ``label``, int64 (L,)."""
        assert self._frame is not None
        labels = self._label_ids(example)
        tokens = word_tokens(self.tokenizer, self._pieces(example), self._padding)
        if not self._lengths.admit(len(tokens.ids) + self._frame.size, example.origin):
            return []
        self._words += len(example.words)
        self._unknown += tokens.unknown
        self._unread += tokens.unread
        self._widened += example.widened
        room = self._lengths.limit - self._frame.size
        parts = windows(len(tokens.ids), room, room // OVERLAP)
        items = []
        for (start, end), (begin, stop) in zip(parts, middles(parts), strict=True):
            word = np.full(len(self._frame.before) + end - start + len(self._frame.behind), -1, dtype=np.int32)
            offset = len(self._frame.before) - start
            word[begin + offset : stop + offset] = tokens.first[begin:stop]
            owned = int((word >= 0).sum())
            if owned or len(parts) == 1:  # the middle of a very long word answers for nothing
                features = self._frame.around(tokens.ids[start:end]) | {"word": word}
                if labels is not None:
                    features["label"] = np.where(word >= 0, labels[word], IGNORED)
                targets = owned if labels is not None else 0
                items.append(Encoded(features, length=len(word), targets=targets, row=row))
        return items

    def _label_ids(self, example: TaggedExample) -> np.ndarray[Any, np.dtype[np.int64]] | None:
        if example.tags is None:
            return None
        error = unseen_labels([example], self.labels, "given")
        if error is not None:
            raise error
        return np.asarray([self._index[tag] for tag in example.tags], dtype=np.int64)

    def collate(self, items: Sequence[Encoded]) -> Batch:
        ids = [item.features["input_ids"] for item in items]
        inputs = {"input_ids": pad_right(ids, self._padding)}
        if "token_type_ids" in items[0].features:
            inputs["token_type_ids"] = pad_right([item.features["token_type_ids"] for item in items], 0)
        if len({len(row) for row in ids}) > 1:  # without a mask, attention takes a faster way to the same result
            inputs["attention_mask"] = pad_right([np.ones_like(row) for row in ids], 0)
        labelled = all("label" in item.features for item in items)
        return Batch(
            inputs=inputs,
            labels=pad_right([item.features["label"] for item in items], IGNORED) if labelled else None,
            targets=sum(item.targets for item in items) if labelled else 0,
            tokens=sum(map(len, ids)),
            rows=[item.row for item in items],
            extra={"word": pad_right([item.features["word"] for item in items], -1).numpy()},
        )

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        if batch.labels is None:
            raise ValueError("this batch has no labels, so it has no loss")
        return self._losses(self._logits(model, batch), batch.labels).sum()

    def outputs(self, model: nn.Module, batch: Batch) -> list[TagOutput]:
        logits = self._logits(model, batch)
        best = logits.softmax(-1).max(-1)
        probabilities, tags = best.values.cpu().numpy(), best.indices.cpu().numpy().astype(np.int32)
        losses: list[float | None] = [None] * len(batch.rows)
        if batch.labels is not None:
            losses = list(self._losses(logits, batch.labels).double().sum(-1).tolist())
        words = batch.extra["word"].astype(np.int32)
        owned = words >= 0
        return [
            TagOutput(row, words[n][owned[n]], tags[n][owned[n]], probabilities[n][owned[n]], losses[n])
            for n, row in enumerate(batch.rows)
        ]

    def _logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """float32 (R, L, K)."""
        logits: torch.Tensor = model(**batch.inputs).logits
        return logits.float()

    def _losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(R, L); 0 where there is no label."""
        from torch.nn import functional

        return functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")

    # ---- answers -------------------------------------------------------------------------------

    def answer_row(self, outputs: Sequence[TagOutput], example: TaggedExample) -> dict[str, Any]:
        """For a text, ``entities`` with their places in characters; for words, ``tags`` and ``entities`` with their
        places in words. Tags without prefixes make no entities: a text's words are then answered as ``tokens``.

        An entity's probability is the mean of those of its words' tags.
        """
        tags, probabilities = self._joined(outputs, len(example.words))
        entities = [
            {
                "text": self._passage(example, first, behind),
                "label": kind,
                "start": example.spans[first][0] if example.spans else first,
                "end": example.spans[behind - 1][1] if example.spans else behind,
                "probability": float(probabilities[first:behind].mean()),
            }
            for kind, first, behind in (entities_of(tags) if self.prefixes else ())
        ]
        if example.text is None:
            given = {"tags": tags, "probabilities": probabilities.astype(float).tolist()}
            return given | ({"entities": entities} if self.prefixes else {})
        if self.prefixes:
            return {"entities": entities}
        rows = zip(example.words, tags, example.spans, probabilities.astype(float).tolist(), strict=True)
        return {
            "tokens": [
                {"text": word, "tag": tag, "start": start, "end": end, "probability": probability}
                for word, tag, (start, end), probability in rows
            ]
        }

    def _joined(self, outputs: Sequence[TagOutput], words: int) -> tuple[list[str], np.ndarray[Any, Any]]:
        """Tag and probability of every word of a row. A word that no token stands for is outside of entities."""
        outside = self._index.get(OUTSIDE, 0)
        tags, probabilities = np.full(words, outside, dtype=np.int32), np.zeros(words, dtype=np.float32)
        for output in outputs:
            tags[output.words] = output.tags
            probabilities[output.words] = output.probabilities
        return [self.labels[tag] for tag in tags.tolist()], probabilities

    @staticmethod
    def _passage(example: TaggedExample, first: int, behind: int) -> str:
        if example.text is not None:
            return example.text[example.spans[first][0] : example.spans[behind - 1][1]]
        words = zip(example.words[first:behind], example.spaced[first:behind], strict=True)
        return "".join(f" {word}" if space else word for word, space in words).strip()

    def score(self, outputs: Sequence[TagOutput], examples: Sequence[TaggedExample]) -> dict[str, float]:
        rows = self._rows(outputs, examples)
        if not rows:
            raise ValueError("none of these rows has tags to score against")
        every, _ = count_entities((row.truth for row in rows), (row.found for row in rows))
        words = sum(len(row.tags) for row in rows)
        learned = sum(len(output.words) for output in outputs if output.loss is not None)
        right = sum(sum(map(str.__eq__, row.tags, row.example.tags or ())) for row in rows)
        return {
            "f1": every.f1,
            "precision": every.precision,
            "recall": every.recall,
            "accuracy": right / words,
            "loss": sum(row.loss for row in rows) / max(1, learned),
        }

    def _rows(self, outputs: Sequence[TagOutput], examples: Sequence[TaggedExample]) -> list[TaggedRow]:
        """The labelled rows, each with the outputs of all its windows put together."""
        parts: dict[int, tuple[TaggedExample, list[TagOutput]]] = {}
        for output, example in zip(outputs, examples, strict=True):
            parts.setdefault(output.row, (example, []))[1].append(output)
        rows = []
        for example, pieces in parts.values():
            if example.tags is not None:
                tags, _ = self._joined(pieces, len(example.words))
                loss = sum(piece.loss or 0.0 for piece in pieces)
                truth = entities_of(example.tags, prefixes=self.prefixes)
                rows.append(TaggedRow(example, tags, truth, entities_of(tags, prefixes=self.prefixes), loss))
        return rows

    def sections(self, outputs: Sequence[TagOutput], examples: Sequence[TaggedExample]) -> list[Section]:
        rows = self._rows(outputs, examples)
        return [entity_table(rows), *worst_rows(rows, self._passage)] if rows else []

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {"labels": list(self.labels), "from_words": self._from_words, "max_length": self._lengths.limit}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models
        from tunesmith.tasks.rendering import labels_of_config

        labels = state["labels"] if "labels" in state else labels_of_config(source)["labels"]
        if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
            raise ModelError(
                f"the tags saved with {source.name!r} cannot be used",
                given=repr(labels)[:200],
                expected="a list of texts",
                fix="save the model again, or repair rendering.json",
            )
        self._set_labels(tuple(labels))
        self._from_words = state.get("from_words", True) is True  # models of the hub learned from words one by one
        max_length = state_int(state, "max_length") if "max_length" in state else self.data.max_length
        model = models.load_weights(source, "token-classification", new_head=False, **self.head_config())
        self._bind(model, models.load_tokenizer(source), source.name, max_length)
        return model  # type: ignore[no-any-return]

    def _set_labels(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._index = {label: index for index, label in enumerate(labels)}
        self.prefixes = has_prefixes(labels)
