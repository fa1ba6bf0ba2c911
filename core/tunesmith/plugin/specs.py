# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a plugin hands over: inert, frozen descriptions.

A spec names its object as ``"package.module:attribute"``; nothing is imported until somebody uses it,
so listing a hundred plugins costs no more than listing one. Built-ins are described the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "CommandSpec",
    "DatasetSpec",
    "EngineSpec",
    "ModelSpec",
    "ReaderSpec",
    "Spec",
    "StrategySpec",
    "TaskSpec",
]

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*\Z")
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")


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

    name: str
    summary: str
    target: str

    def __post_init__(self) -> None:
        where = f"{type(self).__name__}({self.name!r})"
        if not isinstance(self.name, str) or not _NAME.match(self.name):
            raise ValueError(f"{where}: the name must be lower-case letters, digits, '-', '_' or '.', e.g. 'my-task'")
        if not isinstance(self.summary, str) or not self.summary.strip() or "\n" in self.summary:
            raise ValueError(f"{where}: the summary must be one line of text, given {self.summary!r}")
        if not isinstance(self.target, str) or not _TARGET.match(self.target):
            raise ValueError(f"{where}: the target must look like 'package.module:attribute', given {self.target!r}")


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
    """

    kind: ClassVar[str] = "reader"

    suffixes: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec(Spec):
    """A model by name: weights that come with the package, or an architecture to start from scratch.

    Attributes:
        weights: ``True``: the target is a function ``() -> pathlib.Path``, the model's folder.
            ``False``: the target is a function ``(ScratchOptions) -> PreTrainedModel``, used as
            ``scratch:NAME`` or ``scratch:NAME-SIZE``.
        license: SPDX identifier of the weights' licence (weights only).
    """

    kind: ClassVar[str] = "model"

    weights: bool
    license: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySpec(Spec):
    """Where a job runs; the target is a class with the :class:`tunesmith.training.Strategy` protocol."""

    kind: ClassVar[str] = "strategy"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec(Spec):
    """What answers requests; the target is a class with the :class:`tunesmith.engine.Engine` protocol."""

    kind: ClassVar[str] = "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec(Spec):
    """A command of the ``tunesmith`` program; the target is a ``typer.Typer``.

    Attributes:
        panel: the heading it stands under in ``tunesmith --help``.
    """

    kind: ClassVar[str] = "command"

    panel: str = "Plugins"
