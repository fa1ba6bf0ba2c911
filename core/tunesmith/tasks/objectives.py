# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What an objective is (``objective`` of a recipe), and how a task asks it for losses.

Shapes: R rows of a batch; other letters as the task's terms have them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tunesmith.errors import PluginError, TunesmithError
from tunesmith.recipe.section import Section

if TYPE_CHECKING:
    import torch

    from tunesmith.recipe.schema import ObjectiveSection

__all__ = ["ChosenObjective", "Objective"]


class Objective(Section):
    """What is minimized: one loss a row. A subclass for each; its fields are its keys in a recipe.

    Every field needs a default, so that the name alone is enough. A task hands over *terms*, tensors by name, which it
    lists with their shapes in ``Task.terms``. Losses must follow from the fields and the terms alone: a step may be
    computed in parts, or again.

    Attributes:
        terms: names of the terms it reads; no others are given. A task prepares what is named and nothing else: without
            ``reference``, the task ``preference`` asks no reference model.
        couples: a row's loss depends on the other rows of the step, which are then given together however many parts
            the step has. Only for tasks that can do that (:class:`tunesmith.tasks.coupled.CoupledTask`).
        mixed_precision: where the model runs in bf16, matrix products here may as well, and come out in it. Otherwise
            everything is computed in the precision of the terms.
    """

    terms: ClassVar[tuple[str, ...]]
    couples: ClassVar[bool] = False
    mixed_precision: ClassVar[bool] = False

    @abstractmethod
    def losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The loss of each row: (R,), of the terms' own type (float32 in training) and on their device.

        Evaluation calls it as well, without gradients and possibly from several threads.
        """

    def total(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The sum of the losses, a scalar. Override it where one operation gives it."""
        return self.losses(terms).sum()


@dataclass(frozen=True, slots=True)
class ChosenObjective:
    """An objective in use, asked in a way that names it when it fails.

    Attributes:
        section: its name, and every value.
        plugin: where it comes from.
        objective: of the section's values.
    """

    section: ObjectiveSection
    plugin: str
    objective: Objective

    def reads(self, term: str) -> bool:
        """Whether it reads a term of the task."""
        return term in self.objective.terms

    def losses(self, terms: Mapping[str, torch.Tensor], *, rows: int) -> torch.Tensor:
        """The loss of each row, (R,) for ``rows`` of them.

        Args:
            terms: all of the task's that it reads, at least.

        Raises:
            PluginError: it fails, or gives something else.
        """
        return self._asked(self.objective.losses, terms, (rows,))

    def total(self, terms: Mapping[str, torch.Tensor], *, rows: int) -> torch.Tensor:
        """The sum of the losses, a scalar; as :meth:`losses`."""
        if type(self.objective).total is Objective.total:
            return self.losses(terms, rows=rows).sum()
        return self._asked(self.objective.total, terms, ())

    def _asked(
        self,
        function: Callable[[Mapping[str, torch.Tensor]], torch.Tensor],
        terms: Mapping[str, torch.Tensor],
        shape: tuple[int, ...],
    ) -> torch.Tensor:
        import torch

        given = {name: terms[name] for name in self.objective.terms}
        like = next(tensor for tensor in terms.values() if tensor.is_floating_point())
        try:
            with nullcontext() if self.objective.mixed_precision else torch.autocast(like.device.type, enabled=False):
                found = function(given)
        except (TunesmithError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise self.failed(f"{type(error).__name__}: {error}") from error
        expected = f"{like.dtype} {shape} on {like.device}"
        if not isinstance(found, torch.Tensor):
            raise self.failed(f"it gave {type(found).__name__} for {expected}")
        if (found.shape, found.dtype, found.device) != (shape, like.dtype, like.device):
            raise self.failed(f"it gave {found.dtype} {tuple(found.shape)} on {found.device} for {expected}")
        return found

    def failed(self, what: str) -> PluginError:
        """An error that names plugin and objective."""
        return PluginError(
            f"the objective {self.section.name!r} of the plugin {self.plugin!r} failed",
            given=what,
            expected=f"one finite loss a row, of the terms that its class names ({', '.join(self.objective.terms)})",
            fix=[f"update or correct the plugin {self.plugin!r}", "or choose another objective"],
        )
