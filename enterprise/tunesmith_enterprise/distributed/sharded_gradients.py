# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The norm of a gradient of which every process holds parts, and making it shorter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from tunesmith_enterprise.distributed.group import Group

__all__ = ["clip_sharded", "local", "sharded_norm"]


def local(tensor: torch.Tensor) -> torch.Tensor:
    """What this process holds of it."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def sharded_norm(moving: Sequence[nn.Parameter], group: Group) -> torch.Tensor:
    """Of the whole gradient: every number counts once, however many processes hold it. One sum over all of them.

    Args:
        moving: parameters with a ``grad``, the same on every process.
    """
    gradients = [cast("torch.Tensor", one.grad) for one in moving]
    norms = torch.stack(torch._foreach_norm([local(one).float() for one in gradients]))
    copies = torch.tensor([_copies(one, group.world) for one in gradients], device=norms.device)
    total = (norms.double() ** 2 / copies).sum()
    group.sum(total)
    return total.sqrt().float()


def clip_sharded(moving: Sequence[nn.Parameter], limit: float, norm: torch.Tensor) -> None:
    """Shorten a gradient of ``norm`` to ``limit``, as ``torch.nn.utils.clip_grads_with_norm_`` does."""
    factor = torch.clamp(limit / (norm + 1e-6), max=1.0)
    torch._foreach_mul_([local(cast("torch.Tensor", one.grad)) for one in moving], factor)


def _copies(gradient: torch.Tensor, world: int) -> int:
    """How many processes hold the same numbers of it."""
    if not isinstance(gradient, DTensor):
        return world
    mesh = gradient.device_mesh
    apart = math.prod(mesh.size(axis) for axis, one in enumerate(gradient.placements) if not one.is_replicate())
    return world // apart
