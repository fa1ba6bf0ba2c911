# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The batch plan; three real steps on the real model; the time of the whole job from them.

Shapes: R rows of a batch, L length of its longest row in tokens.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tunesmith.data import padding_share
from tunesmith.machine.memory import peak_bytes, reset_peak
from tunesmith.machine.precision import autocast
from tunesmith.models.methods import training_mode
from tunesmith.planning.facts import MeasuredStep, Measurement, Steps, Time
from tunesmith.tasks.encoded import item_lengths
from tunesmith.training.batches import collated_parts
from tunesmith.training.checkpoint import Progress
from tunesmith.training.compiling import compiled
from tunesmith.training.loop import Job, take_step
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.prepare import Work

__all__ = ["measure", "steps_of", "time_of"]

Batch = NDArray[np.int64]


def steps_of(work: Work) -> Steps:
    """The steps of the job, counted over all epochs as the job will order them."""
    feed, lengths = work.feed, item_lengths(work.items["train"])
    first = feed.epoch(0)
    per_epoch = int(lengths.sum())
    epochs = feed.epochs_done(feed.total_steps)
    sizes = [len(batch) for batch in first]
    return Steps(
        total=feed.total_steps,
        epochs=round(epochs, 4),
        per_epoch=len(first),
        tokens=round(per_epoch * epochs),
        padding=padding_share(first, lengths),
        rows=(min(sizes), max(sizes)),
        parts=work.recipe.train.accumulate,
        masked=sum(item.targets == 0 for item in work.items["train"]),
    )


def measure(work: Work) -> Measurement:
    """Train on the shortest, the median and the longest batch, and see what it takes.

    The first step of a process costs more than all others, so the shortest batch goes twice and counts once. Weights
    move: the model of ``work`` is not to be used for anything afterwards.
    """
    device, lengths = work.strategy.device, item_lengths(work.items["train"])
    ordered = sorted(work.feed.epoch(0), key=lambda batch: _cost(batch, lengths))
    chosen = [ordered[place] for place in sorted({0, len(ordered) // 2, len(ordered) - 1})]
    job = Job(work, make_optimizer(work.model, work.recipe.train), Progress())
    training_mode(work.model)
    with compiled(job) as compilation:
        resettable = reset_peak(device)
        _step(job, chosen[0])
        steps = []
        for batch in chosen:
            seconds = _step(job, batch)
            steps.append(MeasuredStep(len(batch), int(lengths[batch].max()), seconds))
        peak = peak_bytes(device) if resettable else None
    compiling = 0.0 if compilation is None else compilation.seconds
    return Measurement(tuple(steps), _forward(work, chosen[len(chosen) // 2]), peak, compiling)


def time_of(work: Work, measurement: Measurement) -> Time:
    """Seconds of the job: a fixed part for every step and a part for every computed token, fitted to what was measured.

    Evaluation is charged at the speed of the measured forward pass.
    """
    lengths = item_lengths(work.items["train"])
    costs = [_cost(batch, lengths) for batch in work.feed.epoch(0)]
    fixed, each = _line([step.rows * step.length for step in measurement.steps], [s.seconds for s in measurement.steps])
    steps = work.feed.total_steps
    training = measurement.compiling + steps * fixed + steps / len(costs) * sum(costs) * each
    middle = measurement.steps[len(measurement.steps) // 2]
    forward = measurement.forward / (middle.rows * middle.length)
    return Time(training, forward * _evaluated(work))


def _evaluated(work: Work) -> float:
    """Tokens (images: rows) that go through the model to be scored."""
    section, steps = work.recipe.evaluate, work.feed.total_steps
    sizes = {split: float(item_lengths(items).sum()) for split, items in work.items.items()}
    during = math.ceil(steps / section.every if section.every else work.feed.epochs_done(steps))
    before = (sizes["test"] or sizes["validation"]) if section.before else 0.0
    return before + during * sizes["validation"] + sizes["validation"] + sizes["test"]


def _line(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Fixed part and slope, neither below 0."""
    x, y = np.asarray(sizes, dtype=np.float64), np.asarray(seconds)
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread) if spread else 0.0
    slope = min(max(slope, 0.0), float(y.sum() / x.sum()))  # a slope above this would start below 0
    return float(y.mean() - slope * x.mean()), slope


def _cost(batch: Batch, lengths: NDArray[np.int64]) -> int:
    return len(batch) * int(lengths[batch].max())


def _step(job: Job, batch: Batch) -> float:
    work = job.work
    started = time.perf_counter()
    take_step(job, collated_parts(work, batch), rate=0.0)
    return time.perf_counter() - started


def _forward(work: Work, batch: Batch) -> float:
    device: Any = work.strategy.device
    started = time.perf_counter()
    with torch.no_grad(), autocast(work.recipe.train.precision, device):
        for part in collated_parts(work, batch):
            work.task.loss(work.model, part.to(device)).item()
    return time.perf_counter() - started
