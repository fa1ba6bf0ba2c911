# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The sum of all processes' gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import nn

from tunesmith_enterprise.distributed.group import Group

__all__ = ["sum_gradients"]

_SMALL: Final = 65_536
"""Elements. Smaller gradients travel together; larger ones as they are, without being copied."""


def sum_gradients(parameters: Sequence[nn.Parameter], group: Group) -> None:
    """Put the sum over all processes into ``grad`` of each parameter, in float32.

    A parameter that no process has a gradient for keeps none: the optimizer leaves it alone, as in one process.

    Args:
        parameters: that train, in the same order on every process.
    """
    if not parameters:
        return
    having = torch.tensor([float(one.grad is not None) for one in parameters], device=parameters[0].device)
    group.sum(having)
    moved = [one for one, count in zip(parameters, having.tolist(), strict=True) if count]
    for one in moved:
        one.grad = torch.zeros_like(one) if one.grad is None else one.grad.contiguous()
    large = [one for one in moved if one.numel() >= _SMALL and one.dtype == torch.float32]
    apart = {id(one) for one in large}
    small = [one for one in moved if id(one) not in apart]
    packed = [torch.cat([_gradient(one).flatten().float() for one in small])] if small else []
    group.sum(*(_gradient(one) for one in large), *packed)
    if packed:
        parts = torch.split(packed[0], [one.numel() for one in small])
        for one, part in zip(small, parts, strict=True):
            _gradient(one).copy_(part.view_as(one))


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad
