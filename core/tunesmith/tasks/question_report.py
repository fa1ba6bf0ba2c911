# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What question answering shows in the report: figures by kind of question, and answers that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tunesmith.tasks.classification_report import MISTAKES_SHOWN, excerpt
from tunesmith.tasks.question_rows import QuestionExample
from tunesmith.tasks.sections import Section, Table

__all__ = ["AnsweredRow", "kinds_table", "worst_answers"]


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """A question with the model's answer.

    Attributes:
        answer: the passage; empty where the model finds none.
        probability: of the answer.
        exact_match, f1: with the right answers, 0 to 1.
    """

    example: QuestionExample
    answer: str
    probability: float
    exact_match: float
    f1: float


def kinds_table(rows: Sequence[AnsweredRow]) -> list[Section]:
    """Figures of questions with and without an answer; nothing where all are of one kind."""
    kinds = {
        "with an answer": [row for row in rows if row.example.answers],
        "without an answer": [row for row in rows if not row.example.answers],
    }
    if not all(kinds.values()):
        return []
    return [
        Table(
            title="Scores per kind of question",
            note="A question without an answer is right when the model gives none.",
            header=("question", "rows", "F1", "exact match", "answered"),
            rows=[
                (
                    kind,
                    len(part),
                    round(fmean(row.f1 for row in part), 4),
                    round(fmean(row.exact_match for row in part), 4),
                    sum(bool(row.answer) for row in part),
                )
                for kind, part in kinds.items()
            ],
        )
    ]


def worst_answers(rows: Sequence[AnsweredRow]) -> list[Section]:
    """Wrong answers of the least F1, of these the surest first."""
    wrong = sorted((row for row in rows if not row.exact_match), key=lambda row: (row.f1, -row.probability))
    if not wrong:
        return []
    return [
        Table(
            title="Worst mistakes",
            note=f"{len(wrong):,} of {len(rows):,} answers are not exactly right; these have the least F1.",
            header=("question", "right", "given", "probability", "F1"),
            rows=[
                (
                    excerpt(row.example.question),
                    " / ".join(dict.fromkeys(answer.text for answer in row.example.answers or ())) or "(none)",
                    excerpt(row.answer) or "(none)",
                    row.probability,
                    row.f1,
                )
                for row in wrong[:MISTAKES_SHOWN]
            ],
        )
    ]
