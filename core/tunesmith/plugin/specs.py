# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a plugin hands over: inert, frozen descriptions. Those of what serves have a module of their own.

A spec names its object as ``"package.module:attribute"``; nothing is imported until somebody uses it,
so listing a hundred plugins costs no more than listing one. Built-ins are described the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "AugmentationSpec",
    "CommandSpec",
    "DatasetSpec",
    "ExporterSpec",
    "MetricSpec",
    "ModelSpec",
    "ObjectiveSpec",
    "ReaderSpec",
    "RecipeSectionSpec",
    "ReportSectionSpec",
    "Spec",
    "StrategySpec",
    "TaskSpec",
    "TrackerSpec",
    "TransformSpec",
]

NAME_FORM = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*\Z")
"""What a spec or a plugin may be called: ``plugin/name`` must be one clear thing to type."""
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")
_SUFFIX = re.compile(r"(?:\.[a-z0-9_-]+)+(?<!\.gz)\Z")


def _fits(form: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and form.match(value) is not None


def _is_line(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\n" not in value


def _is_texts(value: object) -> bool:
    # A lone text is a sequence of texts too, and the usual slip: ('.xlsx') for ('.xlsx',).
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What every spec says.

    Attributes:
        name: lower-case, digits, ``-``, ``_`` and ``.``; the full name is ``<plugin>/<name>``.
        summary: one line for lists and ``--help``.
        target: ``"package.module:attribute"``, imported on first use.

    Raises:
        ValueError: the name, summary or target has the wrong form.
    """

    kind: ClassVar[str] = "spec"
    name_form: ClassVar[re.Pattern[str]] = NAME_FORM

    name: str
    summary: str
    target: str

    def __post_init__(self) -> None:
        self._check(
            _fits(self.name_form, self.name),
            "the name must be lower-case letters, digits, '-', '_' or '.', e.g. 'my-task'",
            self.name,
        )
        self._check(_is_line(self.summary), "the summary must be one line of text", self.summary)
        self._check(_fits(_TARGET, self.target), "the target must look like 'package.module:attribute'", self.target)

    def _check(self, holds: bool, rule: str, given: object) -> None:
        if not holds:
            raise ValueError(f"{type(self).__name__}({self.name!r}): {rule}, given {given!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec(Spec):
    """A task; the target is a subclass of :class:`tunesmith.tasks.Task`."""

    kind: ClassVar[str] = "task"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSpec(Spec):
    """A file format; the target is a function ``(path, ReadOptions) -> Iterator[Row | Problem]``.

    Attributes:
        suffixes: the file endings it claims, with the dot, lower-case, without ``.gz``; a reader whose
            suffixes are empty is used only by name (``data.format``).
        parts: a file may hold several tables, and ``ReadOptions.part`` says which (``FILE#PART``).
        folders: asked for by name (``data.format``), it is handed a folder as a whole. Its rows name files in there.
        private: what it reads must not lie on a disk: a process that has to do with such a file keeps nothing of rows
            between jobs (``TUNESMITH_CACHE``).
    """

    kind: ClassVar[str] = "reader"

    suffixes: tuple[str, ...] = ()
    parts: bool = False
    folders: bool = False
    private: bool = False

    def __post_init__(self) -> None:
        # Not super(): `slots=True` makes a second class, and the cell of super() still holds the first.
        Spec.__post_init__(self)
        rule = "suffixes must be a tuple of lower-case endings with the dot and without .gz, e.g. ('.xlsx',)"
        self._check(_is_texts(self.suffixes), rule, self.suffixes)
        self._check(all(_SUFFIX.match(suffix) for suffix in self.suffixes), rule, self.suffixes)
        self._check(isinstance(self.parts, bool), "parts must be True or False", self.parts)
        self._check(isinstance(self.folders, bool), "folders must be True or False", self.folders)
        self._check(isinstance(self.private, bool), "private must be True or False", self.private)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec(Spec):
    """A dataset, used as ``dataset:NAME#SPLIT``; the target is ``(split: str) -> Iterator[Row]``.

    Attributes:
        license: SPDX identifier of the data's licence.
        splits: the splits it has.
        task: full or short name of the task it is made for.
    """

    kind: ClassVar[str] = "dataset"

    license: str
    splits: tuple[str, ...] = ("train", "test")
    task: str | None = None

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        self._check(_is_line(self.license), "license must be the SPDX identifier of the data's licence", self.license)
        rule = "splits must be a tuple of at least one name, e.g. ('train', 'test')"
        self._check(_is_texts(self.splits) and all(self.splits) and len(self.splits) > 0, rule, self.splits)
        self._check(self.task is None or _is_line(self.task), "task must be the name of a task", self.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec(Spec):
    """A model by name: weights that come with the package, or an architecture to start from scratch.

    Attributes:
        weights: ``True``: the target is a function ``() -> pathlib.Path``, the model's folder, or see ``addressed``.
            ``False``: the target is a function ``(ScratchOptions) -> PreTrainedConfig``, used as
            ``scratch:NAME`` or ``scratch:NAME-SIZE``; the task chooses the head. For an architecture that
            transformers does not have, the configuration's class says ``model_type`` (the full name with
            ``-`` for ``/``) and ``heads`` (``{"image-classification": "MyNet"}``: classes in its module).
        license: SPDX identifier of the weights' licence (weights only).
        addressed: used as ``NAME:ADDRESS`` (weights only); the target is a function ``(address) ->
            AbstractContextManager[pathlib.Path]``: the folder of a run, model or adapter, there until it is closed.
    """

    kind: ClassVar[str] = "model"

    weights: bool
    license: str | None = None
    addressed: bool = False

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        self._check(isinstance(self.weights, bool), "weights must be True or False", self.weights)
        rule = "license must be the SPDX identifier of the weights' licence"
        self._check(self.license is None or _is_line(self.license), rule, self.license)
        self._check(isinstance(self.addressed, bool), "addressed must be True or False", self.addressed)
        self._check(self.weights or not self.addressed, "addressed is for models with weights", self.addressed)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySpec(Spec):
    """Where a job runs; the target is a class with the :class:`tunesmith.training.Strategy` protocol.

    Attributes:
        projection: ``"package.module:function"``: what a job would need and cost, for ``tunesmith plan --strategy
            NAME``. The function is ``(JobShape, Layout) -> Projection``, all three of :mod:`tunesmith.planning`.
    """

    kind: ClassVar[str] = "strategy"

    projection: str | None = None

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        rule = "projection must look like 'package.module:attribute'"
        self._check(self.projection is None or _fits(_TARGET, self.projection), rule, self.projection)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec(Spec):
    """A figure of generated answers; the target is a function ``(answers, references) -> float``.

    Both are sequences of texts of one length; ``answers[i]`` is what the model wrote, ``references[i]`` what was to be
    written. A function that names them also gets, by keyword, ``examples`` (the task's rows) and ``tokenize`` (of the
    recipe). Before a job starts it is called once with the references as answers. The name may have capitals, as
    ``rougeL`` has.

    Attributes:
        greater_is_better: which way is up.
        tasks: full or short names of the tasks it is made for; empty: every task that writes answers.
    """

    kind: ClassVar[str] = "metric"
    name_form: ClassVar[re.Pattern[str]] = re.compile(NAME_FORM.pattern, re.IGNORECASE)

    greater_is_better: bool = True
    tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        up = self.greater_is_better
        self._check(isinstance(up, bool), "greater_is_better must be True or False", up)
        rule = "tasks must be a tuple of names, e.g. ('chat',); empty for every task that writes answers"
        self._check(_is_texts(self.tasks) and all(self.tasks), rule, self.tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationSpec(Spec):
    """A transform of training rows; the target is a subclass of :class:`tunesmith.tasks.Transform`.

    Attributes:
        changes: what of a row it changes: ``image``, ``text``, or whatever else a plugin's task says it
            augments (``Task.augments``). A recipe may use it with the tasks that say the same.
    """

    kind: ClassVar[str] = "augmentation"

    changes: str

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        rule = "changes must be 'image', 'text', or a task's own word in lower-case letters"
        self._check(_fits(NAME_FORM, self.changes), rule, self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterSpec(Spec):
    """A form in which a model leaves (``tunesmith export --to NAME``); the target is a class with the
    :class:`tunesmith.export.Exporter` protocol.

    Attributes:
        tasks: full or short names of the tasks whose models it can hold; empty: every task.
        quantize: the precisions it offers beside the stored one, e.g. ``("int8",)``.
    """

    kind: ClassVar[str] = "exporter"

    tasks: tuple[str, ...] = ()
    quantize: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        rule = "tasks must be a tuple of names, e.g. ('chat',); empty for every task"
        self._check(_is_texts(self.tasks) and all(self.tasks), rule, self.tasks)
        rule = "quantize must be a tuple of names in lower-case letters, e.g. ('int8',)"
        self._check(_is_texts(self.quantize) and all(map(NAME_FORM.match, self.quantize)), rule, self.quantize)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSpec(Spec):
    """What is minimized (``objective`` of a recipe); the target is a subclass of :class:`tunesmith.tasks.Objective`.

    Attributes:
        tasks: full or short names of the tasks whose terms it takes; at least one.
    """

    kind: ClassVar[str] = "objective"

    tasks: tuple[str, ...]

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        rule = "tasks must be a tuple of at least one task's name, e.g. ('preference',)"
        self._check(_is_texts(self.tasks) and all(self.tasks) and len(self.tasks) > 0, rule, self.tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformSpec(Spec):
    """A change of rows before a task reads them (``data.transform``); the target is a subclass of
    :class:`tunesmith.data.RowTransform`.
    """

    kind: ClassVar[str] = "transform"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSpec(Spec):
    """Where the figures of a run go beside its folder (``trackers``); the target is a subclass of
    :class:`tunesmith.training.Tracker`.
    """

    kind: ClassVar[str] = "tracker"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSectionSpec(Spec):
    """A part of a run's report (``evaluate.sections``); the target is a subclass of
    :class:`tunesmith.evaluate.ReportSection`.

    Attributes:
        tasks: full or short names of the tasks it can say something about; empty: every task.
    """

    kind: ClassVar[str] = "report_section"

    tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        rule = "tasks must be a tuple of names, e.g. ('chat',); empty for every task"
        self._check(_is_texts(self.tasks) and all(self.tasks), rule, self.tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSectionSpec(Spec):
    """A plugin's own settings in a recipe, under ``plugins.<plugin>``; the target is a subclass of
    :class:`tunesmith.recipe.Section` whose fields all have defaults. The name is that of the plugin itself.
    """

    kind: ClassVar[str] = "recipe_section"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec(Spec):
    """A command of the ``tunesmith`` program; the target is a ``typer.Typer``.

    Attributes:
        panel: the heading it stands under in ``tunesmith --help``.
    """

    kind: ClassVar[str] = "command"

    panel: str = "Plugins"

    def __post_init__(self) -> None:
        Spec.__post_init__(self)
        self._check(_is_line(self.panel), "panel must be one line of text", self.panel)
