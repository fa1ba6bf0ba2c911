# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Models without the values of their weights, for whoever only counts: nothing is read and no memory taken. And for
whoever puts them in place part by part (``later.py``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__all__ = ["only_shapes", "shapes_suffice", "weights_later", "weights_may_be_later", "with_real_weights"]

_only: ContextVar[bool] = ContextVar("tunesmith.models.shapes", default=False)
_later: ContextVar[bool] = ContextVar("tunesmith.models.later", default=False)


@contextmanager
def only_shapes() -> Iterator[None]:
    """Within it, models that are loaded have weights of the right shape and type, as PyTorch's fake tensors."""
    from torch._subclasses.fake_tensor import FakeTensorMode  # torch is loaded by whoever needs a model

    token = _only.set(True)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            yield
    finally:
        _only.reset(token)


def shapes_suffice() -> bool:
    """Whether the caller is within :func:`only_shapes`."""
    return _only.get()


@contextmanager
def weights_later() -> Iterator[None]:
    """Within it, models of a folder come without the values of their weights, where it is known how to read these one
    by one; :func:`tunesmith.models.later.later_weights` says which did, and puts them in place. Others come whole:
    untrained ones, and those whose files hold their weights in another form, as merged experts do.
    """
    token = _later.set(True)
    try:
        yield
    finally:
        _later.reset(token)


def weights_may_be_later() -> bool:
    """Whether the caller is within :func:`weights_later`."""
    return _later.get()


def with_real_weights(add: Callable[[], nn.Module]) -> nn.Module:
    """The model that ``add`` makes by adding a few real weights to one that has none; then they have none either.

    peft moves the weights it makes to the device of the others, which fake tensors do not take.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily

    with unset_fake_temporarily():
        model = add()
    for module in model.modules():
        for name, one in list(module.named_parameters(recurse=False)):
            if not isinstance(one, FakeTensor):
                shape = torch.empty(one.shape, dtype=one.dtype)
                setattr(module, name, torch.nn.Parameter(shape, requires_grad=one.requires_grad))
    return model
