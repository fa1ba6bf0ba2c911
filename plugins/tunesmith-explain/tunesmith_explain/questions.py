# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a task's answer is divided among: vectors of tokens, pixels, vectors of a table's columns; and the baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError
from tunesmith.tasks.base import Batch, Encoded, Task
from tunesmith.tasks.classification import Classification
from tunesmith.tasks.image_classification import ImageClassification
from tunesmith.tasks.tabular_classification import TabularClassification
from tunesmith.tasks.tabular_regression import TabularRegression
from tunesmith.tasks.text import padding_token
from tunesmith.tasks.text_classification import TextClassification
from tunesmith_explain.integrated import Question
from tunesmith_explain.plugin import TASKS

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["BASELINES", "check_task", "chosen_baseline", "question_of"]

BASELINES: dict[type[Task[Any, Any]], dict[str, str]] = {
    TextClassification: {
        "pad": "a text of padding tokens",
        "mask": "a text of mask tokens",
    },
    ImageClassification: {
        "black": "a black image",
        "mean": "an image of the mean color of the training images",
    },
    TabularClassification: {"mean": "a row of the training means and of unknown categories"},
    TabularRegression: {"mean": "a row of the training means and of unknown categories"},
}
"""By kind of task the inputs that say nothing; the first is the default."""


def check_task(task: Task[Any, Any]) -> type[Task[Any, Any]]:
    """The kind of task, one of ``BASELINES``.

    Raises:
        ModelError: its answers cannot be divided.
    """
    kind = next((kind for kind in BASELINES if isinstance(task, kind)), None)
    if kind is None:
        raise ModelError(
            "the answers of this task cannot be explained",
            given=f"a model of {type(task).__name__}",
            expected=f"a task of {', '.join(name.removeprefix('tunesmith/') for name in TASKS)}",
            fix="explain a model of one of these tasks; `tunesmith runs list` shows the task of every run",
        )
    return kind


def chosen_baseline(task: Task[Any, Any], asked: str | None) -> str:
    """The baseline's name.

    Raises:
        ModelError: there is no such baseline for this task.
    """
    known = BASELINES[check_task(task)]
    if asked is None:
        return next(iter(known))
    if asked not in known:
        raise ModelError("no such baseline for this task", given=asked, expected=" or ".join(known))
    if asked == "mask" and getattr(task, "tokenizer", None) is not None and task.tokenizer.mask_token_id is None:  # type: ignore[attr-defined]
        raise ModelError(
            "the tokenizer of this model has no mask token",
            given="baseline: mask",
            expected="pad",
            fix="leave the baseline out",
        )
    return asked


def question_of(task: Task[Any, Any], model: nn.Module, item: Encoded, baseline: str, device: torch.device) -> Question:
    """The model's answer to one item, ready to be divided.

    Raises:
        ModelError: the model is made in a way that is not known here.
    """
    import torch

    inputs = task.collate([item]).to(device).inputs
    names = list(inputs)

    def answer(*tensors: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, tensors, strict=True))
        rows = len(tensors[0])
        if isinstance(task, Classification):
            return task.logits(model, Batch(given, None, 0, rows, list(range(rows))))
        assert isinstance(task, TabularRegression)
        standardized: torch.Tensor = model(**given).logits
        return standardized.float().squeeze(-1) * task.scale + task.mean

    tensors = tuple(inputs.values())
    if isinstance(task, TextClassification):
        layers: tuple[nn.Module, ...] = (model.get_input_embeddings(),)  # type: ignore[operator]
        if names[0] != "input_ids":
            raise _unknown(f"a model that reads {', '.join(names)}")
        starts = (_silent_text(task, model, inputs["input_ids"], baseline), *tensors[1:])
        return Question(answer, tensors, starts, layers, width=item.length)
    if isinstance(task, ImageClassification):
        return Question(answer, tensors, (_silent_image(task, inputs["pixel_values"], baseline),), width=256)
    # A column of numbers is standardized, so its training mean is 0; code 0 is a category that training never saw.
    embedded = {name: layer for name, layer in _table_layers(model).items() if layer is not None}
    names = [*embedded, *(name for name in names if name not in embedded)]
    tensors = tuple(inputs[name] for name in names)
    return Question(answer, tensors, tuple(map(torch.zeros_like, tensors)), tuple(embedded.values()))


def _silent_text(task: TextClassification, model: nn.Module, ids: torch.Tensor, baseline: str) -> torch.Tensor:
    """Padding or mask tokens in the place of the text's; what the tokenizer puts around a text stays."""
    import torch

    tokenizer = task.tokenizer
    silent = tokenizer.mask_token_id if baseline == "mask" else padding_token(tokenizer, model.config)
    kept = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id} - {None}
    around = torch.isin(ids, torch.tensor(sorted(kept), dtype=ids.dtype, device=ids.device))
    return torch.where(around, ids, torch.full_like(ids, silent))


def _silent_image(task: ImageClassification, pixels: torch.Tensor, baseline: str) -> torch.Tensor:
    """In the numbers that the model reads: the mean color is 0 in all channels."""
    import torch

    if baseline == "mean":
        return torch.zeros_like(pixels)
    mean, std = torch.tensor(task.settings.mean), torch.tensor(task.settings.std)
    return (-mean / std).to(pixels).view(1, -1, 1, 1).expand_as(pixels).contiguous()


def _table_layers(model: nn.Module) -> dict[str, nn.Module | None]:
    """By input what makes vectors of it; ``None`` for columns that a table has not."""
    body = getattr(model, "body", None)
    if body is None or not (hasattr(body, "numbers") and hasattr(body, "categories")):
        raise _unknown(f"a {type(model).__name__}, which has no body with embeddings of numbers and of categories")
    return {"numbers": body.numbers, "categories": body.categories}


def _unknown(given: str) -> ModelError:
    return ModelError(
        "this model is made in a way that cannot be explained",
        given=given,
        expected="a model that reads input_ids or pixel_values, or scratch:tabular-mlp",
    )
