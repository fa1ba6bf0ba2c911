# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From a recipe to a plan: everything a job does before its first step, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tunesmith.errors import OutputError
from tunesmith.planning.disk import disk_of
from tunesmith.planning.facts import Plan, Repeats, Steps, StopToken
from tunesmith.planning.rows import find_repeats, findings_of, length_bars, unusable_rows
from tunesmith.planning.steps import measure, steps_of, time_of
from tunesmith.planning.tokens import samples_of, stop_token
from tunesmith.recipe import Recipe
from tunesmith.registry import get_registry
from tunesmith.runs import Run
from tunesmith.tasks.base import Encoded
from tunesmith.tasks.encoded import item_lengths
from tunesmith.tasks.lengths import plural
from tunesmith.training.heap import kept_memory
from tunesmith.training.outlook import Outlook, look_ahead, memory_explained, settle_activations
from tunesmith.training.prepare import SPLITS, Work, prepare
from tunesmith.training.randomness import own_random_state
from tunesmith.training.strategy import Strategy

__all__ = ["plan"]


def plan(recipe: Recipe, *, steps: bool = True, samples: int = 3) -> Plan:
    """What a job will do, need and cost.

    Every row is read, checked and encoded as ``train`` does it, and the model is built; nothing is written but what the
    cache of encoded rows keeps. What ``train`` computes later is not changed, in the same process neither.

    Args:
        recipe: of the job.
        steps: also take up to four real optimizer steps on the real model, which is then thrown away: they correct
            the estimate of memory and give the time. They are left out where the estimate is that they would not fit.
        samples: training rows to show token by token.

    Raises:
        TunesmithError: what would keep the job from starting; a ``DataError`` names every unusable row.
        OutOfMemoryError: not even the model, or a measured step, fits.
    """
    registry = get_registry()
    strategy: Strategy = registry.load("strategy", recipe.train.strategy)(recipe)  # type: ignore[operator]
    with own_random_state(recipe.train.seed, strategy.device), kept_memory():
        with memory_explained():
            work = prepare(recipe, strategy, registry)
            work, outlook = settle_activations(work, look_ahead(work))
        made = _without_steps(work, outlook, samples)
        if not steps or outlook is None or outlook.fits is False:
            return made
        with memory_explained(work, outlook):
            measurement = measure(work)
        return replace(made, measurement=measurement, time=time_of(work, measurement))


def _without_steps(work: Work, outlook: Outlook | None, samples: int) -> Plan:
    notes = (*work.splits.notes, *work.task.notes)  # before rows are encoded, and counted, again
    items = _as_encoded(work)
    steps, stop = steps_of(work), stop_token(work.task, items["train"])
    repeats, unusable = find_repeats(work.splits, items), unusable_rows(work.splits, items)
    return Plan(
        facts=dict(work.facts),
        rows={split: len(getattr(work.splits, split)) for split in SPLITS},
        notes=notes,
        warnings=tuple(_warnings(work, steps, stop, repeats)),
        findings=findings_of(work.task, work.splits),
        unusable=unusable,
        repeats=repeats,
        lengths=length_bars(item_lengths(items["train"])),
        samples=samples_of(work.task, work.splits.train, samples),
        stop=stop,
        steps=steps,
        outlook=outlook,
        disk=disk_of(work),
        measurement=None,
        time=None,
        recipe=work.recipe.model_dump(mode="json"),
    )


def _as_encoded(work: Work) -> Mapping[str, Sequence[Encoded]]:
    """The items that the task makes of the rows, also where a frozen part's outputs stand in their place."""
    if work.collate == work.task.collate:
        return work.items
    return {split: work.task.encode_all(getattr(work.splits, split)) for split in SPLITS}


def _warnings(work: Work, steps: Steps, stop: StopToken | None, repeats: Repeats) -> Iterator[str]:
    """What somebody should look at before training."""
    if stop is not None and stop.rows and not stop.trained:
        yield "no training row ends with a stop token that carries a loss: the model will not learn to stop"
    if steps.masked:
        yield f"{plural(steps.masked, 'training item')} without a token that carries a loss: nothing is learned from it"
    for split, count in repeats.shared.items():
        share = f"{count:,} of {len(getattr(work.splits, split)):,}"
        yield f"{share} {split} rows are also training rows, answers included: the score on them says little"
    try:
        Run.check_free(work.recipe.output)
    except OutputError as error:
        yield f"`train` would refuse the output: {error.what}"
