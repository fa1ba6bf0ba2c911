# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""After the last step: open what was saved, calibrate and score it, write the report and the card.

Scores come from the saved model, opened as any user would open it, and in the precision it then computes in, whatever
precision it was trained in. What the report shows is therefore what ``tunesmith evaluate`` and ``tunesmith predict``
will give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from tunesmith.data import Splits
from tunesmith.engine.native import NativeEngine
from tunesmith.evaluate import Evaluation, evaluate_items, sample_texts, write_card, write_report
from tunesmith.evaluate.golden import GOLDEN, golden_set
from tunesmith.evaluate.report_sections import Finished, make_report_sections
from tunesmith.models import find_model_by_name
from tunesmith.plugin import Evaluated, RunFinished, RunNote
from tunesmith.recipe import Recipe
from tunesmith.registry import get_registry
from tunesmith.runs import Run, artefact_digests, atomic_write
from tunesmith.tasks.base import Encoded, Task
from tunesmith.tasks.rendering import open_task, save_task
from tunesmith.tasks.sections import Section
from tunesmith.training.answering import Answering
from tunesmith.training.checkpoint import Progress
from tunesmith.training.prepare import Work
from tunesmith.training.telling import Teller

__all__ = ["finish"]


def finish(
    run: Run, work: Work, progress: Progress, *, before: Mapping[str, Mapping[str, float]], tell: Teller
) -> None:
    """Score the saved model on every held-out split, write golden set, report and card, mark the run finished.

    What calibration learns goes into ``rendering.json``, in one replacement, and the weights stay what training made
    them: a job that is killed here and resumed does the same again.
    """
    registry, recipe, splits = get_registry(), work.recipe, work.splits
    device = torch.device(recipe.train.device)
    task, model = open_task(find_model_by_name(str(run.model_folder), registry), registry)
    model.to(device)
    evaluations: dict[str, Evaluation] = {}
    items = {split: task.encode_all(getattr(splits, split)) for split in ("validation", "test")}
    for split in items:
        if items[split]:
            evaluations[split] = evaluate_items(
                model,
                task,
                items[split],
                getattr(splits, split),
                device=device,
                tokens_per_batch=recipe.train.tokens_per_batch,
                rows_per_batch=recipe.train.rows_per_batch,
            )
        if split == "validation":
            _calibrate(run, task, evaluations, tell)
    metrics = {split: evaluation.metrics for split, evaluation in evaluations.items()}
    answering = Answering.of(recipe, task, splits, items)
    answers = {} if answering is None else answering.measure_all(task, model, device=device)
    for split, scores in answers.items():
        metrics[split] |= scores.metrics
        for note in scores.notes:
            tell(RunNote(run=str(run.path), message=f"{split}: {note}"))
    if "test" in evaluations:
        tell(Evaluated(run=str(run.path), step=progress.step, split="test", metrics=metrics["test"], best=False))
    run.update(
        steps=progress.step,
        best_step=progress.best_step,
        seconds=round(progress.seconds, 3),
        metrics=metrics,
        before=before,
    )
    sections = _sections(task, model, recipe, evaluations, splits, items)
    shown = next((answers[split] for split in ("test", "validation") if split in answers), None)
    sections += [] if shown is None else [shown.section()]
    if recipe.evaluate.sections:
        finished = _finished(run, work, task, model, evaluations, items)
        parts, notes = make_report_sections(finished, registry)
        sections += parts
        for note in notes:
            tell(RunNote(run=str(run.path), message=note))
    _write_golden(run, task, model, splits)
    write_card(run)
    write_report(run, sections=sections)
    run.update(status="finished", artefacts=artefact_digests(run.path))
    tell(
        RunFinished(
            run=str(run.path), status="finished", steps=progress.step, metrics=metrics, seconds=progress.seconds
        )
    )


def _finished(
    run: Run,
    work: Work,
    task: Task[Any, Any],
    model: torch.nn.Module,
    evaluations: Mapping[str, Evaluation],
    items: Mapping[str, Sequence[Encoded]],
) -> Finished:
    """For the sections of plugins."""
    split = next((name for name in ("test", "validation") if name in evaluations), "train")
    examples = getattr(work.splits, split)
    return Finished(
        run=run.path,
        recipe=work.recipe,
        task=task,
        model=model.eval(),
        split=split,
        examples=examples,
        items=items[split] if split in items else task.encode_all(examples),
        outputs=evaluations[split].outputs if split in evaluations else (),
    )


def _calibrate(run: Run, task: Task[Any, Any], evaluations: dict[str, Evaluation], tell: Teller) -> None:
    """Before test rows are scored, and of validation rows alone."""
    found = evaluations.get("validation")
    learned = task.calibrate([] if found is None else found.outputs)
    if learned is None:
        return
    outputs, told = learned
    save_task(task, run.model_folder)
    tell(RunNote(run=str(run.path), message=told))
    if found is not None:
        metrics = {name: float(value) for name, value in task.score(outputs, found.examples).items()}
        evaluations["validation"] = replace(found, metrics=metrics, outputs=outputs)


def _write_golden(run: Run, task: Task[Any, Any], model: torch.nn.Module, splits: Splits[Any]) -> None:
    """What exports and servers of this model are held against."""
    split = next(name for name in ("test", "validation", "train") if getattr(splits, name))
    golden = golden_set(task, model, getattr(splits, split), rows_from=split)
    atomic_write(run.path / GOLDEN, golden.json())


def _sections(
    task: Task[Any, Any],
    model: torch.nn.Module,
    recipe: Recipe,
    evaluations: Mapping[str, Evaluation],
    splits: Splits[Any],
    items: Mapping[str, Sequence[Encoded]],
) -> list[Section]:
    """What the task shows of its held-out rows, and samples of a language model."""
    sections: list[Section] = []
    split = next((name for name in ("test", "validation") if name in evaluations), None)
    if split is not None:
        rows = getattr(splits, split)
        outputs = evaluations[split].outputs
        sections += task.sections(outputs, [rows[item.row] for item in items[split]])
        sections += task.inspect(model.eval(), items[split], rows)
    if task.generates and recipe.evaluate.samples:
        engine = NativeEngine.of(task, model)
        rows = splits.test or splits.validation or splits.train
        sections.append(
            sample_texts(
                engine,
                task,
                rows,
                count=recipe.evaluate.samples,
                max_new_tokens=recipe.evaluate.sample_tokens,
                seed=recipe.train.seed,
            )
        )
    return sections
