# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From a recipe to a plan: everything a job does before its first step, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from typing import cast

import torch

from tunesmith.errors import NotFoundError, OutputError
from tunesmith.planning.disk import disk_of
from tunesmith.planning.facts import Plan, Repeats, Steps, StopToken
from tunesmith.planning.outline import outlined
from tunesmith.planning.projection import JobShape, Layout, Project, Projection, StepTime
from tunesmith.planning.rows import find_repeats, findings_of, length_bars, unusable_rows
from tunesmith.planning.shape import shape_of
from tunesmith.planning.steps import measure, steps_of, time_of
from tunesmith.planning.tokens import samples_of, stop_token
from tunesmith.recipe import Recipe
from tunesmith.registry import Registry, get_registry
from tunesmith.runs import Run
from tunesmith.tasks.base import Encoded
from tunesmith.tasks.encoded import item_lengths
from tunesmith.tasks.lengths import plural
from tunesmith.training.heap import kept_memory
from tunesmith.training.outlook import Outlook, look_ahead, memory_explained, settle_activations
from tunesmith.training.prepare import SPLITS, Work, prepare
from tunesmith.training.randomness import own_random_state
from tunesmith.training.resolve import with_values
from tunesmith.training.strategy import Strategy

__all__ = ["plan"]


def plan(recipe: Recipe, *, steps: bool = True, samples: int = 3, layout: Layout | None = None) -> Plan:
    """What a job will do, need and cost.

    Every row is read, checked and encoded as ``train`` does it, and the model is built; nothing is written but what the
    cache of encoded rows keeps. What ``train`` computes later is not changed, in the same process neither.

    Args:
        recipe: of the job.
        steps: also take up to four real optimizer steps on the real model, which is then thrown away: they correct
            the estimate of memory and give the time. They are left out where the estimate is that they would not fit.
        samples: training rows to show token by token.
        layout: where the job is to run, in the stead of what the recipe says. What the strategy's plugin says of it is
            ``Plan.projection``. For another kind of machine than this one no weight is read and no step taken.

    Raises:
        NotFoundError: the layout's strategy is not there, or says nothing of what jobs would cost.
        TunesmithError: what would keep the job from starting; a ``DataError`` names every unusable row.
        OutOfMemoryError: not even the model, or a measured step, fits.
    """
    registry = get_registry()
    if layout is not None:
        return _elsewhere(recipe, layout, registry, steps=steps, samples=samples)
    return _here(recipe, registry, steps=steps, samples=samples, project=None)


def _elsewhere(recipe: Recipe, layout: Layout, registry: Registry, *, steps: bool, samples: int) -> Plan:
    """Prepared in one process, whatever the strategy: it says itself what it makes of the job."""
    project = _projection_of(layout, registry)
    recipe = with_values(recipe, "train", strategy="single")
    if layout.machine is None:
        return _here(recipe, registry, steps=steps, samples=samples, project=lambda shape: project(shape, layout))
    with own_random_state(recipe.train.seed, torch.device("cpu")), kept_memory():
        work = outlined(recipe, registry)
        shape = replace(shape_of(work), elsewhere=0)
        made = _without_steps(work, None, samples)
    facts = {name: fact for name, fact in made.facts.items() if name not in ("device", "attention")}
    return replace(made, facts=facts, projection=project(shape, layout))


def _projection_of(layout: Layout, registry: Registry) -> Project:
    provided = registry.find("strategy", layout.strategy)
    target = getattr(provided.spec, "projection", None)
    if target is None:
        known = [one.full_name for one in registry.all("strategy") if getattr(one.spec, "projection", None)]
        raise NotFoundError(
            f"the strategy {provided.full_name} does not say what a job would need and cost",
            given=f"--strategy {layout.strategy}",
            expected=" or ".join(known) or "a strategy of a plugin that says so",
            fix="leave --strategy out: the plan is of this machine then",
        )
    return cast("Project", registry.load_target(provided, target))


def _here(
    recipe: Recipe,
    registry: Registry,
    *,
    steps: bool,
    samples: int,
    project: Callable[[JobShape], Projection] | None,
) -> Plan:
    strategy: Strategy = registry.load("strategy", recipe.train.strategy)(recipe)  # type: ignore[operator]
    with own_random_state(recipe.train.seed, strategy.device), kept_memory():
        with memory_explained():
            work = prepare(recipe, strategy, registry)
            work, outlook = settle_activations(work, look_ahead(work))
        made = _without_steps(work, outlook, samples)
        shape = None if project is None else shape_of(work)
        if steps and outlook is not None and outlook.fits is not False:
            with memory_explained(work, outlook):
                measurement = measure(work)
            made = replace(made, measurement=measurement, time=time_of(work, measurement))
            if shape is not None:
                shape = replace(shape, measured=tuple(StepTime(*astuple(step)) for step in measurement.steps))
        if project is None or shape is None:
            return made
        return replace(made, projection=project(shape))


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
