# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``train.strategy: privacy/dp``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tunesmith.data.mixing import Mixture
from tunesmith.errors import RecipeError, TrainingError
from tunesmith.machine.precision import autocast
from tunesmith.recipe import Recipe, plugin_settings
from tunesmith.tasks.base import Batch, Task
from tunesmith.tasks.coupled import CoupledTask
from tunesmith.training.feed import Feed
from tunesmith.training.strategy import Single
from tunesmith_privacy.dp.accounting import Budget, noise_for, spent
from tunesmith_privacy.dp.chance import Chance
from tunesmith_privacy.dp.clipping import ClippedSum
from tunesmith_privacy.dp.fast import FastGradients, obstacle, rows_at_once, targets_by_row
from tunesmith_privacy.dp.sampling import poisson_feed
from tunesmith_privacy.dp.settings import PrivacySection

__all__ = ["DifferentiallyPrivate"]


class DifferentiallyPrivate(Single):
    """One process on one device, whose weights say little of any one row.

    What a row adds to a step is the gradient of its mean loss, shortened to ``max_grad_norm``; noise is added to their
    sum once, and the sum is divided by the rows that a step has on average, not by those it happened to draw. What
    follows (clipping of the whole, AdamW) sees nothing else of the rows.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        _refuse(recipe)
        self.settings = plugin_settings(recipe, "privacy", PrivacySection)
        self._recipe = recipe
        self._chance = Chance.of(recipe.train.seed, self.settings.secret_file)
        self.way = ""
        self._at_once = 1
        self._fast: FastGradients | None = None
        self.budget: Budget | None = None
        self._expected = 0.0

    def prepare(self, model: nn.Module) -> nn.Module:
        model = super().prepare(model)
        _refuse_mixing(model)
        reason = None if self.settings.gradients == "plain" else obstacle(model, self._recipe)
        if self.settings.gradients == "fast" and reason is not None:
            raise RecipeError(
                "the gradients of rows cannot be had the fast way",
                given=f"plugins.privacy.gradients: fast; {reason}",
                expected="trained weights in linear layers, embeddings and norms that see the rows apart",
                fix="--set plugins.privacy.gradients=plain",
            )
        if self.settings.gradients == "plain" or reason is not None:
            self.way = "a backward pass for each row" + (f" ({reason})" if reason else "")
        else:
            self._at_once = rows_at_once(model)
            self.way = f"backward passes over up to {self._at_once} rows each, by the hooks of Opacus"
        return model

    def feed(
        self, recipe: Recipe, lengths: NDArray[np.int64], mixture: Mixture | None, rows: NDArray[np.int64]
    ) -> Feed:
        _refuse_pieces(rows)
        _refuse_large_batches(recipe, len(lengths), self.settings.delta)
        feed = poisson_feed(recipe, lengths, chance=self._chance, at_once=self._at_once)
        account = {
            "rate": feed.rate,
            "steps": feed.total_steps,
            "delta": self.settings.delta,
            "accountant": self.settings.accountant,
        }
        noise = self.settings.noise_multiplier
        if noise is None:
            assert self.settings.epsilon is not None  # the section sees to it
            noise = noise_for(epsilon=self.settings.epsilon, **account)
        self.budget = Budget(spent(noise_multiplier=noise, **account), noise_multiplier=noise, **account)
        self._expected = feed.rate * len(lengths)
        return feed

    def backward(
        self,
        task: Task[Any, Any],
        model: nn.Module,
        parts: Sequence[Batch],
        targets: torch.Tensor,
        precision: str,
        step: int,
    ) -> torch.Tensor:
        assert self.budget is not None  # made with the feed
        if isinstance(task, CoupledTask) and task.couples:
            raise _coupled(self._recipe.task)
        clipped = ClippedSum([one for one in model.parameters() if one.requires_grad], self.settings.max_grad_norm)
        loss = torch.zeros((), device=self.device)
        for part in parts:
            add = self._one_row if self._at_once == 1 else self._some_rows
            loss += add(task, model, part.to(self.device), precision, clipped)
        made = clipped.noised(self._chance.noise(step), self.budget.noise_multiplier, self._expected)
        for parameter, gradient in zip(clipped.parameters, made, strict=True):
            parameter.grad = gradient
        return loss / targets

    def _one_row(
        self, task: Task[Any, Any], model: nn.Module, row: Batch, precision: str, clipped: ClippedSum
    ) -> torch.Tensor:
        if len(row.rows) != 1:
            raise TrainingError(
                "rows cannot be told apart",
                given=f"a part of {len(row.rows)} rows",
                expected="parts of one row",
                fix="update the plugin privacy",
            )
        with autocast(precision, self.device):
            loss = task.loss(model, row)
        (loss / max(1, row.targets)).backward()  # type: ignore[no-untyped-call]
        clipped.add_row([one.grad for one in clipped.parameters])
        for parameter in clipped.parameters:
            parameter.grad = None
        return loss.detach()

    def _some_rows(
        self, task: Task[Any, Any], model: nn.Module, part: Batch, precision: str, clipped: ClippedSum
    ) -> torch.Tensor:
        if self._fast is None:  # not before: other layers may have been put in place since `prepare`
            self._fast = FastGradients(model)
        count = len(part.rows)
        of_rows = targets_by_row(part.labels, count, part.targets)
        checkpointed = any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
        if of_rows is None or checkpointed:
            raise TrainingError(
                "the gradients of rows cannot be had the fast way",
                given="labels that do not say how many targets each row has"
                if of_rows is None
                else "activation checkpointing",
                expected="one label for each row, or one for each token",
                fix="--set plugins.privacy.gradients=plain",
            )
        with self._fast.of(count):
            with autocast(precision, self.device):
                loss = task.loss(model, part)
            loss.backward()  # type: ignore[no-untyped-call]
        clipped.add_rows(self._fast.taken(count), 1 / of_rows.clamp(min=1).to(self.device))
        return loss.detach()

    def notes(self, feed: Feed) -> Sequence[str]:
        assert self.budget is not None
        source = (
            "sampling and noise are drawn from plugins.privacy.secret_file: keep it from whoever gets the model"
            if self._chance.secret
            else f"sampling and noise follow from train.seed ({self._recipe.train.seed}): the bound holds against "
            "those who do not know it, and the run's recipe says it; plugins.privacy.secret_file keeps it a secret"
        )
        return (
            self.budget.sentence(self.settings.max_grad_norm),
            f"gradients of rows: {self.way}",
            source,
            "the bound is on the trained weights: the losses and scores told of a run, the choice of the best "
            "checkpoint, names of classes, a tokenizer made from the rows and rows shown in the report are not covered",
        )


def _refuse(recipe: Recipe) -> None:
    train = recipe.train
    if train.tokens_per_batch is not None or train.rows_per_batch is None:
        given = f"train.tokens_per_batch: {train.tokens_per_batch}" if train.tokens_per_batch else "no size of batches"
        raise RecipeError(
            "private training draws rows, so batches are counted in rows",
            given=given,
            expected="train.rows_per_batch: the rows that a step sees on average",
            fix="--set train.rows_per_batch=64" + (", and no train.tokens_per_batch" if train.tokens_per_batch else ""),
        )
    if recipe.data.weights:
        raise RecipeError(
            "private training sees every row with the same chance",
            given="data.weights",
            expected="no weights: the budget is accounted for at one rate",
            fix="leave data.weights out",
        )


def _coupled(task: str) -> RecipeError:
    return RecipeError(
        f"the loss of task {task!r} is one of all rows of a step together",
        given="train.strategy: privacy/dp",
        expected="a loss that is a sum over rows, so that what each adds can be bounded",
        fix="use another objective of the task, or another task",
    )


def _refuse_mixing(model: nn.Module) -> None:
    for name, module in model.named_modules():
        mixes = isinstance(module, _BatchNorm)
        stays = mixes and module.track_running_stats and not any(one.requires_grad for one in module.parameters())
        if mixes and not stays:
            raise RecipeError(
                "a layer of this model mixes the rows of a batch, so that what each adds cannot be bounded",
                given=f"{name or 'the model'}, a {type(module).__name__}",
                expected="layers that see every row by itself, as LayerNorm and GroupNorm do",
                fix="choose another model, or train its head only: --set method=head",
            )


def _refuse_pieces(rows: NDArray[np.int64]) -> None:
    items, whole = len(rows), len(np.unique(rows))
    if items != whole:
        raise RecipeError(
            "private training bounds what one row adds, and some rows are read in several pieces",
            given=f"{items:,} pieces of {whole:,} rows",
            expected="one piece for each row",
            fix=[
                "--set data.too_long=skip (or error)",
                "or cut long texts into rows of their own, which are then the unit",
            ],
        )


def _refuse_large_batches(recipe: Recipe, items: int, delta: float) -> None:
    rows = recipe.train.rows_per_batch or 0
    if items and rows > items:
        raise RecipeError(
            "a step cannot see more rows than there are",
            given=f"train.rows_per_batch: {rows}, and {items:,} rows to learn from",
            expected=f"at most {items}",
            fix=f"--set train.rows_per_batch={max(1, items // 10)}",
        )
    if items and delta >= 1 / items:
        raise RecipeError(
            "delta is too large to mean anything: publishing one row outright would keep to it",
            given=f"plugins.privacy.delta: {delta:g}, and {items:,} rows to learn from",
            expected=f"less than 1 / rows, that is {1 / items:.2g}",
            fix=f"--set plugins.privacy.delta={0.1 / items:.0e}",
        )
