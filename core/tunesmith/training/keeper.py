# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Between steps: log, evaluate, keep the best weights, save checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag

from tunesmith.evaluate import Evaluation, evaluate_items
from tunesmith.models import save_model
from tunesmith.plugin import CheckpointSaved, Evaluated, StepDone
from tunesmith.runs import Run
from tunesmith.tasks.rendering import save_task
from tunesmith.training.checkpoint import save_checkpoint
from tunesmith.training.loop import Edges, Job, StepResult
from tunesmith.training.prepare import Work
from tunesmith.training.resolve import deciding_metric
from tunesmith.training.telling import Teller

__all__ = ["Keeper"]


@dataclass(slots=True)
class Keeper:
    """Does what the loop asks for at its edges (:class:`tunesmith.training.loop.Edges`)."""

    run: Run
    job: Job
    tell: Teller
    stop: Flag

    @property
    def _work(self) -> Work:
        return self.job.work

    def edges(self) -> Edges:
        """What the loop calls."""
        return Edges(self._stepped, self._evaluate, self._checkpoint, self.stop.is_set)

    def before(self) -> None:
        """The score of the untrained model, so that people see what training gave."""
        if not self._work.recipe.evaluate.before:
            return
        split = "test" if self._work.items["test"] else "validation"
        if self._work.items[split]:
            metrics = self._measure(split).metrics
            self.tell(Evaluated(run=str(self.run.path), step=0, split=split, metrics=metrics, best=False))

    def before_metrics(self) -> dict[str, dict[str, float]]:
        """What :meth:`before` logged, also when an earlier session of a resumed job did it."""
        return {
            record["split"]: record["metrics"]
            for record in self.run.metrics()
            if record["kind"] == "evaluation" and record["step"] == 0
        }

    def settle(self) -> None:
        """The weights that become the model, where no evaluation chose them."""
        if not self._choosing():
            self._save_model()

    def _choosing(self) -> bool:
        return bool(self._work.items["validation"]) and self._work.recipe.evaluate.keep == "best"

    def _measure(self, split: str) -> Evaluation:
        section = self._work.recipe.train
        return evaluate_items(
            self._work.model,
            self._work.task,
            self._work.items[split],
            getattr(self._work.splits, split),
            device=self._work.strategy.device,
            precision=section.precision,
            tokens_per_batch=section.tokens_per_batch,
            rows_per_batch=section.rows_per_batch,
        )

    def _stepped(self, result: StepResult, rate: float, seconds: float) -> None:
        step = self.job.progress.step
        self.tell(
            StepDone(
                run=str(self.run.path),
                step=step,
                total_steps=self._work.feed.total_steps,
                epoch=self._work.feed.epochs_done(step),
                loss=result.loss,
                learning_rate=rate,
                grad_norm=result.grad_norm,
                tokens=result.tokens,
                seconds=seconds,
            )
        )

    def _evaluate(self) -> bool:
        """Measure the validation split; True when patience has run out."""
        if not self._work.items["validation"]:
            return False
        progress, section = self.job.progress, self._work.recipe.evaluate
        metrics = self._measure("validation").metrics
        decider = deciding_metric(self._work.recipe, self._work.task)
        value = metrics[decider.name]
        better = progress.best is None or (
            value > progress.best if decider.greater_is_better else value < progress.best
        )
        if better:
            progress.best, progress.best_step, progress.stale = value, progress.step, 0
            if self._choosing():
                self._save_model()
        else:
            progress.stale += 1
        self.tell(
            Evaluated(run=str(self.run.path), step=progress.step, split="validation", metrics=metrics, best=better)
        )
        return section.patience is not None and progress.stale >= section.patience

    def _checkpoint(self) -> Path:
        path = save_checkpoint(
            self.run.checkpoint_folder,
            model=self._work.model,
            optimizer=self.job.optimizer,
            progress=self.job.progress,
            keep=self._work.recipe.train.keep_checkpoints,
        )
        self.tell(CheckpointSaved(run=str(self.run.path), step=self.job.progress.step, path=str(path)))
        return path

    def _save_model(self) -> None:
        save_model(self._work.model, self.run.model_folder, getattr(self._work.task, "tokenizer", None))
        save_task(self._work.task, self.run.model_folder)
