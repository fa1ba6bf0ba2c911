# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Scoring a model on rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tunesmith._plugins import authorize
from tunesmith.engine.items import Divide, run_items
from tunesmith.errors import DataError, ModelError, RecipeError
from tunesmith.plugin import Action
from tunesmith.recipe.schema import EvaluateSection
from tunesmith.tasks.base import Batch, Encoded, Task

if TYPE_CHECKING:
    from tunesmith.engine import Model
    from tunesmith.evaluate.answers import AnswerScores
    from tunesmith.registry import Registry
    from tunesmith.tasks.sections import Section

__all__ = ["Evaluation", "evaluate", "evaluate_items"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model did on some rows.

    Attributes:
        metrics: name to value, the task's headline first.
        outputs: what the model said, one per item.
        examples: the example of each output; a long text that was cut stands here once per piece.
        rows: how many rows were scored.
        notes: counted facts people must know, such as rows cut; counted since the model was loaded.
        sections: what the task shows of it in a report; filled by :func:`evaluate`.
    """

    metrics: dict[str, float]
    outputs: list[Any]
    examples: list[Any] = field(default_factory=list)
    rows: int = 0
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()


def evaluate_items(
    model: nn.Module,
    task: Task[Any, Any],
    items: Sequence[Encoded],
    examples: Sequence[Any],
    *,
    device: torch.device,
    precision: str = "fp32",
    tokens_per_batch: int | None = None,
    rows_per_batch: int | None = None,
    collate: Callable[[Sequence[Encoded]], Batch] | None = None,
    divide: Divide | None = None,
) -> Evaluation:
    """Run items through the model and score what comes out.

    The model is left in the mode (training or evaluation) it was in. The figures do not depend on the batches:
    outputs are scored in the items' order.

    Args:
        items: ``task.encode_all(examples)``; ``item.row`` is an index of ``examples``.
        examples: the rows.
        device: where the model is.
        precision: ``bf16`` computes under autocast, as training in bf16 does; anything else computes as loaded.
        tokens_per_batch: budget of a batch, padding included. Default: 4096; images: the task's rows.
        rows_per_batch: rows of a batch instead.
        collate: makes a batch of items. Default: ``task.collate``.
        divide: who computes which batch (:class:`tunesmith.training.Strategy`). Default: this process computes all.

    Raises:
        DataError: there is nothing to score.
    """
    if not items:
        raise DataError(
            "there is nothing to score",
            given=f"{len(examples):,} rows, none of which can be encoded",
            expected="at least one row that the model can read",
            fix="give other rows; data.too_long: truncate keeps rows that are too long",
        )
    outputs = run_items(
        model,
        task,
        items,
        device=device,
        precision=precision,
        tokens_per_batch=tokens_per_batch,
        rows_per_batch=rows_per_batch,
        collate=collate,
        divide=divide,
    )
    aligned = [examples[item.row] for item in items]
    metrics = {name: float(value) for name, value in task.score(outputs, aligned).items()}
    return Evaluation(metrics, outputs, aligned, rows=len(examples))


def evaluate(
    model: Model,
    sources: Sequence[str],
    *,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,  # noqa: A002 - the recipe's word
    encoding: str | None = None,
    label_separator: str | None = None,
    text_unit: str | None = None,
    tokens_per_batch: int | None = None,
    generate: int = 0,
    metrics: Sequence[str] = (),
    answer_tokens: int = 128,
    tokenize: str = "13a",
    registry: Registry | None = None,
) -> Evaluation:
    """Score a loaded model on labelled rows.

    What is not given is as it was in training, as far as the model remembers it.

    Args:
        model: from :func:`tunesmith.load`.
        sources: files, globs, folders, ``dataset:NAME#SPLIT``, ``hub:OWNER/NAME#SPLIT``.
        columns: the task's word to your column, e.g. ``{"text": "body", "label": "category"}``.
        format: name of a reader. Default: by file ending.
        encoding: of text files.
        label_separator: a row may have several labels, separated by this.
        text_unit: plain text: ``file``, ``paragraph`` or ``line`` is one document.
        tokens_per_batch: see :func:`evaluate_items`.
        generate, metrics, answer_tokens, tokenize: as in ``evaluate`` of a recipe: how many rows to answer, and how
            their answers are scored.
        registry: where readers and datasets are looked up. Default: the process's registry.

    Raises:
        DataError: files or rows cannot be used, a label that training never saw, or nothing to score.
        ModelError: the model has no labels to score by.
        RecipeError: a metric that is not there, or that cannot be computed.
        DeniedError: a gate does not let it happen.
    """
    from tunesmith.data import read_split
    from tunesmith.registry import get_registry

    authorize(Action(name="evaluate", subject=model.name, details={"data": list(sources)}))
    task = model.definition
    settings = _answer_settings(
        task,
        registry or get_registry(),
        generate=generate,
        metrics=list(metrics),
        answer_tokens=answer_tokens,
        tokenize=tokenize,
    )
    given = {
        "columns": None if columns is None else dict(columns),
        "format": format,
        "encoding": encoding,
        "label_separator": label_separator,
        "text_unit": text_unit,
    }
    section = type(task.data).model_validate(
        task.data.model_dump() | {name: value for name, value in given.items() if value is not None}
    )
    with model.lock:
        earlier = set(task.notes)
        examples = read_split(list(sources), section, task, registry or get_registry())
        task.check(examples, "evaluation")
        items = task.encode_all(examples)
        if items and not any(item.targets for item in items):
            answers = [column.name for column in task.columns if column.target]
            raise ModelError(
                "the rows hold nothing to compare the model's answers with",
                given=", ".join(sources),
                expected=f"rows with {', '.join(answers) or 'answers'}",
                fix="use `tunesmith predict` for rows without answers",
            )
        evaluation = evaluate_items(
            model.module, task, items, examples, device=model.device, tokens_per_batch=tokens_per_batch
        )
        scores = None
        if settings.generate:
            scores = _answer(model, items, examples, settings, registry or get_registry())
        notes = [note for note in task.notes if note not in earlier]
        return Evaluation(
            evaluation.metrics | (scores.metrics if scores else {}),
            evaluation.outputs,
            evaluation.examples,
            rows=evaluation.rows,
            notes=(*notes, *(scores.notes if scores else ())),
            sections=(
                *task.sections(evaluation.outputs, evaluation.examples),
                *task.inspect(model.module, items, examples),
                *([scores.section()] if scores else []),
            ),
        )


def _answer_settings(task: Task[Any, Any], registry: Registry, **asked: Any) -> EvaluateSection:
    from pydantic import ValidationError

    from tunesmith.evaluate.answers import resolve_metrics

    try:
        section = EvaluateSection.model_validate(asked)
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise RecipeError(
            f"{key} cannot be {asked.get(key)!r}",
            given=f"{key}: {asked.get(key)!r}",
            expected=error.errors()[0]["msg"],
            fix=f"see evaluate.{key} in the reference of the recipe",
        ) from error
    return resolve_metrics(section, task, registry)


def _answer(
    model: Model, items: Sequence[Encoded], examples: Sequence[Any], section: EvaluateSection, registry: Registry
) -> AnswerScores:
    from tunesmith.evaluate.answers import Examiner

    task = model.definition
    examiner = Examiner(section, task, registry)
    rows = examiner.choose(task, items, examples)
    if not rows:
        raise DataError(
            "there is nothing to compare generated answers with",
            given=f"{len(examples):,} rows, none with a reference answer",
            expected="rows that end with an answer",
            fix="ask for no generated answers: generate=0",
        )
    notes = examiner.rehearse(task, rows)
    scores = examiner.measure(task, model.module, rows, device=model.device)
    return dataclasses.replace(scores, notes=(*notes, *scores.notes))
