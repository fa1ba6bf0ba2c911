# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows of a question, the text that answers it, and where the answers stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.tasks.cells import is_missing, text_cell

__all__ = ["Answer", "QuestionExample", "read_question_row"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A passage of the context, ``context[start : start + len(text)] == text``; or a right answer that is none.

    Attributes:
        start: in characters; -1 where the row says -1, as CMRC 2018 marks answers in words of their own.
    """

    text: str
    start: int

    @property
    def end(self) -> int:
        """Behind its last character."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class QuestionExample:
    """A question about a context.

    Attributes:
        answers: any of them is right; none: the context does not say. ``None`` when the answer is only to be predicted.
        origin: where the row stands.
    """

    question: str
    context: str
    answers: tuple[Answer, ...] | None
    origin: Origin

    @property
    def learned(self) -> Answer | None:
        """The first answer that is a passage."""
        return next((answer for answer in self.answers or () if answer.start >= 0), None)


def read_question_row(row: Row, *, labelled: bool) -> QuestionExample:
    """``question``, ``context`` and ``answers``.

    Raises:
        RowError: one of them is missing, an answer does not stand where it is said to stand, or none is a passage.
    """
    question, context = text_cell(row, "question"), text_cell(row, "context")
    if not labelled:
        return QuestionExample(question, context, None, row.origin)
    value = row.values.get("answers")
    if value is None:
        raise RowError("there are no answers; a question that the context does not answer has an empty list")
    answers = tuple(_answer(text, start, context) for text, start in _listed(value))
    if answers and all(answer.start < 0 for answer in answers):
        raise RowError(
            f"answer_start is -1 for {answers[0].text!r:.60}, and no other answer is a passage of the context"
        )
    return QuestionExample(question, context, answers, row.origin)


def _listed(value: Any) -> list[tuple[Any, Any]]:
    """Text and start of each answer: of a list of objects, of one object, or of two lists as Hugging Face has them."""
    if isinstance(value, Mapping):
        texts, starts = (_plain(value.get(name)) for name in ("text", "answer_start"))
        if not isinstance(texts, list):
            return [(texts, starts)]
        if isinstance(starts, list) and len(starts) != len(texts):
            raise RowError(f"answers have {len(texts)} texts and {len(starts)} places (answer_start)")
        return list(zip(texts, starts if isinstance(starts, list) else [None] * len(texts), strict=True))
    value = _plain(value)
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise RowError(f"answers is {value!r:.80}; a list of {{text, answer_start}} was expected")
    return [(one.get("text"), one.get("answer_start")) for one in value]


def _plain(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    return list(value) if isinstance(value, tuple) else value


def _answer(text: Any, start: Any, context: str) -> Answer:
    if not isinstance(text, str) or is_missing(text):
        raise RowError(f"the answer {text!r:.60} is no text")
    found = context.find(text)
    if start is None:  # to look it up is no guess while there is one place only
        if found < 0:
            raise RowError(f"the context does not hold the answer {text!r:.60}")
        if context.find(text, found + 1) >= 0:
            raise RowError(f"the context holds the answer {text!r:.60} more than once; answer_start must say which")
        return Answer(text, found)
    if type(start) is not int:
        raise RowError(f"answer_start is {start!r:.60}; a place in characters from 0 was expected")
    if start == -1 and found < 0:
        return Answer(text, start)
    if start < 0 or context[start : start + len(text)] != text:
        stands = repr(context[start : start + len(text)][:60]) if 0 <= start < len(context) else "nothing"
        where = f"the answer stands at {found}" if found >= 0 else "the answer is nowhere in the context"
        raise RowError(f"answer_start is {start} for the answer {text!r:.60}; there stands {stands}; {where}")
    return Answer(text, start)
