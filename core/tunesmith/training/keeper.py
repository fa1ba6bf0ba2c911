# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Between steps: log, evaluate, keep the best weights, save checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag

from tunesmith.models import save_model
from tunesmith.plugin import CheckpointSaved, Evaluated, RunNote, StepDone
from tunesmith.runs import Run
from tunesmith.tasks.rendering import save_task
from tunesmith.training.answering import Answering
from tunesmith.training.checkpoints import Checkpoints
from tunesmith.training.loop import Edges, Job, StepResult
from tunesmith.training.masters import full_precision
from tunesmith.training.measuring import measure_split
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
    checkpoints: Checkpoints
    _answering: Answering | None = field(init=False)

    def __post_init__(self) -> None:
        work = self.job.work
        self._answering = Answering.of(work.recipe, work.task, work.splits, work.items)

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
            metrics = self._measure(split)
            self.tell(Evaluated(run=str(self.run.path), step=0, split=split, metrics=metrics, best=False))

    def before_metrics(self) -> dict[str, dict[str, float]]:
        """What :meth:`before` logged, also when an earlier session of a resumed job did it."""
        return {
            record["split"]: record["metrics"]
            for record in self.run.metrics()
            if record["kind"] == "evaluation" and record["step"] == 0
        }

    def saved(self, checkpoint: Path) -> None:
        """Say that there is a checkpoint. Said again on resuming: who saved it may have died before saying so."""
        step = int(checkpoint.name.rpartition("-")[2])
        self.tell(CheckpointSaved(run=str(self.run.path), step=step, path=str(checkpoint)))

    def written(self) -> None:
        """Wait for checkpoints that are still being written.

        Raises:
            OutputError: one cannot be.
        """
        for path in self.checkpoints.whole(wait=True):
            self.saved(path)

    def settle(self) -> None:
        """The weights that become the model, where no evaluation chose them."""
        if not self._choosing() or self.job.progress.best is None:
            self._save_model()

    def _choosing(self) -> bool:
        return bool(self._work.items["validation"]) and self._work.recipe.evaluate.keep == "best"

    def _measure(self, split: str) -> dict[str, float]:
        return measure_split(self._work, split).metrics | self._answer(split)

    def _answer(self, split: str) -> dict[str, float]:
        """Figures of generated answers, where the recipe asks for them."""
        if self._answering is None:
            return {}
        scores = self._answering.measure(
            split,
            self._work.task,
            self._work.model,
            device=self._work.strategy.device,
            precision=self._work.recipe.train.precision,
        )
        if scores is None:
            return {}
        for note in scores.notes:
            self.tell(RunNote(run=str(self.run.path), message=f"step {self.job.progress.step}, {split}: {note}"))
        return scores.metrics

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
        for path in self.checkpoints.whole():
            self.saved(path)

    def _evaluate(self) -> bool:
        """Measure the validation split; True when patience has run out."""
        if not self._work.items["validation"]:
            return False
        progress, section = self.job.progress, self._work.recipe.evaluate
        metrics = self._measure("validation")
        decider = deciding_metric(self._work.recipe, self._work.task)
        value = metrics.get(decider.name)
        better = value is not None and (
            progress.best is None or (value > progress.best if decider.greater_is_better else value < progress.best)
        )
        if value is None:  # a metric of the answers failed, and said so: the job neither gains nor loses patience
            pass
        elif better:
            progress.best, progress.best_step, progress.stale = value, progress.step, 0
            if self._choosing():
                self._save_model()
        else:
            progress.stale += 1
        self.tell(
            Evaluated(run=str(self.run.path), step=progress.step, split="validation", metrics=metrics, best=better)
        )
        return section.patience is not None and progress.stale >= section.patience

    def _checkpoint(self) -> None:
        self.job.progress.logged = self.run.flush_metrics()
        self.checkpoints.save(self.job.progress)
        for path in self.checkpoints.whole():
            self.saved(path)

    def _save_model(self) -> None:
        with full_precision(self.job.optimizer):
            save_model(
                self._work.model,
                self.run.model_folder,
                getattr(self._work.task, "tokenizer", None),
                state=self._work.strategy.whole_state(self._work.model),
            )
        save_task(self._work.task, self.run.model_folder)
