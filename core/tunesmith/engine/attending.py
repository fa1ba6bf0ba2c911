# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Attention of one step: which of its tokens belong to which sequence, and what each may look at.

Sequences that add one token (they are being answered) are computed together, padded to the longest of them, where that
is little more than they need; those that add several (their prompt is being read) one by one. The work grows with the
tokens that are cached, never with all sequences against all.

Shapes: N tokens of a step, H query heads, G key-value heads, D head width, L cached tokens of the longest sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.nn import functional as F  # noqa: N812

if TYPE_CHECKING:
    from tunesmith.engine.decoder import Shape
    from tunesmith.engine.keys_values import KeysValues

__all__ = ["Attending", "Span"]

Span: TypeAlias = tuple[int, int, int]
"""Of one sequence: its slot, how many tokens are cached, how many this step adds."""

_WASTE = 2.0  # padded places per needed one, above which sequences are computed one by one


class Attending:
    """The plan of a step, the same for all layers. Made by :meth:`of`."""

    def __init__(self, shape: Shape, parts: Sequence[Span], device: torch.device) -> None:
        self._shape = shape
        self._ones: list[Span] = [part for part in parts if part[2] == 1]
        self._more: list[Span] = [part for part in parts if part[2] > 1]
        self._count = len(self._ones)
        self._masks = [_causal(before, added, device) for _, before, added in self._more]
        self._low = self._high = self._longest = 0
        self._mask: torch.Tensor | None = None
        self._rows = self._slots = self._places = torch.empty(0, dtype=torch.long)
        if self._count > 1:
            self._plan_together(device)

    @classmethod
    def of(cls, shape: Shape, parts: Sequence[Span], device: torch.device) -> Attending:
        """The plan for these sequences.

        Args:
            parts: their tokens lie side by side in this order; those that add one token come first.
        """
        sizes = [added > 1 for _, _, added in parts]
        if sizes != sorted(sizes):
            raise ValueError("sequences that add one token come first")
        return cls(shape, parts, device)

    def _plan_together(self, device: torch.device) -> None:
        slots = [slot for slot, _, _ in self._ones]
        lengths = [before + 1 for _, before, _ in self._ones]
        self._low, self._high, self._longest = min(slots), max(slots) + 1, max(lengths)
        self._slots = torch.tensor(slots, device=device)
        self._places = torch.tensor([length - 1 for length in lengths], device=device)
        if (self._high - self._low) * self._longest > _WASTE * sum(lengths):
            return
        self._rows = self._slots - self._low
        # An idle slot between them looks at its first place: something finite, which nobody reads.
        allowed = torch.ones(self._high - self._low, dtype=torch.long, device=device)
        allowed[self._rows] = torch.tensor(lengths, device=device)
        if min(lengths) < self._longest or len(slots) < self._high - self._low:
            self._mask = (torch.arange(self._longest, device=device) < allowed[:, None])[:, None, None]

    def attend(
        self, layer: int, memory: KeysValues, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """Write keys and values, and mix the values that each token may look at.

        Args:
            layer: whose memory it is.
            queries: (N, H, D).
            keys: (N, G, D).
            values: (N, G, D).

        Returns:
            (N, H · D).
        """
        cached_keys, cached_values = memory.keys[layer], memory.values[layer]
        mixed = torch.empty_like(queries, memory_format=torch.contiguous_format)
        count = self._count
        if count == 1:
            slot, before, _ = self._ones[0]
            cached_keys[slot, :, before] = keys[0]
            cached_values[slot, :, before] = values[0]
            mixed[:1] = self._one(queries[:1], cached_keys[slot], cached_values[slot], before + 1)
        elif count:
            cached_keys[self._slots, :, self._places] = keys[:count]
            cached_values[self._slots, :, self._places] = values[:count]
            mixed[:count] = self._together(queries[:count], cached_keys, cached_values)
        start = count
        for (slot, before, added), mask in zip(self._more, self._masks, strict=True):
            end, length = start + added, before + added
            cached_keys[slot, :, before:length] = keys[start:end].transpose(0, 1)
            cached_values[slot, :, before:length] = values[start:end].transpose(0, 1)
            mixed[start:end] = F.scaled_dot_product_attention(
                queries[start:end].transpose(0, 1)[None],
                cached_keys[slot : slot + 1, :, :length].to(queries.dtype),
                cached_values[slot : slot + 1, :, :length].to(queries.dtype),
                attn_mask=mask,
                is_causal=mask is None,
                enable_gqa=self._shape.heads != self._shape.kv_heads,
            )[0].transpose(0, 1)
            start = end
        return mixed.view(queries.shape[0], -1)

    def _one(self, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, length: int) -> torch.Tensor:
        """One sequence: the heads of a group are queries to its one key head, so nothing is repeated."""
        shape = self._shape
        grouped = query.reshape(1, shape.kv_heads, -1, shape.width)
        mixed = F.scaled_dot_product_attention(
            grouped, keys[None, :, :length].to(query.dtype), values[None, :, :length].to(query.dtype)
        )
        return mixed.reshape(1, shape.heads, shape.width)

    def _together(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        shape, low, high = self._shape, self._low, self._high
        if not len(self._rows):
            each = [
                self._one(queries[row : row + 1], keys[slot], values[slot], before + 1)
                for row, (slot, before, _) in enumerate(self._ones)
            ]
            return torch.cat(each)
        grouped = queries.reshape(len(queries), shape.kv_heads, -1, shape.width)
        spread = torch.zeros(high - low, *grouped.shape[1:], dtype=queries.dtype, device=queries.device)
        spread[self._rows] = grouped
        mixed = F.scaled_dot_product_attention(
            spread,
            keys[low:high, :, : self._longest].to(queries.dtype),
            values[low:high, :, : self._longest].to(queries.dtype),
            attn_mask=self._mask,
        )
        return mixed[self._rows].reshape(len(queries), shape.heads, shape.width)


def _causal(before: int, added: int, device: torch.device) -> torch.Tensor | None:
    """Who may look at whom; ``None`` where the kernel's own triangle is right: nothing is cached yet."""
    if not before:
        return None
    places = torch.arange(before + added, device=device)
    return places[None] <= places[before:, None]
