# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a model said of held-out rows, as bytes that another process reads: JSON, and safetensors for numbers.

Nothing is pickled. A dataclass is written by its name and fields, and made again of a class that the reading process
has imported already; numbers come out bit for bit.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import load, save

__all__ = ["UnknownAnswerError", "pack", "unpack"]

_PLAIN: Final = (type(None), bool, int, float, str)
_LENGTH: Final = struct.Struct("<q")


class UnknownAnswerError(TypeError):
    """An answer holds something that has no form here."""


def pack(answers: Sequence[Any]) -> bytes:
    """The answers of some batches.

    Raises:
        UnknownAnswerError: they hold an object that is no number, text, array, tensor, list, tuple, dict or dataclass.
    """
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_plain(list(answers), tensors)).encode()
    packed: bytes = _LENGTH.pack(len(text)) + text + save(tensors)
    return packed


def unpack(packed: bytes) -> list[Any]:
    """The counterpart of :func:`pack`."""
    (length,) = _LENGTH.unpack_from(packed)
    start = _LENGTH.size
    found: list[Any] = _object(json.loads(packed[start : start + length]), load(packed[start + length :]))
    return found


def _plain(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list or kind is tuple:
        return {kind.__name__: [_plain(one, tensors) for one in value]}
    if kind is dict:
        return {"dict": [[_plain(key, tensors), _plain(one, tensors)] for key, one in value.items()]}
    if isinstance(value, torch.Tensor):
        return {"tensor": _kept(value.detach().cpu().contiguous().clone(), tensors)}
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.ascontiguousarray(value)
        if array.dtype.kind in "biuf":
            form = "array" if isinstance(value, np.ndarray) else "number"
            return {form: _kept(torch.from_numpy(array.copy()), tensors), "shape": list(np.shape(value))}
    if dataclasses.is_dataclass(value) and _class(kind.__module__, kind.__qualname__) is kind:
        fields = {one.name: _plain(getattr(value, one.name), tensors) for one in dataclasses.fields(value)}
        return {"dataclass": [kind.__module__, kind.__qualname__], "fields": fields}
    raise UnknownAnswerError(f"{kind.__module__}.{kind.__qualname__}")


def _kept(tensor: torch.Tensor, tensors: dict[str, torch.Tensor]) -> str:
    """``tensor`` has memory of its own: safetensors refuses two that share theirs."""
    name = str(len(tensors))
    tensors[name] = tensor
    return name


def _object(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    if "list" in value:
        return [_object(one, tensors) for one in value["list"]]
    if "tuple" in value:
        return tuple(_object(one, tensors) for one in value["tuple"])
    if "dict" in value:
        return {_object(key, tensors): _object(one, tensors) for key, one in value["dict"]}
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "array" in value:
        return tensors[value["array"]].numpy().reshape(value["shape"])
    if "number" in value:
        return tensors[value["number"]].numpy().reshape(())[()]
    kind = _class(*value["dataclass"])
    if kind is None:
        raise UnknownAnswerError(".".join(value["dataclass"]))
    made: Any = object.__new__(kind)
    for name, one in value["fields"].items():
        object.__setattr__(made, name, _object(one, tensors))  # as it was there: no __post_init__ changes it again
    return made


def _class(module: str, name: str) -> type | None:
    """A dataclass of a module that is imported already; None: there is none."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and dataclasses.is_dataclass(found) else None
