# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Questions whose answers are passages of a text: extractive question answering.

Shapes: R rows of a batch, L length in tokens, N best spans of a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.rows import Column, Row
from tunesmith.errors import DataError, ModelError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.answer_scores import exact_match, f1
from tunesmith.tasks.base import Batch, Encoded, Metric, Task
from tunesmith.tasks.lengths import Lengths, choose_max_length, plural, position_limit
from tunesmith.tasks.question_report import AnsweredRow, kinds_table, worst_answers
from tunesmith.tasks.question_rows import QuestionExample, read_question_row
from tunesmith.tasks.sections import Section
from tunesmith.tasks.state import state_int
from tunesmith.tasks.text import bind_tokenizer, check_vocabulary, pad_right, padding_token
from tunesmith.tasks.windows import Frame, pair_frame, windows

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["BEST", "LONGEST_ANSWER", "NO_ANSWER_MARGIN", "STRIDE", "AnswerOutput", "QuestionAnswering"]

STRIDE = 128
"""Tokens that a window of a long context shares with the one before it; in short windows half of their room."""
LONGEST_ANSWER = 30
"""Tokens; or as many as the longest training answer has, where that is more."""
BEST = 20
"""Spans of a window that are kept; probabilities are shares among those of all windows of a row."""
NO_ANSWER_MARGIN = 0.0
"""There is no answer where the score for that is greater than the best span's by more than this (SQuAD 2.0)."""


@dataclass(frozen=True, slots=True)
class AnswerOutput:
    """What the model says about one window of a context.

    Attributes:
        row: index of the example.
        scores: of the best spans, float32 (N,), best first: the sum of two logits; -inf where there are no more.
        starts, ends: of these spans, characters of the context, int64 (N,).
        nothing: score for that the window holds no answer.
        loss: nats; ``None`` where the answer is unknown.
    """

    row: int
    scores: np.ndarray[Any, np.dtype[np.float32]]
    starts: np.ndarray[Any, np.dtype[np.int64]]
    ends: np.ndarray[Any, np.dtype[np.int64]]
    nothing: float
    loss: float | None


class QuestionAnswering(Task[QuestionExample, AnswerOutput]):
    """Where in a context the answer to a question stands.

    The model reads question and context together and gives each token a logit for the answer's start and one for its
    end (Devlin et al. 2019, arXiv:1810.04805). What is longer than ``data.max_length`` (default: 384, or what the model
    allows; question included) is read in windows of the context that share ``STRIDE`` tokens. In a window that does not
    hold the whole answer, and for questions without one, both point at the first token. ``data.too_long: skip`` and
    ``error`` leave rows of several windows out or stop the job instead.

    Loss per window: the mean of the two cross-entropies, as in transformers, over the window's own tokens.
    """

    columns = (
        Column(name="question", summary="what is asked", aliases=("question", "query")),
        Column(
            name="context",
            summary="the text that holds the answer; files of SQuAD are read with data.format=squad",
            aliases=("context", "passage", "paragraph"),
        ),
        Column(
            name="answers",
            summary="a list of {text, answer_start}; empty where there is no answer",
            target=True,
            aliases=("answers", "answer"),
        ),
    )
    metrics = (
        Metric(name="f1", greater_is_better=True, summary="mean F1 between the words of the answer and of a right one"),
        Metric(name="exact_match", greater_is_better=True, summary="share of answers that are right as a whole"),
        Metric(name="loss", greater_is_better=False, summary="mean cross-entropy of start and end per window, nats"),
    )
    default_max_length = 384
    token_feature = "input_ids"
    tallied = ("_lengths", "_questions_cut", "_several", "_elsewhere", "_answers", "_inexact", "_in_pieces")

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.tokenizer: Any = None
        self.unanswerable = False
        self.longest_answer = LONGEST_ANSWER
        self._training: Sequence[QuestionExample] | None = None
        self._frame: Frame | None = None
        self._padding = 0
        self._lengths = Lengths(self.default_max_length, data.too_long)
        self._questions_cut = self._inexact = self._several = self._elsewhere = self._answers = self._in_pieces = 0
        self._last: tuple[str, list[int], np.ndarray[Any, Any]] = ("", [], np.zeros((0, 2), dtype=np.int32))

    def counted(self) -> list[str]:
        cut = f"truncated to {self._lengths.limit // 2:,} tokens, half of the input"
        inexact = "begin or end inside a token: the model can only give them with the rest of it"
        found = [
            (self._questions_cut, f"{plural(self._questions_cut, 'question')} {cut}"),
            (self._several, f"{plural(self._several, 'row')} with several answers: the first is learned, any is right"),
            (
                self._elsewhere,
                f"{plural(self._elsewhere, 'right answer')} not in the context (answer_start -1), not learned",
            ),
            (self._inexact, f"{self._inexact:,} of {plural(self._answers, 'answer')} {inexact}"),
            (self._in_pieces, f"{plural(self._in_pieces, 'answer')} whole in none of the windows: not learned"),
        ]
        return [*self._lengths.sentences(), *(sentence for count, sentence in found if count)]

    # ---- rows ----------------------------------------------------------------------------------

    def parse(self, row: Row, *, labelled: bool = True) -> QuestionExample:
        return read_question_row(row, labelled=labelled)

    def fit(self, examples: Sequence[QuestionExample]) -> None:
        if not any(example.answers for example in examples):
            raise DataError(
                "none of the training questions has an answer",
                given=f"{len(examples):,} rows with empty answers",
                expected="rows with answers of {text, answer_start}",
                fix="check that data.columns names the right column of answers",
            )
        self.unanswerable = any(not example.answers for example in examples)
        self._training = examples  # until build(): a tokenizer may have to be learned from them

    def check(self, examples: Sequence[QuestionExample], split: str) -> None:
        without = sum(not example.answers for example in examples)
        if without and not self.unanswerable:
            self.note(
                f"{without:,} of {len(examples):,} {split} questions have no answer, all training questions have one: "
                "the model always answers"
            )

    def texts(self, examples: Sequence[QuestionExample]) -> list[str]:
        contexts = dict.fromkeys(example.context for example in examples)
        return [*contexts, *(example.question for example in examples)]

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        from tunesmith import models

        examples, self._training = self._training or (), None
        tokenizer, source = bind_tokenizer(source, lambda: self.texts(examples))
        model = models.load_weights(source, "question-answering", num_labels=2)
        self._bind(model, tokenizer, source.name, self.data.max_length)
        self.longest_answer = max(LONGEST_ANSWER, self._longest(examples))
        return model  # type: ignore[no-any-return]

    def _bind(self, model: Any, tokenizer: Any, name: str, max_length: int | None) -> None:
        check_vocabulary(model, tokenizer, name)
        self.tokenizer = tokenizer
        self._padding = padding_token(tokenizer, model.config)
        self._frame = pair_frame(tokenizer)
        limit = choose_max_length(max_length, self.default_max_length, position_limit(model, tokenizer))
        self._lengths = Lengths(limit, self.data.too_long, shortened="read in windows of up")
        if limit // 2 - self._frame.size < 2:
            raise ModelError(
                "data.max_length leaves no room for question and context",
                given=f"{limit:,} tokens, of which the tokenizer of {name!r} puts {self._frame.size} around two texts",
                expected=f"at least {2 * (self._frame.size + 2)} tokens",
                fix="raise data.max_length",
            )

    def _longest(self, examples: Sequence[QuestionExample]) -> int:
        """Tokens of the longest answer that is learned."""
        texts = sorted({answer.text for example in examples if (answer := example.learned)}, key=len)
        return max((len(self._split(text)[0]) for text in texts[-100:]), default=0)

    def _split(self, text: str) -> tuple[list[int], np.ndarray[Any, Any]]:
        """Tokens of a text and the characters each stands for, int32 (L, 2)."""
        encoding = self.tokenizer(
            text, add_special_tokens=False, truncation=False, padding=False, verbose=False
        ).encodings[0]
        return encoding.ids, np.asarray(encoding.offsets, dtype=np.int32).reshape(-1, 2)

    def _context(self, text: str) -> tuple[list[int], np.ndarray[Any, Any]]:
        """As :meth:`_split`, once for the questions about one context that follow each other."""
        if self._last[0] != text:
            self._last = (text, *self._split(text))
        return self._last[1:]

    def encode(self, example: QuestionExample, row: int) -> list[Encoded]:
        """``span``, int32 (L, 2): characters of the context's tokens, -1 elsewhere; ``places``, int64 (2,)."""
        assert self._frame is not None
        question, _ = self._split(example.question)
        ids, spans = self._context(example.context)
        length = len(question) + len(ids) + self._frame.size
        if not self._lengths.admit(length, example.origin):
            return []
        longest = self._lengths.limit // 2 - self._frame.size
        if length > self._lengths.limit and len(question) > longest:
            question = question[:longest]
            self._questions_cut += 1
        room = self._lengths.limit - self._frame.size - len(question)
        answer = self._answer_tokens(example, spans)
        ahead = len(self._frame.before) + len(question) + len(self._frame.between)
        items = []
        parts = windows(len(ids), room, min(STRIDE, room // 2))
        self._in_pieces += answer is not None and not any(
            start <= answer[0] and answer[1] < end for start, end in parts
        )
        for start, end in parts:
            features = self._frame.around(question, ids[start:end])
            span = np.full((len(features["input_ids"]), 2), -1, dtype=np.int32)
            span[ahead : ahead + end - start] = spans[start:end]
            features["span"] = span
            if example.answers is not None:
                inside = answer is not None and start <= answer[0] and answer[1] < end
                places = (answer[0] - start + ahead, answer[1] - start + ahead) if inside and answer else (0, 0)
                features["places"] = np.asarray(places, dtype=np.int64)
            items.append(Encoded(features, len(span), targets=int(example.answers is not None), row=row))
        return items

    def _answer_tokens(self, example: QuestionExample, spans: np.ndarray[Any, Any]) -> tuple[int, int] | None:
        """First and last token of the answer that is learned."""
        answer = example.learned
        if answer is None:
            return None
        self._answers += 1
        self._several += len({one.text for one in example.answers or ()}) > 1
        self._elsewhere += sum(one.start < 0 for one in example.answers or ())
        touched = np.flatnonzero(
            (spans[:, 0] < answer.end) & (spans[:, 1] > answer.start) & (spans[:, 0] < spans[:, 1])
        )
        if not len(touched):
            self._inexact += 1
            return None
        first, last = int(touched[0]), int(touched[-1])
        self._inexact += example.context[spans[first, 0] : spans[last, 1]].strip() != answer.text.strip()
        return first, last

    def collate(self, items: Sequence[Encoded]) -> Batch:
        import torch

        ids = [item.features["input_ids"] for item in items]
        inputs = {"input_ids": pad_right(ids, self._padding)}
        if "token_type_ids" in items[0].features:
            inputs["token_type_ids"] = pad_right([item.features["token_type_ids"] for item in items], 0)
        if len({len(row) for row in ids}) > 1:  # without a mask, attention takes a faster way to the same result
            inputs["attention_mask"] = pad_right([np.ones_like(row) for row in ids], 0)
        spans = np.full((len(items), max(map(len, ids)), 2), -1, dtype=np.int32)
        for index, item in enumerate(items):
            spans[index, : len(item.features["span"])] = item.features["span"]
        labelled = all("places" in item.features for item in items)
        return Batch(
            inputs=inputs,
            labels=torch.from_numpy(np.stack([item.features["places"] for item in items])) if labelled else None,
            targets=len(items) if labelled else 0,
            tokens=sum(map(len, ids)),
            rows=[item.row for item in items],
            extra={"span": spans},
        )

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        if batch.labels is None:
            raise ValueError("this batch has no labels, so it has no loss")
        return self._losses(*self._logits(model, batch), batch.labels).sum()

    def outputs(self, model: nn.Module, batch: Batch) -> list[AnswerOutput]:
        import torch

        from tunesmith.tasks.best_spans import best_spans

        start, end = self._logits(model, batch)
        spans = batch.extra["span"]
        allowed = torch.from_numpy(spans[:, :, 1] > spans[:, :, 0]).to(start.device)
        scores, first, last = best_spans(start, end, allowed, longest=self.longest_answer, count=BEST)
        nothing = (start[:, 0] + end[:, 0]).tolist()
        losses: list[float | None] = [None] * len(batch.rows)
        if batch.labels is not None:
            losses = list(self._losses(start, end, batch.labels).tolist())
        return [
            AnswerOutput(row, scores[n], spans[n, first[n], 0], spans[n, last[n], 1], nothing[n], losses[n])
            for n, row in enumerate(batch.rows)
        ]

    def _logits(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Of starts and ends, float32 (R, L); -inf on padding, which is no place for an answer."""
        outputs = model(**batch.inputs)
        start, end = outputs.start_logits.float(), outputs.end_logits.float()
        mask = batch.inputs.get("attention_mask")
        if mask is None:
            return start, end
        return start.masked_fill(mask == 0, float("-inf")), end.masked_fill(mask == 0, float("-inf"))

    def _losses(self, start: torch.Tensor, end: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """(R,)"""
        from torch.nn import functional

        one = functional.cross_entropy(start, places[:, 0], reduction="none")
        other = functional.cross_entropy(end, places[:, 1], reduction="none")
        return (one + other) / 2

    # ---- answers -------------------------------------------------------------------------------

    def answer_row(self, outputs: Sequence[AnswerOutput], example: QuestionExample) -> dict[str, Any]:
        """``{"answer", "start", "end", "probability"}``; without an answer ``""`` and ``None`` for its place."""
        start, end, probability = self._decided(outputs, example.context)
        answer = (
            {"answer": "", "start": None, "end": None}
            if start is None
            else {
                "answer": example.context[start:end],
                "start": start,
                "end": end,
            }
        )
        return answer | {"probability": probability}

    def _decided(self, outputs: Sequence[AnswerOutput], context: str) -> tuple[int | None, int | None, float]:
        """The best span of a row over all its windows, and its share among the best ones.

        Windows share tokens, so a span may come twice: its greater score counts. The score for no answer is the least
        over the windows, since an answer in one of them is enough.
        """
        best: dict[tuple[int, int], float] = {}
        for output in outputs:
            for score, start, end in zip(
                output.scores.tolist(), output.starts.tolist(), output.ends.tolist(), strict=True
            ):
                span = _trimmed(context, start, end)
                if score > best.get(span, float("-inf")) and span[0] < span[1]:
                    best[span] = score
        ranked = sorted(best.items(), key=lambda item: -item[1])[:BEST]
        nothing = min(output.nothing for output in outputs)
        scores = np.asarray([score for _, score in ranked] + [nothing] * (self.unanswerable or not ranked))
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        if not ranked or (self.unanswerable and nothing > ranked[0][1] + NO_ANSWER_MARGIN):
            return None, None, float(shares[-1])
        return (*ranked[0][0], float(shares[0]))

    def score(self, outputs: Sequence[AnswerOutput], examples: Sequence[QuestionExample]) -> dict[str, float]:
        rows = self._rows(outputs, examples)
        if not rows:
            raise ValueError("none of these rows has answers to score against")
        losses = [output.loss for output in outputs if output.loss is not None]
        return {
            "f1": float(np.mean([row.f1 for row in rows])),
            "exact_match": float(np.mean([row.exact_match for row in rows])),
            "loss": float(np.mean(losses, dtype=np.float64)),
        }

    def _rows(self, outputs: Sequence[AnswerOutput], examples: Sequence[QuestionExample]) -> list[AnsweredRow]:
        """The labelled rows, each with the answer over all its windows."""
        parts: dict[int, tuple[QuestionExample, list[AnswerOutput]]] = {}
        for output, example in zip(outputs, examples, strict=True):
            parts.setdefault(output.row, (example, []))[1].append(output)
        rows = []
        for example, pieces in parts.values():
            if example.answers is not None:
                start, end, probability = self._decided(pieces, example.context)
                given = "" if start is None else example.context[start:end]
                right = [answer.text for answer in example.answers]
                rows.append(AnsweredRow(example, given, probability, exact_match(given, right), f1(given, right)))
        return rows

    def sections(self, outputs: Sequence[AnswerOutput], examples: Sequence[QuestionExample]) -> list[Section]:
        rows = self._rows(outputs, examples)
        return [*kinds_table(rows), *worst_answers(rows)]

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "max_length": self._lengths.limit,
            "longest_answer": self.longest_answer,
            "unanswerable": self.unanswerable,
        }

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        max_length = state_int(state, "max_length") if "max_length" in state else self.data.max_length
        self.longest_answer = state_int(state, "longest_answer") if "longest_answer" in state else LONGEST_ANSWER
        self.unanswerable = state.get("unanswerable") is True
        model = models.load_weights(source, "question-answering", new_head=False, num_labels=2)
        self._bind(model, models.load_tokenizer(source), source.name, max_length)
        return model  # type: ignore[no-any-return]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without white space at its ends: tokens of bytes carry the space in front of them."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
