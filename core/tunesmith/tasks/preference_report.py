# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Figures and tables of learning from preferences, from log-probabilities alone.

Shapes: R items of a split.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.tasks.classification_report import excerpt
from tunesmith.tasks.lengths import plural
from tunesmith.tasks.sections import Section, Table

if TYPE_CHECKING:
    import torch

    from tunesmith.tasks.objectives import ChosenObjective
    from tunesmith.tasks.preference import Comparison, Judged

__all__ = ["preference_scores", "preference_terms", "share_first", "share_greater", "widest_mistakes"]

Array = np.ndarray[Any, Any]
WORST_SHOWN = 20
ROUNDING = 1e-6
"""Of a log-probability, relative: sums of float32 in batches of another shape differ by about as much."""


def preference_scores(objective: ChosenObjective, outputs: Sequence[Judged]) -> dict[str, float]:
    """Accuracy, margin, loss, and how likely the answers are.

    The reward of an answer is beta times its log-ratio to the reference; of an objective that reads no reference, beta
    times the log-probability per token. Beta is 1 where the objective has no such key. Pairs are compared within
    themselves. Answers that are good or bad by themselves (``kto``) are compared all with all: accuracy is the share of
    combinations of a good and a bad one in which the good one has the greater reward. Ties count half.
    """
    logprobs = np.asarray([output.logprobs for output in outputs], dtype=np.float64)
    rewards = _rewards(objective, outputs)
    desirable = _desirable(outputs)
    if desirable is None:
        accuracy = share_first(rewards[:, 0] - rewards[:, 1])
        better, worse, chosen, rejected = rewards[:, 0], rewards[:, 1], logprobs[:, 0], logprobs[:, 1]
    else:
        better, worse = rewards[desirable, 0], rewards[~desirable, 0]
        chosen, rejected = logprobs[desirable, 0], logprobs[~desirable, 0]
        accuracy = share_greater(better, worse)
    return {
        "accuracy": accuracy,
        "margin": _mean(better) - _mean(worse),
        "loss": _loss(objective, outputs, desirable),
        "chosen_logprob": _mean(chosen),
        "rejected_logprob": _mean(rejected),
    }


def preference_terms(
    logprobs: torch.Tensor, *, reference: Array, lengths: Array, desirable: Array | None = None
) -> dict[str, torch.Tensor]:
    """What an objective may read, each (R, 2) but ``desirable``, which is (R,); of the type and on the device of
    ``logprobs``.
    """
    import torch

    terms = {"logprobs": logprobs}
    terms |= {
        name: torch.from_numpy(array).to(logprobs) for name, array in (("reference", reference), ("lengths", lengths))
    }
    if desirable is not None:
        terms["desirable"] = torch.from_numpy(desirable).to(logprobs.device)
    return terms


def share_first(margins: Array) -> float:
    """Share of pairs in which the first is ahead (a positive margin); a tie counts half, as a coin would decide it."""
    return float((margins > 0).mean() + (margins >= 0).mean()) / 2


def share_greater(ones: Array, others: Array) -> float:
    """Share of combinations in which the one is greater than the other, ties counting half; 0.5 where there is none."""
    if not len(ones) or not len(others):
        return 0.5
    ordered = np.sort(others)
    below = np.searchsorted(ordered, ones, side="left") + np.searchsorted(ordered, ones, side="right")
    return float(below.sum() / (2 * len(ones) * len(others)))


def widest_mistakes(
    objective: ChosenObjective, outputs: Sequence[Judged], examples: Sequence[Comparison]
) -> list[Section]:
    """The pairs whose rejected answer is most preferred by the model; nothing for single answers."""
    if _desirable(outputs) is not None:
        return []
    rewards = _rewards(objective, outputs)
    margins = rewards[:, 0] - rewards[:, 1]
    wrong = [place for place in np.argsort(margins, kind="stable").tolist() if margins[place] <= 0]
    if not wrong:
        return []
    rows: list[tuple[str | float, ...]] = [
        (
            str(examples[place].origin),
            excerpt(examples[place].messages[-1].content),
            *(excerpt(answer.content) for answer in (examples[place].chosen, examples[place].rejected) if answer),
            round(float(margins[place]), 4),
        )
        for place in wrong[:WORST_SHOWN]
    ]
    return [
        Table(
            title="Widest mistakes",
            note=f"{len(wrong):,} of {plural(len(outputs), 'pair')} have the greater reward on the rejected answer.",
            header=("where", "question", "chosen", "rejected", "margin"),
            rows=rows,
        )
    ]


def _rewards(objective: ChosenObjective, outputs: Sequence[Judged]) -> Array:
    """float64 (R, 2)."""
    logprobs = np.asarray([output.logprobs for output in outputs], dtype=np.float64)
    if not objective.reads("reference"):
        scaled = logprobs / np.asarray([output.tokens for output in outputs], dtype=np.float64)
    else:
        scaled = logprobs - np.asarray([output.reference for output in outputs], dtype=np.float64)
        # An untrained model is its own reference, but for rounding: that must not look like a preference.
        scaled[np.abs(scaled) <= ROUNDING * np.abs(logprobs)] = 0.0
    return np.asarray(getattr(objective.objective, "beta", 1.0) * scaled)


def _desirable(outputs: Sequence[Judged]) -> Array | None:
    if outputs[0].desirable is None:
        return None
    return np.asarray([output.desirable for output in outputs], dtype=bool)


def _loss(objective: ChosenObjective, outputs: Sequence[Judged], desirable: Array | None) -> float:
    """Mean over the split as one step."""
    import torch

    logprobs = torch.tensor([output.logprobs for output in outputs], dtype=torch.float64)
    reference = np.asarray([output.reference for output in outputs], dtype=np.float64)
    lengths = np.asarray([output.tokens for output in outputs], dtype=np.int64)
    terms = preference_terms(logprobs, reference=reference, lengths=lengths, desirable=desirable)
    return float(objective.losses(terms, rows=len(outputs)).mean())


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0
