# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Models whose weights are still in their files, for whoever puts them in place part by part.

A model that is to be divided among processes need not be whole in any of them. Within
:func:`tunesmith.models.shapes.weights_later`, the weights of a model folder are stand-ins of the right shape and type
that take no memory. :class:`LaterWeights` knows which tensor of which file each one stands for, and puts the values of
a module in place when they are asked for: the same bits that loading gives.

A stand-in is not a number everywhere. Whoever computes with one by mistake gets no number either, and never a result
that looks like one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from torch import nn

__all__ = ["LaterWeights", "StandIns", "later_weights"]

_FILE: Final = "model.safetensors"


def later_weights(model: Any) -> LaterWeights | None:
    """What puts the weights of a model in place; None: they are there."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    found = getattr(base, "_tunesmith_later", None)
    return found if isinstance(found, LaterWeights) else None


class StandIns:
    """One for every tensor in the files of a model, by name.

    Args:
        folder: with ``model.safetensors``, or the index of several files.
    """

    def __init__(self, folder: Path) -> None:
        index = folder / f"{_FILE}.index.json"
        if (folder / _FILE).is_file():
            files = {_FILE}
        else:
            files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        self.tensors: dict[str, torch.Tensor] = {}
        self._places: dict[int, tuple[Path, str]] = {}
        for file in sorted(files):
            with safe_open(folder / file, framework="pt") as found:
                for name in found.keys():  # noqa: SIM118 - not a mapping
                    part = found.get_slice(name)
                    shape = part.get_shape()
                    empty = part[...] if not shape else part[:0]
                    one = _stand_in(shape, torch.float32 if empty.is_floating_point() else empty.dtype)
                    self.tensors[name] = one
                    self._places[one.data_ptr()] = (folder / file, name)

    def adopted(self, model: nn.Module) -> LaterWeights | None:
        """What puts the values in the place of those that a model has now; None: some were put together, turned or
        copied, so that it is not known how. Buffers get theirs at once: they are small.
        """
        if not all(type(one).__name__ == "WeightRenaming" for one in getattr(model, "_weight_conversions", None) or ()):
            return None
        later = LaterWeights()
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            place = self._places.get(tensor.data_ptr()) if tensor.numel() else None
            if place is None:
                if tensor.is_floating_point() and bool(tensor.isnan().any()):  # made of stand-ins
                    return None
                continue
            if tensor.shape != self.tensors[place[1]].shape:
                return None
            if isinstance(tensor, nn.Parameter):
                later._places[tensor] = (*place, name)
            else:
                tensor.data = _read(*place, tensor)
        return later


class LaterWeights:
    """Which parameter of a model is which tensor of its files."""

    def __init__(self) -> None:
        self._places: dict[nn.Parameter, tuple[Path, str, str]] = {}

    def __len__(self) -> int:
        """How many are not in place."""
        return len(self._places)

    def __contains__(self, parameter: object) -> bool:
        return parameter in self._places

    def fill(self, module: nn.Module) -> Mapping[str, nn.Parameter]:
        """Put the weights of a module, and of those in it, in place, each in memory of its own, where the stand-in was:
        on the processor. This object then forgets them.

        Returns:
            Those that were put in place, by their names in the model that was loaded.
        """
        filled: dict[str, nn.Parameter] = {}
        for parameter in module.parameters():
            place = self._places.pop(parameter, None)
            if place is not None:
                file, key, name = place
                parameter.data = _read(file, key, parameter)
                filled[name] = parameter
        return filled

    @contextmanager
    def while_computing(self, model: nn.Module) -> Iterator[None]:
        """Within it the model can compute, forward, without ever being whole: each layer reads its weights, and gives
        them back. Slow. Weights that are used outside of their own layer are not there.
        """
        hooks = []
        for module in model.modules():
            own = [one for one in module.parameters(recurse=False) if one in self._places]
            if own:
                hooks.append(module.register_forward_pre_hook(lambda *_, own=own: self._lend(own)))
                hooks.append(module.register_forward_hook(lambda *_, own=own: self._take_back(own)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._take_back([one for one in self._places if one.untyped_storage().nbytes() > one.element_size()])

    def _lend(self, parameters: list[nn.Parameter]) -> None:
        for one in parameters:
            one.data = _read(*self._places[one][:2], one)

    def _take_back(self, parameters: list[nn.Parameter]) -> None:
        for one in parameters:
            one.data = _stand_in(one.shape, one.dtype)


def _stand_in(shape: Any, dtype: torch.dtype) -> torch.Tensor:
    value = float("nan") if dtype.is_floating_point else 0
    return torch.full((), value, dtype=dtype).expand(*shape)


def _read(file: Path, key: str, like: torch.Tensor) -> torch.Tensor:
    """A tensor of a file in memory of its own, in the type of ``like``."""
    with safe_open(file, framework="pt") as found:
        return torch.empty(like.shape, dtype=like.dtype).copy_(found.get_tensor(key))
