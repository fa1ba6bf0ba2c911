# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Next-token losses with logits only where there is a label.

The output layer of a language model is its widest: over a vocabulary of 150,000 it costs a quarter of the work of a
small model and most of its memory. Padding and prompts need no logits, so none are made for them. The model's own
forward does it (``logits_to_keep`` as a mask), so that whatever a model does to its logits (scaling, capping) stays in.
The forward of an encoder-decoder has no such argument: there the output layer is handed the labelled places alone.

Shapes: R rows, L length, V vocabulary, S labelled places of the batch.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tunesmith.tasks.linear_loss import linear_cross_entropy, passing_through, plain_output_layer

__all__ = ["IGNORED", "labelled_logits", "plain_model", "summed_loss", "token_losses"]

IGNORED = -100
"""The label of a place without a loss, as everywhere in torch and transformers."""

# Places whose logits are widened to float32 at once when no gradient is needed: bounds memory, not results.
_PART = 4096


def labelled_logits(
    model: nn.Module, inputs: dict[str, torch.Tensor], labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of the labelled places and their labels.

    Args:
        inputs: keyword arguments of the model's forward.
        labels: int64 (R, L): what comes *after* each place (already shifted), or ``IGNORED``.

    Returns:
        Logits (S, V) in the model's own precision, and labels (S,), row by row.
    """
    wanted = labels != IGNORED
    takes_mask, takes_cache = _forward_takes(type(plain_model(model)).forward)
    options: dict[str, Any] = {"use_cache": False} if takes_cache else {}
    if takes_mask:
        logits = model(**inputs, **options, logits_to_keep=wanted).logits
    elif "decoder_input_ids" in inputs:
        with _output_layer_sees(model, wanted):
            logits = model(**inputs, **options).logits
    else:
        logits = model(**inputs, **options).logits
    return (logits[wanted] if logits.dim() == 3 else logits), labels[wanted]


def summed_loss(model: nn.Module, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """Sum of the cross-entropies over the labelled places: a float32 scalar, nats.

    Where the model's logits are those of a linear layer, layer and loss are computed as one (``linear_loss.py``).
    """
    layer = plain_output_layer(plain_model(model), inputs)
    if layer is None:
        logits, wanted = labelled_logits(model, inputs, labels)
        return functional.cross_entropy(logits.float(), wanted, reduction="sum")
    with passing_through(layer):
        hidden, wanted = labelled_logits(model, inputs, labels)
    return linear_cross_entropy(hidden, layer.weight, layer.bias, wanted)


def token_losses(
    model: nn.Module, inputs: dict[str, torch.Tensor], labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Per row: summed loss float64 (R,), labelled places int64 (R,), places predicted right int64 (R,)."""
    logits, wanted = labelled_logits(model, inputs, labels)
    parts = list(zip(torch.split(logits, _PART), torch.split(wanted, _PART), strict=True))
    losses = torch.cat([functional.cross_entropy(part.float(), goal, reduction="none") for part, goal in parts])
    right = torch.cat([part.argmax(-1) == goal for part, goal in parts])
    rows = (labels != IGNORED).nonzero()[:, 0]
    count = labels.shape[0]
    loss_sums = torch.zeros(count, dtype=torch.float64, device=labels.device).index_add_(0, rows, losses.double())
    return loss_sums, torch.bincount(rows, minlength=count), torch.bincount(rows[right], minlength=count)


def plain_model(model: nn.Module) -> nn.Module:
    """The transformers model under wrappers for several processes and under adapters."""
    while isinstance(inner := getattr(model, "module", None), nn.Module):
        model = inner
    base = getattr(model, "get_base_model", None)
    return base() if callable(base) else model


@contextmanager
def _output_layer_sees(model: nn.Module, wanted: torch.Tensor) -> Iterator[None]:
    """Within the block the output layer is given the hidden states of the wanted places alone, (S, D) for (R, L, D)."""
    layer: Any = plain_model(model).get_output_embeddings()  # type: ignore[operator]

    def select(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0][wanted], *args[1:])

    handle = layer.register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()


@lru_cache(maxsize=64)
def _forward_takes(forward: Callable[..., Any]) -> tuple[bool, bool]:
    """Whether a model's forward takes a mask as ``logits_to_keep``, and whether it takes ``use_cache``.

    The argument alone does not tell: older forwards have it and understand only a number. Those that understand a
    mask leave it to ``slice_logits_to_keep``, which their module then imports.
    """
    parameters = inspect.signature(forward).parameters
    slices = hasattr(sys.modules.get(inspect.unwrap(forward).__module__), "slice_logits_to_keep")
    return "logits_to_keep" in parameters and slices, "use_cache" in parameters
