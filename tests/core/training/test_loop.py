# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The step and the loop, against plain PyTorch on a model small enough to check by eye."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from tunesmith.data import Splits
from tunesmith.errors import NonFiniteLossError, Origin
from tunesmith.models.source import ModelSource
from tunesmith.recipe.schema import DataSection, Recipe
from tunesmith.tasks.base import Batch, Encoded
from tunesmith.training.checkpoint import Progress
from tunesmith.training.feed import Feed
from tunesmith.training.loop import Edges, Job, run_steps, take_step
from tunesmith.training.optimizer import make_optimizer
from tunesmith.training.prepare import Work
from tunesmith.training.strategy import Single

SOURCE = ModelSource(name="net", kind="folder")


@dataclass
class Example:
    origin: Origin


class Regression:
    """A stand-in for a task: y = f(x), a row carries as many targets as its length says."""

    def __init__(self):
        self.data = DataSection(train="x")

    def collate(self, items):
        inputs = torch.tensor(np.stack([item.features["x"] for item in items]))
        weights = torch.tensor([float(item.targets) for item in items])
        return Batch(
            {"x": inputs}, weights, sum(i.targets for i in items), sum(i.length for i in items), [i.row for i in items]
        )

    def loss(self, model, batch):
        return (model(batch.inputs["x"]).square().sum(dim=1) * batch.labels).sum()


def recipe(**train):
    settings = {"learning_rate": 0.1, "precision": "fp32", "warmup_steps": 0, "rows_per_batch": 6, "epochs": 1}
    return Recipe(task="t", model="m", data={"train": "x"}, train=settings | train, output="o")


def job(accumulate=1, rows=12, **train):
    torch.manual_seed(0)
    wanted = recipe(accumulate=accumulate, **train)
    rng = np.random.default_rng(0)
    items = [
        Encoded({"x": rng.normal(size=5).astype(np.float32)}, length=1 + row % 4, targets=1 + row % 4, row=row)
        for row in range(rows)
    ]
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    section = wanted.train
    feed = Feed(
        [item.length for item in items],
        tokens=None,
        rows=section.rows_per_batch,
        epochs=section.epochs,
        max_steps=section.max_steps,
        accumulate=accumulate,
        seed=0,
    )
    splits = Splits([Example(Origin("rows.csv", row + 2)) for row in range(rows)], [], [], (), ())
    strategy = Single(wanted)
    task = Regression()
    work = Work(wanted, strategy, task, SOURCE, model, splits, {"train": items}, task.collate, feed, {})
    return Job(work, make_optimizer(model, section), Progress())


def collate(job, indices):
    return job.work.task.collate([job.work.items["train"][index] for index in indices])


def edges(**changes):
    calls = {"stepped": [], "evaluate": [], "checkpoint": []}
    record = {
        "stepped": lambda *args: calls["stepped"].append(args),
        "evaluate": lambda: bool(calls["evaluate"].append(True)),
        "checkpoint": lambda: calls["checkpoint"].append(True),
        "stopped": lambda: False,
    }
    return Edges(**(record | changes)), calls


@pytest.fixture(autouse=True)
def _own_random_state():
    with torch.random.fork_rng():
        yield


@pytest.mark.parametrize("accumulate", [1, 2, 3, 6])
def test_a_step_is_the_same_in_however_many_parts(accumulate):
    whole, parted = job(), job(accumulate)
    plain = copy.deepcopy(whole.work.model)
    batch = [whole.work.items["train"][index] for index in whole.work.feed.batch(0)]
    inputs = torch.tensor(np.stack([item.features["x"] for item in batch]))
    weights = torch.tensor([float(item.targets) for item in batch])
    expected = (plain(inputs).square().sum(dim=1) * weights).sum() / weights.sum()

    parts = [collate(parted, part) for part in parted.work.feed.parts(parted.work.feed.batch(0))]
    assert min(accumulate, 2) <= len(parts) <= accumulate
    result = take_step(parted, parts, rate=0.1)

    assert result.loss == pytest.approx(expected.item(), rel=1e-6)
    assert result.tokens == sum(item.length for item in batch)
    take_step(whole, [whole.work.task.collate(batch)], rate=0.1)
    for one, other in zip(whole.work.model.parameters(), parted.work.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_the_tokens_of_a_step_are_those_of_all_processes(monkeypatch):
    subject = job()
    batch = collate(subject, subject.work.feed.batch(0))
    monkeypatch.setattr(subject.work.strategy, "total", lambda value: value * 3, raising=False)
    assert take_step(subject, [batch], rate=0.1).tokens == 3 * batch.tokens


def test_a_step_is_plain_adamw_with_clipping():
    subject = job(max_grad_norm=0.5)
    plain = copy.deepcopy(subject.work.model)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in plain.parameters() if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in plain.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=0.1,
    )
    batch = collate(subject, subject.work.feed.batch(0))
    (subject.work.task.loss(plain, batch) / batch.targets).backward()
    norm = nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
    optimizer.step()

    result = take_step(subject, [batch], rate=0.1)

    assert result.grad_norm == pytest.approx(norm.item())
    for expected, actual in zip(plain.parameters(), subject.work.model.parameters(), strict=True):
        torch.testing.assert_close(expected, actual, rtol=1e-5, atol=1e-6)


def test_the_loop_runs_every_step_and_calls_the_edges():
    subject = job(epochs=3)
    edge, calls = edges()
    assert run_steps(subject, edge) is True
    assert subject.progress.step == 6 == len(calls["stepped"])
    assert len(calls["evaluate"]) == 3
    assert len(calls["checkpoint"]) == 3
    rates = [rate for _, rate, _ in calls["stepped"]]
    assert rates == sorted(rates, reverse=True)


def test_it_learns():
    subject = job(epochs=60, learning_rate=0.02)
    edge, calls = edges()
    run_steps(subject, edge)
    assert calls["stepped"][-1][0].loss < 0.05 * calls["stepped"][0][0].loss


def test_asked_to_stop_it_saves_and_says_so():
    subject = job(epochs=3)
    edge, calls = edges(stopped=lambda: subject.progress.step >= 3)
    assert run_steps(subject, edge) is False
    assert subject.progress.step == 3
    assert calls["checkpoint"]


def test_patience_ends_the_job_early():
    subject = job(epochs=9)
    edge, calls = edges(evaluate=lambda: subject.progress.step >= 4)
    assert run_steps(subject, edge) is True
    assert subject.progress.step == 4
    assert calls["checkpoint"]
    assert run_steps(subject, edge) is True
    assert subject.progress.step == 4, "resumed, it does not go on: an early end is an end"


@pytest.mark.parametrize(("value", "what"), [(float("nan"), "loss"), (float("inf"), "gradient")])
def test_what_is_not_finite_stops_the_job_before_the_weights_change(value, what):
    subject = job(precision="bf16", learning_rate=0.004)
    subject.work.items["train"][3].features["x"][0] = value
    before = copy.deepcopy(list(subject.work.model.parameters()))
    edge, calls = edges()
    with pytest.raises(NonFiniteLossError) as caught:
        run_steps(subject, edge)
    text = str(caught.value)
    step = len(calls["stepped"]) + 1
    assert f"the {what} is not finite at step {step}" in text
    assert "rows.csv:5" in text
    assert "lower the learning rate: --set train.learning_rate=0.0004" in text
    assert "--set train.precision=fp32" in text
    if step == 1:
        assert all(torch.equal(x, y) for x, y in zip(before, subject.work.model.parameters(), strict=True))
    assert all(torch.isfinite(parameter).all() for parameter in subject.work.model.parameters())
