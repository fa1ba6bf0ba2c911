# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One strict, typed description of a job.

Everything a run depends on stands here and nowhere else. Unknown keys are errors. Values of ``None``
mean "chosen for you"; what was chosen is written into the run's resolved recipe and printed.

The docstring under a field is its documentation everywhere: the starter recipes, the JSON schema,
docs/reference/recipe.md and the error messages are all made from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from tunesmith.recipe.chosen import ChosenSection
from tunesmith.recipe.section import (
    PathText,
    Section,
    Sources,
    Switch,
    are_or_is,
    bare_name,
    distinct,
    empty,
    one_or_many,
    pair,
)

__all__ = [
    "AugmentSection",
    "DataSection",
    "EvaluateSection",
    "MethodSection",
    "ModelSection",
    "ObjectiveSection",
    "Recipe",
    "ReportPartSection",
    "Section",
    "SplitSection",
    "TrackerSection",
    "TrainSection",
    "TransformSection",
]


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
                raise ValueError(f"{are_or_is(extra)} only for `scratch:` models; the model is {self.name!r}")
        if self.vocabulary is not None and self.tokenizer not in (None, "bpe"):
            raise ValueError(f"'vocabulary' is only for a `bpe` tokenizer; the tokenizer is {self.tokenizer!r}")
        return self


class MethodSection(Section):
    """Which weights move. ``method: lora`` is short for ``method: {name: lora}``."""

    name: Literal["full", "lora", "head"] = "full"
    """`full`: all; `lora`: low-rank adapters (Hu et al. 2021, arXiv:2106.09685); `head`: the output layer only."""
    rank: int | None = Field(default=None, ge=1)
    """`lora` only: rank of the adapters. Default: 16."""
    alpha: float | None = Field(default=None, gt=0)
    """`lora` only: scale; the adapter is multiplied by alpha / rank. Default: 2 x rank; with `rslora` 8."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """`lora` only: dropout in front of the adapters. Default: 0."""
    targets: list[str] | None = None
    """`lora` only: names of the linear layers to adapt. Default: all linear layers except the output."""
    rslora: bool = False
    """`lora` only: scale by alpha / √rank, so that large ranks learn as fast as small ones (arXiv:2312.03732)."""
    dora: bool = False
    """`lora` only: learn the length of each output's weights apart from their direction (DoRA, arXiv:2402.09353)."""
    quantize: Literal["nf4"] | None = None
    """`lora` only: hold the model under the adapters in 4 bits (QLoRA, arXiv:2305.14314). Needs a CUDA GPU."""
    freeze: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    """`full` only: layers that stay as they are, e.g. `["embeddings*", "encoder.layer.[0-3].*"]`."""

    @model_validator(mode="after")
    def _keys_fit_the_method(self) -> MethodSection:
        for method, keys in _METHOD_KEYS.items():
            extra = [key for key in keys if self.given(key)]
            if extra and self.name != method:
                raise ValueError(f"{are_or_is(extra)} only for `{method}`; the method is {self.name!r}")
        if self.dora and self.quantize is not None:
            raise ValueError("'dora' and 'quantize' do not go together: DoRA needs the lengths of the exact weights")
        return self

    def given(self, key: str) -> bool:
        """Whether the recipe asks for something with this key."""
        value = getattr(self, key)
        return value is not None and value is not False and value != []


_METHOD_KEYS = {"lora": ("rank", "alpha", "dropout", "targets", "rslora", "dora", "quantize"), "full": ("freeze",)}


class ObjectiveSection(Section):
    """What is minimized. ``objective: orpo`` is short for ``{name: orpo}``; the other keys are the objective's own."""

    model_config = ConfigDict(extra="allow")

    name: str | None = Field(default=None, min_length=1)
    """Name of an objective (`tunesmith objectives list`). Default: the task's own."""

    @model_validator(mode="before")
    @classmethod
    def _without_open_keys(cls, data: Any) -> Any:
        # Earlier versions wrote the keys of every objective into a run, as null where they were another's.
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data

    def keys(self) -> dict[str, Any]:
        """The keys beside the name, as they were given."""
        return self.model_dump(exclude={"name"})


class SplitSection(Section):
    """Cut parts off the training rows. Shuffled with ``seed``; a single long text is cut at its end instead."""

    validation: float = Field(default=0.0, ge=0, lt=1)
    """Share of the training rows to hold out for evaluation during training."""
    test: float = Field(default=0.0, ge=0, lt=1)
    """Share of the training rows to hold out for the final score."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the shuffle; the same seed and rows give the same split."""
    folds: int | None = Field(default=None, ge=2)
    """Cross-validation: parts of the training rows, one of which is held out. `tunesmith crossval` sets it."""
    fold: int | None = Field(default=None, ge=1)
    """With `folds`: which part is the test split, from 1. Rows of a label are spread evenly over the parts."""
    group: str | None = Field(default=None, min_length=1)
    """With `folds`: your column whose equal values stay in one part (a writer, a patient)."""

    @model_validator(mode="after")
    def _folds_are_whole(self) -> SplitSection:
        if (self.folds is None) != (self.fold is None):
            raise ValueError("give folds and fold together; `tunesmith crossval` gives each fold in turn")
        if self.folds is None and self.group is not None:
            raise ValueError("'group' is only for folds")
        if self.folds is not None and self.fold is not None and self.fold > self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds} folds; they are counted from 1")
        if self.folds is not None and self.test:
            raise ValueError("with folds, the fold is the test split: leave 'test' out")
        return self

    @model_validator(mode="after")
    def _something_left(self) -> SplitSection:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation + test is {self.validation + self.test:g}; nothing would be left to train on")
        return self


class AugmentSection(ChosenSection):
    """A random change of training rows. ``flip`` is short for ``{name: flip}``; the other keys are its own."""

    name: str = Field(min_length=1)
    """Name of a transform (`tunesmith augmentations list`)."""


class TransformSection(ChosenSection):
    """A change of rows before the task reads them. ``mask`` is short for ``{name: mask}``; other keys are its own."""

    name: str = Field(min_length=1)
    """Name of a transform (`tunesmith transforms list`)."""


class TrackerSection(ChosenSection):
    """Where figures go beside the run folder. ``board`` is short for ``{name: board}``; the other keys are its own."""

    name: str = Field(min_length=1)
    """Name of a tracker (`tunesmith trackers list`)."""


class ReportPartSection(ChosenSection):
    """A section of the report. ``words`` is short for ``{name: words}``; the other keys are its own."""

    name: str = Field(min_length=1)
    """Name of a section that a plugin brings (`tunesmith plugins list`)."""


Augmentations = Annotated[
    list[Annotated[AugmentSection, BeforeValidator(bare_name, json_schema_input_type=str | AugmentSection)]],
    BeforeValidator(one_or_many, json_schema_input_type=str | list[str | AugmentSection]),
]
Transforms = Annotated[
    list[Annotated[TransformSection, BeforeValidator(bare_name, json_schema_input_type=str | TransformSection)]],
    BeforeValidator(one_or_many, json_schema_input_type=str | list[str | TransformSection]),
]
Trackers = Annotated[
    list[Annotated[TrackerSection, BeforeValidator(bare_name, json_schema_input_type=str | TrackerSection)]],
    BeforeValidator(one_or_many, json_schema_input_type=str | list[str | TrackerSection]),
]
ReportParts = Annotated[
    list[Annotated[ReportPartSection, BeforeValidator(bare_name, json_schema_input_type=str | ReportPartSection)]],
    BeforeValidator(one_or_many, json_schema_input_type=str | list[str | ReportPartSection]),
]


class DataSection(Section):
    """Which rows, and how their columns map to what the task reads."""

    train: Sources = Field(min_length=1)
    """Rows to learn from: file, glob, folder, `dataset:NAME#SPLIT` or `hub:OWNER/NAME#SPLIT`; or a list of these."""
    weights: Annotated[dict[str, Annotated[float, Field(gt=0)]], BeforeValidator(empty)] = Field(default_factory=dict)
    """An entry of `train` -> how many times an epoch sees each of its rows, e.g. `{web.jsonl: 0.25}`. Default: once."""
    validation: Sources = Field(default_factory=list)
    """Rows to evaluate on during training, given like `train`. Default: none, or what `split` holds out."""
    test: Sources = Field(default_factory=list)
    """Rows for the final score, given like `train`. Default: none, or what `split` holds out."""
    format: str | None = None
    """Name of a reader (`tunesmith readers list`). Default: by file ending."""
    columns: Annotated[dict[str, str], BeforeValidator(empty)] = Field(default_factory=dict)
    """What the task reads -> the name of your column, e.g. `{text: body, label: category}`."""
    split: Annotated[SplitSection, BeforeValidator(empty)] = Field(default_factory=SplitSection)
    """Parts to cut off the training rows."""
    transform: Transforms = Field(default_factory=list)
    """Changes of every row of every split, in this order, before the task reads it, e.g. `[mask-pii]`."""
    augment: Augmentations = Field(default_factory=list)
    """Random changes of training rows, in this order, anew in every epoch, e.g. `[flip, {name: shift, pixels: 2}]`."""
    encoding: str = "utf-8"
    """How text files are encoded; any name that Python knows."""
    column_names: Annotated[list[Annotated[str, Field(min_length=1)]], AfterValidator(distinct)] | None = Field(
        default=None, min_length=1
    )
    """Names of the columns, in order, of files that do not name them: CSV and TSV without a header line, JSON lists."""
    features: list[str] | None = Field(default=None, min_length=1)
    """Tables: the columns to learn from. Default: all but the answer, `ignore`, and those that cannot say anything."""
    ignore: list[str] = Field(default_factory=list)
    """Tables: columns to leave out."""
    categorical: list[str] = Field(default_factory=list)
    """Tables: columns of numbers that are names, such as codes: every value is a category."""
    label_separator: str | None = Field(default=None, min_length=1)
    """Given: a row may have several labels, separated by this. A list of labels in JSON needs no separator."""
    text_unit: Literal["file", "paragraph", "line"] = "file"
    """Plain text files: what one document is. Paragraphs are separated by blank lines."""
    max_length: int | None = Field(default=None, ge=2)
    """Longest input in tokens. Default: the model's own, at most 512 to classify, 384 for questions, else 1024."""
    too_long: Literal["truncate", "skip", "error"] = "truncate"
    """What happens to longer rows; always counted. Plain text, tagged words and contexts are read in pieces."""
    max_target_length: int | None = Field(default=None, ge=2)
    """`seq2seq` only: longest target in tokens. Default: as `max_length`."""
    prefix: str | None = Field(default=None, min_length=1)
    """`seq2seq` only: text in front of every source, e.g. `"translate English to German: "`; saved with the model."""

    @model_validator(mode="after")
    def _weights_of_entries(self) -> DataSection:
        unknown = [entry for entry in self.weights if entry not in self.train]
        if unknown:
            known = ", ".join(repr(entry) for entry in self.train)
            raise ValueError(f"weights name {', '.join(map(repr, unknown))}; data.train has {known}")
        return self


class TrainSection(Section):
    """The training loop."""

    epochs: float | None = Field(default=None, gt=0)
    """Times that every training row is seen; may be a fraction. Default: 3; tables: what makes about 1,500 steps."""
    max_steps: int | None = Field(default=None, ge=1)
    """Stop after this many optimizer steps, whatever `epochs` says."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate. Default: full 5e-5, lora 2e-4, head 1e-3, scratch 1e-3; `preference`: a tenth of it."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls to 0 after the warm-up."""
    warmup_steps: int | None = Field(default=None, ge=0)
    """Steps over which the rate rises from 0. Default: 5 % of all steps."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled (AdamW); not applied to biases, norms and other one-dimensional parameters."""
    betas: Annotated[
        tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]],
        BeforeValidator(pair, json_schema_input_type=tuple[float, float]),
    ] = (0.9, 0.999)
    """AdamW's decay rates of the running means of the gradient and of its square."""
    epsilon: float = Field(default=1e-8, gt=0)
    """AdamW: added to the denominator."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients whose norm over all parameters is larger are scaled down to it."""
    tokens_per_batch: int | None = Field(default=None, ge=1)
    """Tokens per optimizer step; rows of like length share a batch. Default: 2048 for text."""
    rows_per_batch: int | None = Field(default=None, ge=1)
    """Rows per optimizer step, instead of `tokens_per_batch`. Default: 128 for images, 64 for tables."""
    accumulate: int = Field(default=1, ge=1)
    """Compute each step's batch in this many parts, to save memory; the result is the same."""
    precision: Literal["auto", "fp32", "bf16", "bf16-weights"] = "auto"
    """`bf16`: matrix products; `bf16-weights`: all but the optimizer; `auto`: bf16 where measured to be faster."""
    activation_checkpointing: Switch = "auto"
    """Compute activations anew in the backward pass instead of keeping them. `auto`: where memory would not suffice."""
    compile: Switch = False
    """Compile the repeated layers (`torch.compile`). `auto`: where that is known to pay off over so long a job."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model is trained. `auto`: `cuda` where there is one, else `cpu`."""
    strategy: str = "single"
    """Name of the way the job runs. `single`: one process."""
    save_every: int | None = Field(default=None, ge=1)
    """Steps between checkpoints. Default: after every epoch and evaluation, and at the end; tables: as evaluations."""
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
    """Steps between evaluations. Default: once per epoch; tables: at most 20 times in all."""
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
    generate: int = Field(default=0, ge=0)
    """Tasks that write answers: rows of each held-out split to answer, greedily, and to score by `metrics`. 0: none."""
    metrics: Annotated[list[str], BeforeValidator(one_or_many, json_schema_input_type=str | list[str])] = Field(
        default_factory=list
    )
    """Figures of the generated answers (`tunesmith metrics list`). Default: every built-in one but `number_match`."""
    answer_tokens: int = Field(default=128, ge=1)
    """Longest generated answer, in tokens; longer references are counted and told."""
    tokenize: Literal["13a", "intl", "zh", "char", "none"] = "13a"
    """What BLEU and ROUGE count, by sacrebleu's names. `char`, `zh`: for scripts without spaces, as Japanese."""
    sections: ReportParts = Field(default_factory=list)
    """Further sections of the report, in this order, which plugins bring, e.g. `[{name: attributions, rows: 5}]`."""


class Recipe(Section):
    """A job, wholly described: what is learned, from which model and rows, how, and where it goes.

    Relative paths (rows, a model folder, the output) start at the current working directory, also when the
    recipe is a file elsewhere: the same command gives the same job whether the recipe is a file or flags.
    """

    task: str = Field(min_length=1)
    """Name of a task (`tunesmith tasks list`)."""
    model: Annotated[ModelSection, BeforeValidator(bare_name, json_schema_input_type=str | ModelSection)]
    """Where the weights come from: a name, or a section."""
    method: Annotated[MethodSection, BeforeValidator(bare_name, json_schema_input_type=str | MethodSection)] = Field(
        default_factory=MethodSection
    )
    """Which weights move: a name, or a section."""
    objective: Annotated[
        ObjectiveSection, BeforeValidator(bare_name, json_schema_input_type=str | ObjectiveSection)
    ] = Field(default_factory=ObjectiveSection)
    """What is minimized, where the task has a choice: a name, or a section."""
    data: Annotated[DataSection, BeforeValidator(empty)]
    """Which rows, and how their columns map to what the task reads."""
    train: Annotated[TrainSection, BeforeValidator(empty)] = Field(default_factory=TrainSection)
    """The training loop."""
    evaluate: Annotated[EvaluateSection, BeforeValidator(empty)] = Field(default_factory=EvaluateSection)
    """Evaluation during and after training."""
    trackers: Trackers = Field(default_factory=list)
    """Where figures go beside the run folder, e.g. `[tensorboard]` (`tunesmith trackers list`). Default: nowhere."""
    plugins: Annotated[dict[str, Annotated[dict[str, Any], BeforeValidator(empty)]], BeforeValidator(empty)] = Field(
        default_factory=dict
    )
    """Settings of plugins, by the plugin's name, e.g. `{privacy: {epsilon: 8}}` (`tunesmith plugins show NAME`)."""
    output: PathText = Field(min_length=1)
    """The run folder. It must not exist, or be empty: nothing is overwritten."""
