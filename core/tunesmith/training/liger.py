# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Liger's fused norms and gated layers (Hsu et al. 2024, arXiv:2410.10989), on a GPU, where the package is installed.

Liger changes two things: the layers of one model, and names in transformers' own modules, which would reach every
other model of the process, those on the processor too, where its kernels cannot run. Only the first is kept here, so
its rotary embedding, a function of such a module, is not used. Its output layer with the loss is not either: ours
(``tasks/linear_loss.py``) computes logits only where there is a label, on every device.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn

from tunesmith.tasks.supervised import plain_model

__all__ = ["use_liger"]

_KERNELS = {
    "rms_norm": True,
    "layer_norm": True,
    "swiglu": True,
    "geglu": True,
    "rope": False,
    "cross_entropy": False,
    "fused_linear_cross_entropy": False,
}


def use_liger(model: nn.Module, device: torch.device) -> str | None:
    """Put Liger's kernels into the layers of ``model``, in place. Names, weights and what is saved stay as they are.

    Returns:
        A line for people; ``None`` where nothing was changed: on a processor, without the package, or for a
        family of models that it does not know.
    """
    if device.type != "cuda":
        return None
    try:
        found = version("liger-kernel")
    except PackageNotFoundError:
        return None
    patches: Any = import_module("liger_kernel.transformers.monkey_patch")
    base = plain_model(model)
    family = getattr(getattr(base, "config", None), "model_type", None)
    if family not in patches.MODEL_TYPE_TO_APPLY_LIGER_FN:
        return None
    with _names_kept(type(base).__module__):
        patches._apply_liger_kernel_to_instance(model=base, **_KERNELS)
    return f"norms and gated layers of Liger {found}"


@contextmanager
def _names_kept(module: str) -> Iterator[None]:
    """The names of a module are afterwards what they were."""
    names = vars(sys.modules[module])
    before = dict(names)
    try:
        yield
    finally:
        names.clear()
        names.update(before)
