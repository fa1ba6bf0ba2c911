# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The weights of a model, as the processes of a job compare them, and as they come into place before it is divided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import nn

from tunesmith.models.later import later_weights
from tunesmith.training.heap import give_back_freed

__all__ = ["Weights", "weights_of"]

_AT_ONCE: Final = 2**20
"""Numbers: adding them up makes a copy in eight bytes each."""


class Weights:
    """Of one model. Where they are still in their files, no process needs the memory of all of them.

    Attributes:
        found: those that :meth:`fill` has put in place, described as by :func:`weights_of`.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model, self._later = model, later_weights(model)
        self.found: dict[str, str] = {}

    def there(self) -> dict[str, str]:
        """Those that are in place already, described."""
        named = self._model.named_parameters()
        return _described((name, one) for name, one in named if self._later is None or one not in self._later)

    def fill(self, module: nn.Module) -> None:
        """Put those of a module in place that are not."""
        if self._later is not None:
            give_back_freed()  # by the module before, which was whole: the allocator keeps it, in pieces between parts
            self.found |= _described(self._later.fill(module).items())


def weights_of(model: nn.Module) -> dict[str, str]:
    """Every parameter by its shape and the sum of its bits, which does not depend on the order of the sum."""
    return _described(model.named_parameters())


def _described(named: Iterable[tuple[str, nn.Parameter]]) -> dict[str, str]:
    whole: Mapping[int, torch.dtype] = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    found = {}
    for name, one in named:
        bits = one.detach().contiguous().view(whole.get(one.element_size(), torch.uint8)).flatten()
        total = sum([int(part.sum(dtype=torch.int64)) for part in torch.split(bits, _AT_ONCE)])
        found[f"the weights {name}"] = f"{tuple(one.shape)}, sum of bits {total}"
    return found
