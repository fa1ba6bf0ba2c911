# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How far a form of a model is from what the model answered when its golden set was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunesmith.evaluate.golden import Golden, GoldenRow, GoldenText, rendering_digest
from tunesmith.evaluate.probe import Probe

__all__ = ["TOLERANCES", "Finding", "Gaps", "Tolerance", "compare_golden"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes:
        name: what, e.g. ``token ids``.
        holds: whether it is as it must be; ``None``: it could not be checked here.
        detail: what was found, with figures; why not, where it was not checked.
    """

    name: str
    holds: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far apart two forms of a model may be.

    Attributes:
        logprob: greatest difference of the log-probability of a golden token or one of its four rivals, in nats.
        number: greatest difference of a probability, score or part of a vector; of figures above 1 relative.
    """

    logprob: float
    number: float


TOLERANCES: dict[str, Tolerance] = {
    "fp32": Tolerance(1e-3, 1e-4),
    "fp16": Tolerance(0.05, 0.005),
    "bf16": Tolerance(0.2, 0.02),
    "int8": Tolerance(0.3, 0.1),
    "int4": Tolerance(2.0, 0.3),
}
"""By the precision of the weights that are compared.

Of tunesmith/tiny (3 million parameters) 8 bits move a log-probability by up to 0.07, 4 bits by up to 0.5, and an
adapter merged in bf16 by 0.01; of a model of 260 thousand parameters it is 0.2 and 4.4, which is another model.
"""


@dataclass(slots=True)
class Gaps:
    """What :func:`compare_golden` measured.

    Attributes:
        rows: of the golden set.
        ids_equal: rows whose input is the same numbers; of ``ids_asked``.
        rendering_equal: template, stop tokens and labels are the same; ``None``: not asked.
        steps: golden tokens.
        agreeing: of these, the likeliest at their place.
        astray: places where another token is the likeliest, and more clearly so than the tolerance allows.
        logprob: greatest difference, nats; ``logprob_mean``: its mean.
        numbers: how many probabilities, scores and parts of vectors.
        number: greatest difference of these.
    """

    rows: int = 0
    ids_asked: int = 0
    ids_equal: int = 0
    rendering_equal: bool | None = None
    steps: int = 0
    agreeing: int = 0
    astray: int = 0
    logprob: float = 0.0
    logprob_mean: float = 0.0
    numbers: int = 0
    number: float = 0.0

    def findings(self, tolerance: Tolerance) -> list[Finding]:
        """As what holds and what does not."""
        found = []
        if self.rendering_equal is not None:
            detail = "template, stop tokens, labels and lengths are those of the model"
            found.append(
                Finding("rendering", self.rendering_equal, detail if self.rendering_equal else f"not {detail}")
            )
        if self.ids_asked:
            equal = self.ids_equal == self.ids_asked
            found.append(Finding("token ids", equal, f"{self.ids_equal} of {self.ids_asked} golden rows alike"))
        if self.steps:
            share = f"{self.agreeing} of {self.steps} greedy tokens alike"
            ties = self.steps - self.agreeing - self.astray
            share += f", {ties} within the tolerance of a tie" if ties else ""
            found.append(Finding("greedy tokens", not self.astray, share))
            figures = f"at most {self.logprob:.2g} nats, on average {self.logprob_mean:.2g}"
            detail = f"{figures} (allowed: {tolerance.logprob:g})"
            found.append(Finding("log-probabilities", self.logprob <= tolerance.logprob, detail))
        if self.numbers:
            detail = f"{self.numbers:,} compared, at most {self.number:.2g} apart (allowed: {tolerance.number:g})"
            found.append(Finding("probabilities", self.number <= tolerance.number, detail))
        return found


def compare_golden(golden: Golden, probe: Probe, tolerance: Tolerance, *, rendering: bool = True) -> Gaps:
    """Ask a model what the golden set asked, and measure.

    Answers are compared place by place behind the golden tokens before it: one pass a row instead of one a token, and
    a greedy answer is the same exactly when every place is.

    Args:
        golden: of the model as it was.
        probe: the form to hold against it.
        tolerance: what counts as a tie.
        rendering: also compare the task's state.
    """
    gaps = Gaps(rows=len(golden))
    if rendering:
        gaps.rendering_equal = rendering_digest(probe.task) == golden.rendering
    all_logprobs: list[float] = []
    for text in golden.texts:
        _compare_text(text, probe, tolerance, gaps, all_logprobs)
    for row in golden.rows:
        _compare_row(row, probe, gaps)
    if all_logprobs:
        gaps.logprob, gaps.logprob_mean = max(all_logprobs), float(np.mean(all_logprobs))
    return gaps


def _compare_text(text: GoldenText, probe: Probe, tolerance: Tolerance, gaps: Gaps, all_logprobs: list[float]) -> None:
    gaps.ids_asked += 1
    gaps.ids_equal += tuple(probe.prompt_ids(text.prompt)) == text.ids
    logprobs = probe.logprobs(text.ids, text.tokens)
    gaps.steps += len(text.tokens)
    for token, alternatives, step in zip(text.tokens, text.alternatives, logprobs, strict=True):
        places = [place for place, _ in alternatives]
        all_logprobs += np.abs(step[places] - np.asarray([value for _, value in alternatives])).tolist()
        likeliest = int(step.argmax())
        if likeliest == token:
            gaps.agreeing += 1
        elif _lead(token, likeliest, alternatives) > 2 * tolerance.logprob:
            gaps.astray += 1


def _lead(token: int, other: int, alternatives: Sequence[tuple[int, float]]) -> float:
    """How much likelier than the other the golden token was, in nats."""
    known = dict(alternatives)
    least = min(known.values())  # whatever is not among the alternatives was no likelier than the last of them
    return known.get(token, least) - known.get(other, least)


def _compare_row(row: GoldenRow, probe: Probe, gaps: Gaps) -> None:
    if row.values is not None:
        gaps.ids_asked += 1
        encoded = probe.encode(row.values)
        gaps.ids_equal += len(encoded) == len(row.items) and all(
            np.array_equal(mine.features["input_ids"], item.encoded.features["input_ids"])
            for mine, item in zip(encoded, row.items, strict=True)
            if "input_ids" in mine.features
        )
    for item in row.items:
        numbers = probe.numbers(item.encoded)
        gaps.numbers += len(numbers)
        if len(numbers) != len(item.numbers):
            gaps.number = float("inf")
        elif len(numbers):
            distance = np.abs(numbers - item.numbers) / np.maximum(1.0, np.abs(item.numbers))
            gaps.number = max(gaps.number, float(distance.max()))
