# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A task set up to be looked at: a handful of rows, parsed and encoded, and a tiny random model built for it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from tunesmith.data.rows import Origin, Row
from tunesmith.errors import PluginError
from tunesmith.models import ModelSource, find_model_by_name
from tunesmith.plugin import DatasetSpec, TaskSpec, hookimpl
from tunesmith.recipe.schema import DataSection
from tunesmith.registry import get_registry
from tunesmith.tasks.base import Batch, Encoded, Task
from tunesmith.tasks.rendering import task_name
from tunesmith.testing.findings import SkipCheck, one_line
from tunesmith.testing.installed import plugin_installed
from tunesmith.testing.models import tiny_bert, tiny_llama, tiny_t5

__all__ = ["PLUGIN", "Bench", "served"]

PLUGIN = "tunesmith-testing"
"""Name of the plugin that hands a bench's rows to a job."""

_TEXT = {"bert": tiny_bert, "llama": tiny_llama, "t5": tiny_t5}
_serving: list[Bench] = []


class Bench:
    """One task under test. Each stage is made when it is first asked for; one that fails fails every time.

    Args:
        kind: the task's class.
        rows: labelled rows with the task's own words as columns.
        model: name of a model that it can be built on. Default: the first of a few tiny ones that it takes.
        data: further keys of the recipe's data section.
    """

    def __init__(
        self,
        kind: type[Task[Any, Any]],
        rows: Sequence[Mapping[str, Any]],
        *,
        model: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        self.kind = kind
        self.rows = [Row(dict(values), Origin("row", number)) for number, values in enumerate(rows, start=1)]
        self.data = dict(data or {})
        self._wanted = model

    def new_task(self) -> Task[Any, Any]:
        """A fresh task object, which has seen nothing."""
        return self.kind(DataSection.model_validate({"train": ["(rows of a check)"], **self.data}))

    @contextmanager
    def installed(self) -> Iterator[str]:
        """Within this block jobs can name the rows, and the task, whose name is given."""
        if _serving and _serving[-1] is self:
            yield task_name(self.new_task(), get_registry())  # a block around has done it
            return
        hooks: dict[str, Any] = {"tunesmith_datasets": hookimpl(lambda: [_rows_spec()])}
        try:
            task_name(self.new_task(), get_registry())
        except PluginError:
            target = f"{self.kind.__module__}:{self.kind.__qualname__}"
            spec = TaskSpec(name="checked", summary="The task that is checked", target=target)
            hooks["tunesmith_tasks"] = hookimpl(lambda: [spec])
        _serving.append(self)
        try:
            with plugin_installed(SimpleNamespace(**hooks), name=PLUGIN, alone=False) as registry:
                yield task_name(self.new_task(), registry)
        finally:
            _serving.pop()

    # ---- stages --------------------------------------------------------------------------------

    @cached_property
    def examples(self) -> list[Any]:
        task = self.new_task()
        return [task.parse(row, labelled=True) for row in self.rows]

    @cached_property
    def built(self) -> tuple[Task[Any, Any], nn.Module, str]:
        """The fitted task, its model in evaluation mode, and the name of the model it was built on."""
        refused = []
        for name in [self._wanted] if self._wanted else self._models():
            task = self.new_task()
            task.fit(self.examples)
            try:
                with torch.random.fork_rng([]):
                    torch.manual_seed(0)
                    model = task.build(_source(name))
            except Exception as error:
                refused.append((name, error))
            else:
                return task, model.eval(), name
        if len(refused) == 1:
            raise refused[0][1]
        told = "; ".join(f"{Path(name).name}: {one_line(error)}" for name, error in refused)
        raise RuntimeError(f"none of the tiny models fits; name one that does with model=. {told}") from refused[0][1]

    @cached_property
    def items(self) -> list[Encoded]:
        task, model, _ = self.built
        items = task.encode_all(self.examples)
        task.before_training(model, {"train": items}, device=torch.device("cpu"), precision="fp32")
        return items

    def prepared(self) -> tuple[Task[Any, Any], nn.Module, list[Encoded]]:
        """Task, model and items, for checks of what comes after.

        Raises:
            SkipCheck: they cannot be made; the check ``builds`` tells why.
        """
        try:
            task, model, _ = self.built
            items = self.items
        except Exception as error:
            raise SkipCheck(f"the task cannot be set up, see `builds`: {one_line(error)}") from error
        if not items:
            raise SkipCheck("no row is left to look at: the task encodes none of them")
        return task, model, items

    def _models(self) -> list[str]:
        names = {column.name for column in self.kind.columns}
        if "image" in names:
            return ["scratch:mlp"]
        if names and all(column.target for column in self.kind.columns):
            return ["scratch:tabular-mlp"]
        order = ["llama", "t5", "bert"] if self.kind.generates else ["bert", "llama", "t5"]
        return [*(str(_tiny(name)) for name in order), "scratch:mlp", "scratch:tabular-mlp"]


def outputs_of(task: Task[Any, Any], model: nn.Module, items: Sequence[Encoded]) -> list[Any]:
    """What the model says, one batch for all."""
    batch: Batch = task.collate(items)
    with torch.inference_mode():
        return list(task.outputs(model, batch))


def served(split: str) -> Iterator[Row]:
    """The rows of the bench in use: the target of its dataset. Every split has the same."""
    del split
    yield from _serving[-1].rows


def _rows_spec() -> DatasetSpec:
    target, splits = f"{__name__}:served", ("train", "validation")
    return DatasetSpec(name="rows", summary="Rows of a check", target=target, license="CC0-1.0", splits=splits)


def _source(name: str) -> ModelSource:
    return find_model_by_name(name, get_registry())


@cache
def _folder() -> Path:
    """Of the tiny models of this process; it goes when the process ends."""
    folder = tempfile.mkdtemp(prefix="tunesmith-tiny-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@cache
def _tiny(architecture: str) -> Path:
    return _TEXT[architecture](_folder() / architecture)
