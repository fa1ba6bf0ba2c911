# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One strict, typed description of a job.

Everything a run depends on stands here and nowhere else. Unknown keys are errors. Values of ``None``
mean "chosen for you"; what was chosen is written into the run's resolved recipe and printed.

The docstring under a field is its documentation everywhere: the starter recipes, the JSON schema,
docs/reference/recipe.md and the error messages are all made from it.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = [
    "DataSection",
    "EvaluateSection",
    "MethodSection",
    "ModelSection",
    "Recipe",
    "Section",
    "SplitSection",
    "TrainSection",
]


def _one_or_many(value: Any) -> Any:
    if isinstance(value, (str, os.PathLike)):
        return [os.fspath(value)]
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return [os.fspath(item) if isinstance(item, os.PathLike) else item for item in value]
    return value


def _bare_name(value: Any) -> Any:
    return {"name": os.fspath(value)} if isinstance(value, (str, os.PathLike)) else _empty(value)


def _empty(value: Any) -> Any:
    return {} if value is None else value  # `train:` with nothing, or only comments, below it


def _path_text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # YAML, TOML and JSON have no tuples


def _and(keys: list[str]) -> str:
    """The subject of a rule: ``'rank' is``, ``'rank' and 'alpha' are``."""
    *front, last = [f"'{key}'" for key in keys]
    return f"{', '.join(front)} and {last} are" if front else f"{last} is"


# `json_schema_input_type` tells the JSON schema of the short forms that the validator accepts.
Sources = Annotated[
    list[Annotated[str, Field(min_length=1)]], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])
]
PathText = Annotated[str, BeforeValidator(_path_text, json_schema_input_type=str)]


class Section(BaseModel):
    """A part of a recipe: strict, immutable, no unknown keys.

    Strict means that nothing is converted on the quiet: ``"3"`` is no number and ``1`` is not ``true``.
    Whole numbers are accepted where a number is asked for; NaN and infinity never are.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )


class ModelSection(Section):
    """Where the weights come from. ``model: NAME`` is short for ``model: {name: NAME}``."""

    name: str = Field(min_length=1)
    """A local folder, a hub id (`owner/name`), a named model (`tunesmith/tiny`), or `scratch:ARCHITECTURE[-SIZE]`."""
    revision: str | None = None
    """Hub ids only: branch, tag or commit."""
    trust_remote_code: bool = False
    """Hub ids only: run Python code that comes with the model. Off unless you ask for it by name."""
    tokenizer: str | None = None
    """`scratch:` only: `bpe`, `byte`, or a folder or hub id whose tokenizer is used. Default: `bpe`."""
    vocabulary: int | None = Field(default=None, ge=256)
    """`scratch:` with a `bpe` tokenizer only: entries of the vocabulary to learn. Default: 1024."""
    context: int | None = Field(default=None, ge=8)
    """`scratch:` only: longest input in tokens. Default: 256."""

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> ModelSection:
        if not self.name.startswith("scratch:"):
            extra = [key for key in ("tokenizer", "vocabulary", "context") if getattr(self, key) is not None]
            if extra:
                raise ValueError(f"{_and(extra)} only for `scratch:` models; the model is {self.name!r}")
        if self.vocabulary is not None and self.tokenizer not in (None, "bpe"):
            raise ValueError(f"{_and(['vocabulary'])} only for a `bpe` tokenizer; the tokenizer is {self.tokenizer!r}")
        return self


class MethodSection(Section):
    """Which weights move. ``method: lora`` is short for ``method: {name: lora}``."""

    name: Literal["full", "lora", "head"] = "full"
    """`full`: all; `lora`: low-rank adapters (Hu et al. 2021, arXiv:2106.09685); `head`: the output layer only."""
    rank: int | None = Field(default=None, ge=1)
    """`lora` only: rank of the adapters. Default: 16."""
    alpha: float | None = Field(default=None, gt=0)
    """`lora` only: scale; the adapter is multiplied by alpha / rank. Default: 2 x rank."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """`lora` only: dropout in front of the adapters. Default: 0."""
    targets: list[str] | None = None
    """`lora` only: names of the linear layers to adapt. Default: all linear layers except the output."""

    @model_validator(mode="after")
    def _keys_fit_the_method(self) -> MethodSection:
        if self.name != "lora":
            extra = [key for key in ("rank", "alpha", "dropout", "targets") if getattr(self, key) is not None]
            if extra:
                raise ValueError(f"{_and(extra)} only for `lora`; the method is {self.name!r}")
        return self


class SplitSection(Section):
    """Cut parts off the training rows. Shuffled with ``seed``; a single long text is cut at its end instead."""

    validation: float = Field(default=0.0, ge=0, lt=1)
    """Share of the training rows to hold out for evaluation during training."""
    test: float = Field(default=0.0, ge=0, lt=1)
    """Share of the training rows to hold out for the final score."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the shuffle; the same seed and rows give the same split."""

    @model_validator(mode="after")
    def _something_left(self) -> SplitSection:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation + test is {self.validation + self.test:g}; nothing would be left to train on")
        return self


class DataSection(Section):
    """Which rows, and how their columns map to what the task reads."""

    train: Sources = Field(min_length=1)
    """Rows to learn from: file, glob, folder, `dataset:NAME#SPLIT` or `hub:OWNER/NAME#SPLIT`; or a list of these."""
    validation: Sources = Field(default_factory=list)
    """Rows to evaluate on during training, given like `train`. Default: none, or what `split` holds out."""
    test: Sources = Field(default_factory=list)
    """Rows for the final score, given like `train`. Default: none, or what `split` holds out."""
    format: str | None = None
    """Name of a reader (`tunesmith readers list`). Default: by file ending."""
    columns: Annotated[dict[str, str], BeforeValidator(_empty)] = Field(default_factory=dict)
    """What the task reads -> the name of your column, e.g. `{text: body, label: category}`."""
    split: Annotated[SplitSection, BeforeValidator(_empty)] = Field(default_factory=SplitSection)
    """Parts to cut off the training rows."""
    encoding: str = "utf-8"
    """How text files are encoded; any name that Python knows."""
    label_separator: str | None = Field(default=None, min_length=1)
    """Given: a row may have several labels, separated by this. A list of labels in JSON needs no separator."""
    text_unit: Literal["file", "paragraph", "line"] = "file"
    """Plain text files: what one document is. Paragraphs are separated by blank lines."""
    max_length: int | None = Field(default=None, ge=2)
    """Longest input in tokens. Default: what the model allows, at most 512 for text-classification, else 1024."""
    too_long: Literal["truncate", "skip", "error"] = "truncate"
    """What happens to longer rows; always counted and printed. Plain text is cut into pieces, nothing is lost."""


class TrainSection(Section):
    """The training loop."""

    epochs: float = Field(default=3, gt=0)
    """Times that every training row is seen; may be a fraction."""
    max_steps: int | None = Field(default=None, ge=1)
    """Stop after this many optimizer steps, whatever `epochs` says."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate. Default: full 5e-5, lora 2e-4, head 1e-3, scratch 1e-3."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls to 0 after the warm-up."""
    warmup_steps: int | None = Field(default=None, ge=0)
    """Steps over which the rate rises from 0. Default: 5 % of all steps."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled (AdamW); not applied to biases, norms and other one-dimensional parameters."""
    betas: Annotated[
        tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]],
        BeforeValidator(_pair, json_schema_input_type=tuple[float, float]),
    ] = (0.9, 0.999)
    """AdamW's decay rates of the running means of the gradient and of its square."""
    epsilon: float = Field(default=1e-8, gt=0)
    """AdamW: added to the denominator."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients whose norm over all parameters is larger are scaled down to it."""
    tokens_per_batch: int | None = Field(default=None, ge=1)
    """Tokens per optimizer step; rows of like length share a batch. Default: 2048 for text."""
    rows_per_batch: int | None = Field(default=None, ge=1)
    """Rows per optimizer step, instead of `tokens_per_batch`. Default: 128 for images."""
    accumulate: int = Field(default=1, ge=1)
    """Compute each step's batch in this many parts, to save memory; the result is the same."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 matrix products where this machine runs them faster (measured once at the start), else fp32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model is trained. `auto`: `cuda` where there is one, else `cpu`."""
    strategy: str = "single"
    """Name of the way the job runs. `single`: one process."""
    save_every: int | None = Field(default=None, ge=1)
    """Steps between checkpoints. Default: after every epoch and evaluation, and at the end."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Newest checkpoints to keep; older ones are deleted."""
    log_every: int = Field(default=1, ge=1)
    """Steps between lines of metrics.jsonl."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of everything random: new weights, the order of the rows, dropout. Same recipe, same machine, same weights."""

    @model_validator(mode="after")
    def _one_batch_size(self) -> TrainSection:
        if self.tokens_per_batch is not None and self.rows_per_batch is not None:
            raise ValueError("give tokens_per_batch or rows_per_batch, not both")
        return self


class EvaluateSection(Section):
    """Evaluation during and after training; needs ``data.validation`` or ``data.split.validation``."""

    every: int | None = Field(default=None, ge=1)
    """Steps between evaluations. Default: once per epoch."""
    metric: str | None = None
    """Chooses the best checkpoint. Default: the task's headline metric."""
    keep: Literal["best", "last"] = "best"
    """Which weights become the model, where there is a validation split. Without one: the last."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after this many evaluations without a better `metric`. Default: never."""
    before: bool = True
    """Also score the untrained model, on the test rows if there are any: what did training give?"""
    samples: int = Field(default=3, ge=0)
    """Language models: texts to generate for the report."""
    sample_tokens: int = Field(default=100, ge=1)
    """Language models: tokens of each of these texts."""


class Recipe(Section):
    """A job, wholly described: what is learned, from which model and rows, how, and where it goes.

    Relative paths (rows, a model folder, the output) start at the current working directory, also when the
    recipe is a file elsewhere: the same command gives the same job whether the recipe is a file or flags.
    """

    task: str = Field(min_length=1)
    """Name of a task (`tunesmith tasks list`)."""
    model: Annotated[ModelSection, BeforeValidator(_bare_name, json_schema_input_type=str | ModelSection)]
    """Where the weights come from: a name, or a section."""
    method: Annotated[MethodSection, BeforeValidator(_bare_name, json_schema_input_type=str | MethodSection)] = Field(
        default_factory=MethodSection
    )
    """Which weights move: a name, or a section."""
    data: Annotated[DataSection, BeforeValidator(_empty)]
    """Which rows, and how their columns map to what the task reads."""
    train: Annotated[TrainSection, BeforeValidator(_empty)] = Field(default_factory=TrainSection)
    """The training loop."""
    evaluate: Annotated[EvaluateSection, BeforeValidator(_empty)] = Field(default_factory=EvaluateSection)
    """Evaluation during and after training."""
    output: PathText = Field(min_length=1)
    """The run folder. It must not exist, or be empty: nothing is overwritten."""
