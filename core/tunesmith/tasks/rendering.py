# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``rendering.json``: what a model needs to be asked as it was trained, saved beside its weights.

::

    {"format": 1, "task": "tunesmith/text-classification", "state": {…}}

A folder without one, such as a model of the hub, gets its task from the architecture in ``config.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError, NotFoundError, PluginError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.pooling import MODULES_FILE

if TYPE_CHECKING:
    from torch import nn

    from tunesmith.models.source import ModelSource
    from tunesmith.registry import Registry
    from tunesmith.tasks.base import Task

__all__ = ["FILE_NAME", "FORMAT", "labels_of_config", "open_task", "save_task", "task_name"]

FILE_NAME = "rendering.json"
FORMAT = 1
MOST_BYTES = 64 * 2**20
_SAVED = DataSection(train=["(none: a saved model)"])
"""A task is made from a data section, and a saved model has none; its state overrides what matters."""


def save_task(task: Task[Any, Any], folder: Path, *, registry: Registry | None = None) -> Path:
    """Write ``rendering.json`` into a model's folder, whole or not at all.

    Args:
        registry: where the task's name is looked up; the process's own by default.

    Returns:
        The file.

    Raises:
        PluginError: the task is not registered, so that nobody could open the model again.
        OutputError: the folder cannot be written.
    """
    from tunesmith.runs import atomic_write

    content = {"format": FORMAT, "task": task_name(task, registry), "state": task.state()}
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    file = folder / FILE_NAME
    for name, content_of in task.files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        atomic_write(folder / name, content_of)
    atomic_write(file, (text + "\n").encode("utf-8"))
    return file


def task_name(task: Task[Any, Any], registry: Registry | None = None) -> str:
    """The full name a task's class is registered under."""
    registry = registry or _process_registry()
    kind = type(task)
    offered = registry.all("task")
    for provided in offered:
        if provided.spec.target == f"{kind.__module__}:{kind.__qualname__}":
            return provided.full_name
    for provided in offered:  # a target may name the class by another way to it
        if registry.load("task", provided.full_name) is kind:
            return provided.full_name
    raise PluginError(
        f"the task {kind.__qualname__} is not registered, so its models could not be opened again",
        given=f"{kind.__module__}:{kind.__qualname__}",
        expected="a TaskSpec with this target",
        fix="return it from the hook tunesmith_tasks of your plugin",
    )


def open_task(source: ModelSource, registry: Registry) -> tuple[Task[Any, Any], nn.Module]:
    """The task a model was trained for, ready to answer, and the model.

    Raises:
        ModelError: untrained, a damaged ``rendering.json``, or an architecture no task is known for.
        NotFoundError: the task belongs to a plugin that is not there.
    """
    if source.folder is None:
        raise ModelError(
            f"{source.name!r} is an untrained model, so it has no answers",
            given=source.name,
            expected="a run, a model folder or a hub id",
            fix="train it first: tunesmith train …",
        )
    file = source.folder / FILE_NAME
    name, state = _read(file) if file.exists() else (_infer(source), {})
    try:
        kind = registry.load("task", name)
    except NotFoundError as error:
        raise NotFoundError(
            f"{source.name!r} was trained for a task that is not installed here",
            given=name,
            expected=error.expected,
            fix=(f"install the plugin {name.split('/')[0]!r} that brings it", *error.fix),
        ) from error
    task: Task[Any, Any] = kind(_SAVED)  # type: ignore[operator]
    return task, task.restore(state, source)


def labels_of_config(source: ModelSource) -> dict[str, Any]:
    """Labels of a classifier from its ``config.json``, as ``Classification`` saves them."""
    config = _config(source)
    # transformers writes neither where they are its defaults: two labels, LABEL_0 and LABEL_1.
    count = config.get("num_labels", 2)
    names = config.get("id2label") or {str(index): f"LABEL_{index}" for index in range(count)}
    if not isinstance(names, Mapping) or not names or not all(str(key).isdecimal() for key in names):
        raise ModelError(
            f"config.json of {source.name!r} does not name the labels",
            given=repr(names)[:200],
            expected='"id2label": {"0": "first label", "1": "second label", …}',
            fix="add id2label, or train the model on your data first",
        )
    ordered = [str(names[key]) for key in sorted(names, key=int)]
    return {"labels": ordered, "multi_label": config.get("problem_type") == "multi_label_classification"}


def _read(file: Path) -> tuple[str, dict[str, Any]]:
    content = _json_object(file)
    if content.get("format") != FORMAT:
        raise ModelError(
            f"{file} has a format this version does not know",
            given=f"format {content.get('format')!r}",
            expected=f"format {FORMAT}",
            fix="update tunesmith, or save the model again with this version",
        )
    name, state = content.get("task"), content.get("state")
    if not isinstance(name, str) or not isinstance(state, dict):
        raise ModelError(
            f"{file} does not say which task the model was trained for",
            given=f"task {name!r}, state of type {type(state).__name__}",
            expected='"task": "plugin/name" and "state": {…}',
            fix="save the model again; this file is written with it and should not be edited",
        )
    return name, state


def _infer(source: ModelSource) -> str:
    """The task that follows from the architecture."""
    assert source.folder is not None
    if (source.folder / MODULES_FILE).is_file():
        return "tunesmith/embedding"
    named = _config(source).get("architectures")
    architectures = [str(name) for name in named] if isinstance(named, list) else []
    for name in architectures:
        if name.endswith("ForSequenceClassification"):
            return "tunesmith/text-classification"
        if name.endswith("ForImageClassification"):
            return "tunesmith/image-classification"
        if name.endswith("ForTokenClassification"):
            return "tunesmith/token-classification"
        if name.endswith("ForQuestionAnswering"):
            return "tunesmith/question-answering"
        if name.endswith(("ForConditionalGeneration", "MTModel")) and _config(source).get("is_encoder_decoder"):
            return "tunesmith/seq2seq"
        if name.endswith(("ForCausalLM", "LMHeadModel")):
            from tunesmith import models

            return "tunesmith/chat" if models.load_tokenizer(source).chat_template else "tunesmith/causal-lm"
    raise ModelError(
        f"no task is known for {source.name!r}",
        given=f"architectures {', '.join(architectures) or '(none)'}",
        expected="a model that classifies texts, tokens or images, answers questions, or is a causal language model",
        fix="train it on your data first: tunesmith train --model … --task …",
    )


def _config(source: ModelSource) -> dict[str, Any]:
    """``config.json`` of the model, or of the model under an adapter."""
    while source.base is not None:
        source = source.base
    if source.folder is None:
        return {}
    return _json_object(source.folder / "config.json")


def _json_object(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES:,} bytes")
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"holds {type(content).__name__}, not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{file} cannot be read",
            given=str(error),
            expected="a JSON object in UTF-8",
            fix="copy the file again from where the model came from, or save the model again",
        ) from error
    return content


def _process_registry() -> Registry:
    from tunesmith.registry import get_registry

    return get_registry()
