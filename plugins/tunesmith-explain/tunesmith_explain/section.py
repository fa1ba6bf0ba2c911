# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The part ``attributions`` of a run's report."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from tunesmith.engine.items import run_items
from tunesmith.errors import Origin
from tunesmith.evaluate import Finished, ReportSection
from tunesmith.tasks import Section
from tunesmith.tasks.classification import Classification
from tunesmith.tasks.classification_report import excerpt
from tunesmith.tasks.lengths import plural
from tunesmith.tasks.sections import Table
from tunesmith_explain.attributions import Attribution, unconverged
from tunesmith_explain.explaining import attribute_items
from tunesmith_explain.heat import heat_png
from tunesmith_explain.questions import BASELINES, check_task, chosen_baseline
from tunesmith_explain.summary import Mean, amount_text, by_label, mean_heats, speaking_text

__all__ = ["Attributions", "choose_rows"]


class Attributions(ReportSection):
    """What some answers rest on: the most confident mistakes first, then typical right ones."""

    rows: int = Field(default=10, ge=1, le=1000)
    """How many; at most half of them mistakes, unless there are too few right ones."""
    steps: int = Field(default=32, ge=1, le=10_000)
    """Points of the integral."""
    baseline: str | None = None
    """The input that says nothing. Texts: ``pad`` or ``mask``; images: ``black`` or ``mean``. Default: the first."""

    def make(self, finished: Finished) -> Sequence[Section]:
        task, model = finished.task, finished.model
        name = chosen_baseline(task, self.baseline)
        items = list(finished.items)
        outputs = list(finished.outputs)
        if not outputs and items:
            outputs = run_items(model, task, items, device=next(model.parameters()).device)
        rows = choose_rows(task, outputs, [finished.examples[item.row] for item in items], self.rows)
        if not rows:
            return []
        chosen = [items[place] for place in rows]
        found = attribute_items(task, model, chosen, finished.examples, steps=self.steps, baseline=name)
        order = "the greatest errors first, then typical ones"
        if isinstance(task, Classification):
            order = "the most confident mistakes first, then typical right ones"
        note = (
            f"{plural(len(rows), 'row')} of {finished.split}, {order}. "
            f"Integrated gradients in {plural(self.steps, 'step')}: what the answer is above that to "
            f"{BASELINES[check_task(task)][name]} is divided among what the row consists of. They miss it by "
            f"{max(one.error for one in found):.2%} at most."
        )
        told = unconverged(found)
        return [_rows_table(found, f"{note} Beware: {told}." if told else note), *_summaries(found, finished.split)]


def choose_rows(task: Any, outputs: Sequence[Any], examples: Sequence[Any], most: int) -> list[int]:
    """Indices of outputs: mistakes, the most confident first, and right ones, the most typical first.

    Typical is a right answer about as sure as most right answers with its label; labels take turns. Of numbers, the
    greatest errors come first, then rows whose error is nearest to the middle one.
    """
    every = range(len(outputs))
    if not isinstance(task, Classification):
        errors = [
            abs(out.value - one.target) if one.target is not None else 0.0
            for out, one in zip(outputs, examples, strict=True)
        ]
        worst = sorted(every, key=lambda place: -errors[place])[: math.ceil(most / 2)]
        middle = float(np.median(errors)) if errors else 0.0
        others = sorted(set(every) - set(worst), key=lambda place: abs(errors[place] - middle))
        return [*worst, *others[: most - len(worst)]]
    sure = [float(output.probabilities.max()) for output in outputs]
    wrong, right = [], defaultdict(list)
    for place, output in enumerate(outputs):
        decided = task.decide(output)
        if output.truth is not None and tuple(output.truth) != decided:
            wrong.append(place)
        else:
            right[decided].append(place)
    queues = []
    for _, places in sorted(right.items()):
        middle = float(np.median([sure[place] for place in places]))
        queues.append(sorted(places, key=lambda place: abs(sure[place] - middle)))
    typical = [queue[turn] for turn in range(max(map(len, queues), default=0)) for queue in queues if turn < len(queue)]
    wrong.sort(key=lambda place: -sure[place])
    first = wrong[: max(math.ceil(most / 2), most - len(typical))]
    return [*first, *typical[: most - len(first)]]


def _rows_table(found: list[Attribution], note: str) -> Table:
    title = "What the answers rest on"
    if found[0].label is None:
        return Table(
            title=title,
            note=note,
            header=("where", "predicted", "true", "raises it", "lowers it"),
            rows=[
                (_place(one), one.value, "–" if one.target is None else one.target, *speaking_text(one))
                for one in found
            ],
        )
    facts = [(one.label or "", _verdict(one), one.probability or 0.0) for one in found]
    if found[0].heat is not None:
        return Table(
            title=title,
            note=f"{note} Blue pixels speak for the label, orange ones against it.",
            header=("where", "label", "", "probability"),
            rows=[(_place(one), *fact) for one, fact in zip(found, facts, strict=True)],
            images=[heat_png(one) for one in found],
            image_width=180,
        )
    what = "where" if found[0].text is None else "text"
    return Table(
        title=title,
        note=note,
        header=(what, "label", "", "probability", "speaks for it", "speaks against it"),
        rows=[
            (excerpt(one.text) if one.text is not None else _place(one), *fact, *speaking_text(one))
            for one, fact in zip(found, facts, strict=True)
        ],
    )


def _verdict(one: Attribution) -> str:
    if one.true is None:
        return "predicted" if one.predicted else "not predicted"
    if one.predicted:
        return "predicted, right" if one.true else "predicted, wrong"
    return "true, not predicted" if one.true else "not predicted"


def _summaries(found: list[Attribution], split: str) -> list[Table]:
    if found[0].heat is not None:
        heats = mean_heats(found)
        return [
            Table(
                title="Where the labels are seen",
                note="The mean of the images above and of their amounts, for each label.",
                header=("label", "images"),
                rows=[(label, count) for label, count, _ in heats],
                images=[image for _, _, image in heats],
                image_width=180,
            )
        ]
    groups = by_label(found)
    if found[0].label is None:
        (rows,) = groups.values()
        return [
            Table(
                title="What moves the number",
                note=f"Of these rows of {split}: how far a column moves the answer, and where to, in the mean.",
                header=("column", "moves it by", "mean", "rows"),
                rows=[(one.text, one.size, one.mean, one.rows) for one in rows],
            )
        ]
    word = "column" if found[0].text is None else "word"
    return [
        Table(
            title="What speaks for each label",
            note=f"Of the rows above: the {word}s with the greatest mean amount, and how many rows have them.",
            header=("label", f"{word}s that speak for it", "against it"),
            rows=[
                (
                    label,
                    " · ".join(_mean_text(one) for one in ones if one.mean > 0) or "–",
                    " · ".join(_mean_text(one) for one in reversed(ones) if one.mean < 0) or "–",
                )
                for label, ones in groups.items()
            ],
        )
    ]


def _mean_text(one: Mean) -> str:
    rows = f" ({one.rows} rows)" if one.rows > 1 else ""
    return f"{one.text} {amount_text(one.mean)}{rows}"


def _place(one: Attribution) -> str:
    """The file's name without its folders, which would fill the table, and the line."""
    return str(Origin(Path(one.origin.file).name, one.origin.line))
