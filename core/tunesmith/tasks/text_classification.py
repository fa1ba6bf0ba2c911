# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Texts with one label each, or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import Column, Origin, Row
from tunesmith.errors import DataError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Batch, Encoded
from tunesmith.tasks.cells import label_cell, text_cell
from tunesmith.tasks.classification import Classification
from tunesmith.tasks.classification_report import excerpt
from tunesmith.tasks.lengths import Lengths, choose_max_length, position_limit
from tunesmith.tasks.sections import Table
from tunesmith.tasks.state import state_int
from tunesmith.tasks.text import bind_tokenizer, check_vocabulary, pad_right, padding_token, token_ids

if TYPE_CHECKING:
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["TextClassification", "TextExample"]


@dataclass(frozen=True, slots=True)
class TextExample:
    """A text and its labels.

    Attributes:
        text: as it stands in the file.
        labels: ``None`` when it is only to be predicted.
        several: the labels were given as a list, or with a separator.
        origin: where the row stands.
    """

    text: str
    labels: tuple[str, ...] | None
    several: bool
    origin: Origin


class TextClassification(Classification[TextExample]):
    """Which label, or labels, a text has.

    Encoders read ``[CLS]``; decoders are read at their last token. Longer texts than ``data.max_length``
    (default: 512, or what the model allows) are cut at the end, skipped or refused, as ``data.too_long`` says.
    """

    columns = (
        Column(
            name="text",
            summary="the text to classify",
            aliases=("text", "sentence", "content", "message", "query", "body", "utterance"),
        ),
        Column(
            name="label",
            summary="its label; several as a list, or with data.label_separator",
            target=True,
            aliases=("label", "category", "class", "intent", "target"),
        ),
    )
    default_max_length = 512
    token_feature = "input_ids"
    tallied = ("_lengths",)
    augments = "text"

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.tokenizer: Any = None
        self._padding = 0
        self._lengths = Lengths(self.default_max_length, data.too_long)

    def counted(self) -> list[str]:
        return self._lengths.sentences()

    def parse(self, row: Row, *, labelled: bool = True) -> TextExample:
        text = text_cell(row, "text")
        if not labelled:
            return TextExample(text, None, False, row.origin)
        labels, several = label_cell(row, "label", self.data.label_separator)
        return TextExample(text, labels, several, row.origin)

    def texts(self, examples: Sequence[TextExample]) -> list[str]:
        return [example.text for example in examples]

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        from tunesmith import models

        examples, self._training = self._training or (), None
        tokenizer, source = bind_tokenizer(source, lambda: self.texts(examples))
        model = models.load_weights(source, "sequence-classification", **self.head_config())
        self._bind(model, tokenizer, source.name, self.data.max_length)
        return model  # type: ignore[no-any-return]

    def _bind(self, model: Any, tokenizer: Any, name: str, max_length: int | None) -> None:
        check_vocabulary(model, tokenizer, name)
        config = model.config
        self.tokenizer = tokenizer
        self._padding = padding_token(tokenizer, config)
        # Decoders find the last token of a row as the last one that is not padding.
        config.pad_token_id = config.get_text_config().pad_token_id = self._padding
        limit = choose_max_length(max_length, self.default_max_length, position_limit(model, tokenizer))
        self._lengths = Lengths(limit, self.data.too_long)

    def encode(self, example: TextExample, row: int) -> list[Encoded]:
        ids = token_ids(self.tokenizer, example.text, special=True)
        if not self._lengths.admit(len(ids), example.origin):
            return []
        if len(ids) > self._lengths.limit:
            ids = token_ids(self.tokenizer, example.text, special=True, max_length=self._lengths.limit)
        if not ids:  # a text the tokenizer knows nothing of, such as white space, still needs an input
            ids = [self._padding]
        features = {"input_ids": np.asarray(ids, dtype=np.int32), **self.encode_label(example)}
        return [Encoded(features, length=len(ids), targets=int(example.labels is not None), row=row)]

    def augmented(self, item: Encoded, examples: Sequence[TextExample], change: Callable[[str], str]) -> Encoded:
        """A changed text of more than ``data.max_length`` tokens is cut where rows are; else the row stays plain."""
        example = examples[item.row]
        text = change(example.text)
        if text == example.text:
            return item
        try:
            items = self.encode(replace(example, text=text), item.row)
        except DataError:  # data.too_long: error
            return item
        return items[0] if items else item

    def collate(self, items: Sequence[Encoded]) -> Batch:
        ids = [item.features["input_ids"] for item in items]
        inputs = {"input_ids": pad_right(ids, self._padding)}
        if len({len(row) for row in ids}) > 1:  # without a mask, attention takes a faster way to the same result
            inputs["attention_mask"] = pad_right([np.ones_like(row) for row in ids], 0)
        labels = self.collate_labels(items)
        return Batch(
            inputs=inputs,
            labels=labels,
            targets=0 if labels is None else len(items),
            tokens=sum(map(len, ids)),
            rows=[item.row for item in items],
        )

    # ---- report --------------------------------------------------------------------------------

    def mistake_table(self, examples: Sequence[TextExample], rows: Sequence[Sequence[str | float]], note: str) -> Table:
        return Table(
            title="Worst mistakes",
            note=note,
            header=("text", "true", "predicted", "probability", "loss"),
            rows=[(excerpt(example.text), *row) for example, row in zip(examples, rows, strict=True)],
        )

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "max_length": self._lengths.limit}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        self.restore_labels(state, source)
        max_length = state_int(state, "max_length") if "max_length" in state else self.data.max_length
        model = models.load_weights(source, "sequence-classification", new_head=False, **self.head_config())
        self._bind(model, models.load_tokenizer(source), source.name, max_length)
        return model  # type: ignore[no-any-return]
