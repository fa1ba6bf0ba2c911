# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a kept beginning belongs to: numbers computed by another model, or otherwise, are never used for this one."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tunesmith.engine.acceleration import Opening
from tunesmith.engine.low_rank import Adapter
from tunesmith_enterprise.optimizations.chaining.chained import Chained
from tunesmith_enterprise.optimizations.processor import processor

if TYPE_CHECKING:
    import torch

__all__ = ["adapter_digest", "identity", "key_of"]

_COMPUTED_BY = ("tunesmith", "torch", "numba", "llvmlite")


def identity(opening: Opening) -> str:
    """In hexadecimal: the model's weights and tokens, how it is computed, and by what.

    It reads all weights: about a second for each 1.5 GB.
    """
    decoder, weights = opening.decoder, opening.weights
    if isinstance(decoder, Chained):  # what was read without chains is as good with them
        decoder = decoder.chains
    facts = [
        "1",
        type(decoder).__qualname__,
        decoder.weights,
        str(decoder.dtype),
        repr(decoder.shape),
        repr(float(weights.epsilon)),
        str(decoder.device),
        platform.machine(),
        processor(),
        *(f"{name} {version(name)}" for name in _COMPUTED_BY),
    ]
    digest = hashlib.sha256("\0".join(facts).encode())
    digest.update(repr(sorted(opening.tokenizer.get_vocab().items())).encode())
    norms = [norm for layer in weights.layers for norm in (layer.norm, layer.mlp_norm)]
    norms += [layer.heads_norm for layer in weights.layers if layer.heads_norm is not None]
    linear = [tensor for one in weights.linear for tensor in one.parameters()]
    _add(digest, [weights.embedding, weights.norm, weights.cos, weights.sin, *norms, *linear])
    return digest.hexdigest()[:32]


def adapter_digest(adapter: Adapter) -> str:
    """In hexadecimal: its weights. It reads all of them."""
    digest = hashlib.sha256()
    for place, parts in sorted(adapter.parts.items()):
        for part in parts:
            digest.update(f"{place} {part.start} {part.end}\0".encode())
            _add(digest, [part.down, part.up])
    return digest.hexdigest()


def key_of(adapter: str, salt: str) -> str:
    """In hexadecimal: who may share a beginning, the same in every process.

    Args:
        adapter: its digest; empty: none.
        salt: of who asks.
    """
    return hashlib.sha256(f"{adapter}\0{salt}".encode("utf-8", "surrogatepass")).hexdigest()


def _add(digest: Any, tensors: Iterable[torch.Tensor]) -> None:
    import torch

    for tensor in tensors:
        whole = tensor.detach().cpu().contiguous()
        digest.update(f"{tuple(whole.shape)} {whole.dtype}\0".encode())
        digest.update(whole.reshape(-1).view(torch.uint8).numpy())
