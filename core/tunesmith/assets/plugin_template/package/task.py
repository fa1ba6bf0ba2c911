# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Texts rated on a scale from 1.

A rating is more than a label, since 1 for 5 is a worse mistake than 4 for 5, and less than a number, since there is no
4.3. So the model answers a yes-or-no question for each step of the scale, "is it more than 1?", "more than 2?" and so
on (Frank and Hall 2001), and the rating is 1 and as many steps as it says yes to.

Shapes: R rows of a batch, L length in tokens, S steps of the scale (4 for 1 to 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import Column, Origin, Row, RowError
from tunesmith.errors import DataError, Problem
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks import Batch, Encoded, Metric, Section, Table, Task
from tunesmith.tasks.cells import scalar_text, text_cell
from tunesmith.tasks.lengths import Lengths, choose_max_length, position_limit
from tunesmith.tasks.state import state_int
from tunesmith.tasks.text import bind_tokenizer, check_vocabulary, pad_right, padding_token, token_ids

if TYPE_CHECKING:  # seconds of import each; the functions below import them when they are called
    import torch
    from torch import nn

    from tunesmith.models import ModelSource

__all__ = ["Rated", "RatedText", "Rating"]

MOST = 100
"""Longest scale; what is greater is rather a number from some other column."""


@dataclass(frozen=True, slots=True)
class RatedText:
    """An example: what a row says.

    Attributes:
        text: as it stands in the file.
        rating: from 1; `None` when it is only to be predicted.
        origin: where the row stands, for messages about it.
    """

    text: str
    rating: int | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Rated:
    """An output: what the model says about one row.

    Attributes:
        above: float32 (S,), how probable it is that the rating is more than 1, more than 2, …
        loss: mean binary cross-entropy of these, nats; `None` where the rating is unknown.
    """

    above: np.ndarray[Any, np.dtype[np.float32]]
    loss: float | None

    @property
    def rating(self) -> int:
        """The rating given."""
        return 1 + int((self.above >= 0.5).sum())


class Rating(Task[RatedText, Rated]):
    """How good a text says something is. The scale goes from 1 to the highest rating among the training rows."""

    columns = (
        # Where a file has exactly one column with one of these names, it is taken without being asked for.
        Column(name="text", summary="the text to rate", aliases=("text", "review", "comment", "body")),
        Column(
            name="rating",
            summary="a whole number from 1",
            target=True,  # only training and evaluation need it
            aliases=("rating", "stars", "score"),
        ),
    )
    metrics = (  # the first is the headline: the checkpoint that does best on it becomes the model
        Metric(name="distance", greater_is_better=False, summary="mean distance of the given rating from the true one"),
        Metric(name="accuracy", greater_is_better=True, summary="share of rows whose rating is right"),
        Metric(name="loss", greater_is_better=False, summary="mean binary cross-entropy of the steps, nats"),
    )
    default_max_length = 256  # tokens
    token_feature = "input_ids"
    tallied = ("_lengths",)  # `encode` counts nothing else, so that rows may be encoded in several processes

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.highest = 0
        self.tokenizer: Any = None
        self._padding = 0
        self._lengths = Lengths(self.default_max_length, data.too_long)
        self._training: Sequence[RatedText] = ()

    def counted(self) -> list[str]:
        return self._lengths.sentences()  # nothing is cut off or left out in silence

    # ---- rows: what a file says ----------------------------------------------------------------

    def parse(self, row: Row, *, labelled: bool = True) -> RatedText:
        return RatedText(text_cell(row, "text"), _rating(row) if labelled else None, row.origin)

    def fit(self, examples: Sequence[RatedText]) -> None:
        ratings = {example.rating for example in examples if example.rating is not None}
        if len(ratings) < 2:
            raise DataError(
                "the training rows do not have enough different ratings",
                given=f"{len(examples):,} rows with the ratings {sorted(ratings)}",
                expected="at least two different ratings",
                fix="check that data.columns.rating names the right column",
            )
        self.highest = max(ratings)
        self.note(f"ratings from 1 to {self.highest}, the highest of the training rows")
        self._training = examples  # until `build`: a model from scratch learns its tokenizer from them

    def check(self, examples: Sequence[RatedText], split: str) -> None:
        problems = [
            Problem(example.origin, f"rating {example.rating}")
            for example in examples
            if example.rating is not None and example.rating > self.highest
        ]
        if problems:
            raise DataError(
                f"the {split} rows have ratings above those that training saw",
                given=f"{len(problems):,} such rows",
                expected=f"ratings from 1 to {self.highest}",
                fix="add training rows with these ratings, or correct them",
                problems=problems,  # every one is shown, with its file and line
            )

    def texts(self, examples: Sequence[RatedText]) -> list[str]:
        return [example.text for example in examples]

    # ---- model: what it reads and says ---------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        from tunesmith import models

        tokenizer, source = bind_tokenizer(source, lambda: self.texts(self._training))
        self._training = ()
        model: nn.Module = models.load_weights(source, "sequence-classification", **self._head())
        self._bind(model, tokenizer, source.name, self.data.max_length)
        return model

    def _head(self) -> dict[str, Any]:
        return {"num_labels": self.highest - 1, "problem_type": "multi_label_classification"}

    def _bind(self, model: Any, tokenizer: Any, name: str, max_length: int | None) -> None:
        check_vocabulary(model, tokenizer, name)
        self.tokenizer = tokenizer
        self._padding = padding_token(tokenizer, model.config)
        # Decoders are read at the last token of a row that is not padding.
        model.config.pad_token_id = model.config.get_text_config().pad_token_id = self._padding
        limit = choose_max_length(max_length, self.default_max_length, position_limit(model, tokenizer))
        self._lengths = Lengths(limit, self.data.too_long)

    def encode(self, example: RatedText, row: int) -> list[Encoded]:
        ids = token_ids(self.tokenizer, example.text, special=True)
        if not self._lengths.admit(len(ids), example.origin):
            return []  # data.too_long: skip
        if len(ids) > self._lengths.limit:
            ids = token_ids(self.tokenizer, example.text, special=True, max_length=self._lengths.limit)
        features = {"input_ids": np.asarray(ids or [self._padding], dtype=np.int32)}
        if example.rating is not None:
            steps = np.arange(1, self.highest)
            features["above"] = (example.rating > steps).astype(np.float32)  # of 3 of 5: 1 1 0 0
        return [Encoded(features, length=len(ids), targets=int(example.rating is not None), row=row)]

    def collate(self, items: Sequence[Encoded]) -> Batch:
        import torch

        ids = [item.features["input_ids"] for item in items]
        rated = all("above" in item.features for item in items)
        return Batch(
            inputs={
                "input_ids": pad_right(ids, self._padding),
                # Padding must change nothing: the model is told which tokens are real.
                "attention_mask": pad_right([np.ones_like(row) for row in ids], 0),
            },
            labels=torch.from_numpy(np.stack([item.features["above"] for item in items])) if rated else None,
            targets=len(items) if rated else 0,
            tokens=sum(map(len, ids)),
            rows=[item.row for item in items],
        )

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        if batch.labels is None:
            raise ValueError("this batch has no ratings, so it has no loss")
        # The sum, not the mean: the loop divides by the rows of the whole step, in however many parts it came.
        return _losses(self._logits(model, batch), batch.labels).sum()

    def outputs(self, model: nn.Module, batch: Batch) -> list[Rated]:
        logits = self._logits(model, batch)
        above = logits.sigmoid().cpu().numpy()
        if batch.labels is None:
            return [Rated(row, None) for row in above]
        return [Rated(*pair) for pair in zip(above, _losses(logits, batch.labels).tolist(), strict=True)]

    def _logits(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """float32 (R, S)."""
        logits: torch.Tensor = model(**batch.inputs).logits
        return logits.float()  # the model may compute in bfloat16, which is too coarse for a loss

    # ---- answers: what people see --------------------------------------------------------------

    def answer(self, output: Rated) -> dict[str, Any]:
        return {"rating": output.rating, "mean": 1 + float(output.above.sum()), "above": output.above.tolist()}

    def score(self, outputs: Sequence[Rated], examples: Sequence[RatedText]) -> dict[str, float]:
        given, true = _pairs(outputs, examples)
        away = np.abs(given - true)
        return {
            "distance": float(away.mean()),
            "accuracy": float((away == 0).mean()),
            "loss": float(np.mean([output.loss for output in outputs if output.loss is not None])),
        }

    def sections(self, outputs: Sequence[Rated], examples: Sequence[RatedText]) -> list[Section]:
        if all(example.rating is None for example in examples):
            return []
        given, true = _pairs(outputs, examples)
        rows = []
        for rating in sorted(set(true.tolist())):
            here = given[true == rating]
            rows.append((str(rating), len(here), float(here.mean()), float(np.abs(here - rating).mean())))
        return [
            Table(
                title="How far off, by true rating",
                note="A model that has learned little gives every text a rating from the middle of the scale.",
                header=("true rating", "rows", "mean of those given", "mean distance"),
                rows=rows,
            )
        ]

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {"highest": self.highest, "max_length": self._lengths.limit}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        self.highest = state_int(state, "highest")
        # Never a new head here: it would answer at random.
        model: nn.Module = models.load_weights(source, "sequence-classification", new_head=False, **self._head())
        self._bind(model, models.load_tokenizer(source), source.name, state_int(state, "max_length"))
        return model


def _rating(row: Row) -> int:
    value = row.values.get("rating")
    text = (scalar_text(value) or "").strip()  # "4" of a CSV file, 4 of JSON, 4.0 of a table: all the same
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        # Raised for one row; it is told with all the others, each with file and line, and nothing trains.
        given = "missing" if value in (None, "") else repr(value)
        raise RowError(f"rating is {given}; a whole number from 1 to {MOST} was expected")
    return int(text)


def _losses(logits: torch.Tensor, above: torch.Tensor) -> torch.Tensor:
    """One loss a row: (R, S) and (R, S) to (R,)."""
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(logits, above, reduction="none").mean(-1)


def _pairs(
    outputs: Sequence[Rated], examples: Sequence[RatedText]
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Given and true ratings of the rows that have one."""
    both = [(o.rating, e.rating) for o, e in zip(outputs, examples, strict=True) if e.rating is not None]
    if not both:
        raise ValueError("none of these rows has a rating to score against")
    pairs = np.asarray(both, dtype=np.int64)
    return pairs[:, 0], pairs[:, 1]
