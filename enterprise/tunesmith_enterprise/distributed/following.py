# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a process does that is not the main one: the same work, and a step whenever the main process begins one."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

from tunesmith.errors import DeniedError
from tunesmith.models.methods import training_mode
from tunesmith.recipe import Recipe
from tunesmith.registry import get_registry
from tunesmith.runs import Run
from tunesmith.training.checkpoint import Progress, checkpoint_path, refuse_damage
from tunesmith.training.checkpoints import Checkpoints
from tunesmith.training.heap import kept_memory
from tunesmith.training.loop import Job, take_step
from tunesmith.training.measuring import split_outputs
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.prefetch import batches_of
from tunesmith.training.prepare import prepare
from tunesmith.training.randomness import own_random_state, seed_all
from tunesmith.training.schedule import rate_at
from tunesmith.training.strategy import Strategy
from tunesmith_enterprise.distributed.group import Group
from tunesmith_enterprise.distributed.hooks import FEATURE
from tunesmith_enterprise.distributed.sending import meet_at_checkpoint
from tunesmith_enterprise.entitlement.grant import Grant

__all__ = ["follow"]

_log = logging.getLogger("tunesmith.enterprise.distributed")


def follow(group: Group, recipe: Recipe) -> None:
    """Take part in a job until the main process ends it.

    Nothing is read, and no model made, before the main process has a grant, and says so.

    Raises:
        EndedError: the main process has ended the job: the usual way out.
        TunesmithError: this process cannot go on.
    """
    group.grant = Grant.from_json(group.hear("granted")["grant"])
    if not group.grant.covers(FEATURE, group.quantities):
        raise DeniedError(
            "what the main process was granted does not cover this job",
            given=str(dict(group.grant.quantities)),
            expected=str(group.quantities),
            fix="start the processes with `tunesmith launch`",
        )
    registry = get_registry()
    strategy: Strategy = registry.load("strategy", recipe.train.strategy)(recipe)  # type: ignore[operator]
    with own_random_state(recipe.train.seed, strategy.device), kept_memory():
        work = prepare(recipe, strategy, registry)
        section, total = work.recipe.train, work.feed.total_steps
        work.begin()
        optimizer = make_optimizer(work.model, section)
        begun = group.hear("begin")
        checkpoints = strategy.checkpoints(
            Run(Path(begun["run"])).checkpoint_folder, work.model, optimizer, keep=section.keep_checkpoints
        )
        seed_all(section.seed)
        progress = _progress(group, checkpoints, int(begun["step"]))
        job = Job(work, optimizer, progress)
        training_mode(work.model)
        _log.info("%s of %s steps are done", progress.step, total)
        with closing(checkpoints), batches_of(work, progress.step, total) as batches:
            while word := group.hear("step", "evaluate", "checkpoint", "save"):
                if word["kind"] == "step":
                    rate = rate_at(
                        progress.step,
                        total=total,
                        warmup=section.warmup_steps or 0,
                        peak=section.learning_rate or 0.0,
                        schedule=section.schedule,
                    )
                    take_step(job, batches.parts(progress.step), rate)
                    progress.step += 1
                elif word["kind"] == "evaluate":
                    batches.wait()
                    split_outputs(work, word["split"])
                elif word["kind"] == "save":
                    strategy.whole_state(work.model)
                else:
                    checkpoints.save(progress)
                checkpoints.whole()


def _progress(group: Group, checkpoints: Checkpoints, step: int) -> Progress:
    """How far the job is; weights and moments of that step are put in place."""
    if step == 0:
        return Progress()
    path = meet_at_checkpoint(group, checkpoint_path(checkpoints.folder, step))
    refuse_damage(path)
    return checkpoints.put_back(path)
