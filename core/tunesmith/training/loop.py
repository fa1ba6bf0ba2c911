# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The training loop, top to bottom.

Decisions, in short:

- a batch is a number of tokens, not of rows; rows of like length share it (``feed.py``);
- the loss is a sum, divided once by the targets of the *whole* step: splitting a step changes nothing;
- the learning rate and the order of rows are functions of the step: no scheduler or sampler state exists;
- weights, moments and random state are all that a checkpoint holds, and resuming is equal bit for bit;
- a loss or gradient that is not finite stops the job *before* it reaches the weights;
- no hook, no logging and no file is touched inside a step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from tunesmith.errors import NonFiniteLossError
from tunesmith.models.methods import training_mode
from tunesmith.tasks.base import Batch
from tunesmith.training.checkpoint import Progress
from tunesmith.training.prefetch import batches_of
from tunesmith.training.prepare import Work
from tunesmith.training.schedule import rate_at

__all__ = ["Edges", "Job", "StepResult", "run_steps", "take_step"]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one optimizer step did.

    Attributes:
        loss: mean over the targets of the step.
        grad_norm: before clipping.
        tokens: tokens of the step (images: rows) in all processes, padding not counted.
    """

    loss: float
    grad_norm: float
    tokens: int


@dataclass(slots=True)
class Job:
    """Everything the loop works with."""

    work: Work
    optimizer: torch.optim.Optimizer
    progress: Progress

    def backward(self, parts: Sequence[Batch], targets: torch.Tensor) -> torch.Tensor:
        """Add the step's gradient to the weights' ``grad``; gives the step's loss here, a scalar without a graph."""
        work, step = self.work, self.progress.step
        return work.strategy.backward(work.task, work.model, parts, targets, work.recipe.train.precision, step)


@dataclass(frozen=True, slots=True)
class Edges:
    """What happens between steps; the loop only says when."""

    stepped: Callable[[StepResult, float, float], None]
    """(result, learning rate, seconds) after every step."""
    evaluate: Callable[[], bool]
    """Evaluate; True when training should end early."""
    checkpoint: Callable[[], None]
    stopped: Callable[[], bool]
    """True when somebody asked to stop."""


def run_steps(job: Job, edges: Edges) -> bool:
    """Train from ``job.progress.step`` to the end.

    Returns:
        False when it was asked to stop (a checkpoint was written), True otherwise.

    Raises:
        NonFiniteLossError: the loss or the gradient is NaN or infinite; the weights are those before the step.
    """
    work, progress, total = job.work, job.progress, job.work.feed.total_steps
    section, evaluate_every = work.recipe.train, work.recipe.evaluate.every
    training_mode(work.model)
    with batches_of(work, progress.step, total) as batches:
        while progress.step < total and not progress.done:
            started = time.perf_counter()
            rate = rate_at(
                progress.step,
                total=total,
                warmup=section.warmup_steps or 0,
                peak=section.learning_rate or 0.0,
                schedule=section.schedule,
            )
            result = take_step(job, batches.parts(progress.step), rate)
            seconds = time.perf_counter() - started
            progress.step += 1
            progress.seconds += seconds
            edges.stepped(result, rate, seconds)

            ends_epoch = work.feed.ends_epoch(progress.step)
            evaluation_due = progress.step % evaluate_every == 0 if evaluate_every else ends_epoch
            if evaluation_due or progress.step == total:
                batches.wait()
                progress.done = edges.evaluate()
            save_due = progress.step % section.save_every == 0 if section.save_every else ends_epoch or evaluation_due
            asked = edges.stopped() and progress.step < total and not progress.done
            if asked or save_due or progress.done or progress.step == total:
                edges.checkpoint()
            if asked:
                return False
    return True


def take_step(job: Job, parts: Sequence[Batch], rate: float) -> StepResult:
    """One optimizer step over a batch that is computed in ``parts``.

    Every part's summed loss is divided by the targets of the whole step before its backward pass, so the
    gradient is that of the undivided batch.
    """
    work, section, device = job.work, job.work.recipe.train, job.work.strategy.device
    here = [float(sum(part.targets for part in parts)), float(sum(part.tokens for part in parts))]
    targets, tokens = work.strategy.total(torch.tensor(here, device=device)).unbind()
    loss = job.backward(parts, targets)
    moving = [parameter for parameter in work.model.parameters() if parameter.grad is not None]
    norm = work.strategy.gradient_norm(moving)
    result = StepResult(work.strategy.total(loss).item(), norm.item(), int(tokens.item()))
    if not (math.isfinite(result.loss) and math.isfinite(result.grad_norm)):
        raise _not_finite(job, parts, result, rate)
    if result.grad_norm > section.max_grad_norm:
        work.strategy.clip(moving, section.max_grad_norm, norm)
    for group in job.optimizer.param_groups:
        group["lr"] = rate
    job.optimizer.step()
    job.optimizer.zero_grad(set_to_none=True)
    return result


def _not_finite(job: Job, parts: Sequence[Batch], result: StepResult, rate: float) -> NonFiniteLossError:
    origins = [job.work.splits.train[row].origin for part in parts for row in part.rows]
    shown = ", ".join(str(origin) for origin in origins[:8]) + (" …" if len(origins) > 8 else "")
    peak = job.work.recipe.train.learning_rate or rate
    tries = [f"lower the learning rate: --set train.learning_rate={peak / 10:.1g}"]
    if job.work.recipe.train.precision != "fp32":
        tries.append("compute in full precision: --set train.precision=fp32")
    tries.append("look at the rows named above for empty or broken content")
    what = "loss" if not math.isfinite(result.loss) else "gradient"
    return NonFiniteLossError(
        f"the {what} is not finite at step {job.progress.step + 1}",
        given=f"loss {result.loss:g}, gradient norm {result.grad_norm:g}, learning rate {rate:.3g}; rows {shown}",
        expected="finite numbers; the weights of the step before were kept",
        fix=tries,
    )
