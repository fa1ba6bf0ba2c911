# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Training rows that are changed at random, anew in every epoch (``data.augment``).

What a row becomes is a function of the seed, the epoch, the row and the place of each transform in the list: every
transform of every row has a stream of random numbers of its own, found by counting and not by drawing (Philox, Salmon
et al. 2011). So no state exists that a checkpoint would have to hold, and the order and the parts in which rows are
computed say nothing about them. Other splits are never changed.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from tunesmith._plugins import Provided
from tunesmith.errors import NotFoundError, PluginError, RecipeError
from tunesmith.plugin import AugmentationSpec
from tunesmith.recipe import Recipe
from tunesmith.recipe.chosen import make_chosen, resolve_chosen
from tunesmith.registry import Registry
from tunesmith.tasks import Transform
from tunesmith.tasks.base import Encoded, Task
from tunesmith.tasks.tally import blank_copy

__all__ = ["Augmentation", "resolve_augmentation"]

_STREAM = 0x617567  # tells these numbers from those of other things that are drawn with the same seed
_REHEARSED = 8


def resolve_augmentation(recipe: Recipe, task: Task[Any, Any], registry: Registry) -> Recipe:
    """``data.augment`` with every value of every transform written out.

    Raises:
        RecipeError: no such transform, one that this task cannot use, or keys and values that it does not take.
        PluginError: a plugin's transform cannot be loaded, or is none.
    """
    asked = recipe.data.augment
    if not asked:
        return recipe
    for place, section in enumerate(asked):
        _check_name(section.name, f"data.augment[{place}]", task, recipe.task, registry)
    resolved = resolve_chosen(asked, "data.augment", "augmentation", Transform, registry)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"augment": resolved})})


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    plugin: str
    transform: Transform


class Augmentation:
    """The transforms of a job, and what becomes of its training items.

    Args:
        recipe: resolved, with at least one transform in ``data.augment``.
        task: built; it is not counted with.
        examples, items: of the training split.
    """

    def __init__(
        self,
        recipe: Recipe,
        task: Task[Any, Any],
        examples: Sequence[Any],
        items: Sequence[Encoded],
        registry: Registry,
    ) -> None:
        self._steps = [
            _Named(
                one.name,
                registry.find("augmentation", one.name).plugin,
                make_chosen(one, "augmentation", Transform, registry),  # type: ignore[type-abstract]
            )
            for one in recipe.data.augment
        ]
        self._seed = recipe.train.seed
        self._task = blank_copy(task)
        self._examples, self._items = examples, items

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        task: Task[Any, Any],
        examples: Sequence[Any],
        items: Sequence[Encoded],
        registry: Registry,
    ) -> Augmentation | None:
        """What a recipe asks for, tried out on a few rows; ``None`` where it asks for nothing.

        Raises:
            PluginError: a plugin's transform fails, or gives what it should not.
        """
        if not recipe.data.augment:
            return None
        found = cls(recipe, task, examples, items, registry)
        for place in range(0, len(items), max(1, len(items) // _REHEARSED)):
            found.item(place, epoch=0)
        return found

    def fact(self) -> str:
        """A line for people."""
        steps = []
        for one in self._steps:
            values = ", ".join(f"{key} {value}" for key, value in one.transform.model_dump(mode="json").items())
            steps.append(f"{one.name} ({values})")
        return f"{', '.join(steps)}; training rows only, anew in every epoch"

    def epoch(self, number: int) -> Sequence[Encoded]:
        """The training items as the 0-based epoch sees them; each is made when it is asked for."""
        return _Epoch(self, number, len(self._items))

    def item(self, place: int, epoch: int) -> Encoded:
        """The item at a place as an epoch sees it.

        Raises:
            PluginError: a transform fails on it.
        """
        item = self._items[place]

        def change(value: Any) -> Any:
            for position, step in enumerate(self._steps):
                value = self._checked(step, value, self._random(epoch, item.row, position), item.row)
            return value

        return self._task.augmented(item, self._examples, change)

    def _random(self, epoch: int, row: int, position: int) -> np.random.Generator:
        # The first word of the counter is what drawing moves; the others tell the streams apart.
        return np.random.Generator(np.random.Philox(key=[self._seed, _STREAM], counter=[0, position, row, epoch]))

    def _checked(self, step: _Named, value: Any, random: np.random.Generator, row: int) -> Any:
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False  # other epochs see the same item
        try:
            found = step.transform(value, random)
        except Exception as error:
            raise self._failed(step, row, f"{type(error).__name__}: {error}") from error
        if isinstance(value, str):
            if not isinstance(found, str):
                raise self._failed(step, row, f"it gave {type(found).__name__} for a text")
            return found if found.strip() else value  # a row is never left without text
        if isinstance(value, np.ndarray):
            if not isinstance(found, np.ndarray):
                raise self._failed(step, row, f"it gave {type(found).__name__} for an array")
            if (found.shape, found.dtype) != (value.shape, value.dtype):
                what = f"it gave {found.dtype} {found.shape} for {value.dtype} {value.shape}"
                raise self._failed(step, row, what)
        return found

    def _failed(self, step: _Named, row: int, what: str) -> PluginError:
        return PluginError(
            f"the transform {step.name!r} of the plugin {step.plugin!r} failed on {self._examples[row].origin}",
            given=what,
            expected="a changed value of the same type and shape",
            fix=[f"update or correct the plugin {step.plugin!r}", "or leave the transform out of data.augment"],
        )


class _Epoch(Sequence[Encoded]):
    def __init__(self, augmentation: Augmentation, number: int, length: int) -> None:
        self._augmentation, self._number, self._length = augmentation, number, length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> Encoded: ...
    @overload
    def __getitem__(self, place: slice) -> list[Encoded]: ...
    def __getitem__(self, place: int | slice) -> Encoded | list[Encoded]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(self._length))]
        return self._augmentation.item(int(place), self._number)


# ---- names and values ------------------------------------------------------------------------------------------------


def _check_name(name: str, key: str, task: Task[Any, Any], task_name: str, registry: Registry) -> None:
    offered = registry.all("augmentation")
    usable = [one for one in offered if _changes(one) == task.augments]
    names = [one.spec.name for one in usable]
    if not usable:
        raise RecipeError(
            f"the rows of task {task_name!r} cannot be changed at random",
            given=f"{key}: {name}",
            expected="no data.augment, or a task with transforms, as text-classification and image-classification",
            fix="leave data.augment out",
        )
    try:
        found = registry.find("augmentation", name)
    except NotFoundError as error:
        near = difflib.get_close_matches(name, [*names, *(one.full_name for one in usable)], n=1)
        fix = [f"did you mean {near[0]!r}?"] if near else []
        fix += [line for line in error.fix if not line.startswith("did you mean")]
        what = error.what if error.what.startswith("more than one") else f"there is no transform {name!r}"
        raise RecipeError(what, given=f"{key}: {name}", expected=" or ".join(names), fix=fix) from error
    if found not in usable:
        raise RecipeError(
            f"the transform {name!r} changes {_changes(found)} rows, and task {task_name!r} has {task.augments} rows",
            given=f"{key}: {name}",
            expected=" or ".join(names),
            fix=f"leave {name} out, or take another transform",
        )


def _changes(one: Provided) -> str:
    return one.spec.changes if isinstance(one.spec, AugmentationSpec) else ""
