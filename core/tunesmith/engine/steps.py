# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a step of continuous batching is, and what computes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import torch

from tunesmith.engine.low_rank import Adapter

if TYPE_CHECKING:
    from tunesmith.engine.decoder import Shape
    from tunesmith.engine.keys_values import KeysValues

__all__ = ["ChainDecoder", "Part", "StepDecoder"]


class Part(NamedTuple):
    """What one sequence adds to a step.

    Attributes:
        slot: where its keys and values are.
        before: how many of its tokens are there.
        tokens: ids that follow them.
        adapter: that is added to the model for it.
    """

    slot: int
    before: int
    tokens: Sequence[int]
    adapter: Adapter | None = None


class StepDecoder(Protocol):
    """Computes steps. One thread uses it."""

    @property
    def shape(self) -> Shape:
        """Sizes of the model."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of keys and values."""
        ...

    @property
    def arithmetic(self) -> torch.dtype:
        """Of hidden states, and so of adapters."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def weights(self) -> str:
        """What linear layers are held in: ``fp32``, ``bf16``, ``fp16`` or ``int8``."""
        ...

    @property
    def nbytes(self) -> int:
        """Of the weights that a step reads, whatever it reads of the embedding."""
        ...

    @property
    def sizes(self) -> Mapping[str, tuple[int, tuple[int, ...]]]:
        """Name of a joined linear layer -> its inputs, and the outputs of each of its parts."""
        ...

    def step(self, memory: KeysValues, parts: Sequence[Part], wanted: Sequence[int]) -> torch.Tensor:
        """Read the tokens of all parts. Their keys and values are written into ``memory``.

        Args:
            memory: keys and values of all sequences.
            parts: those with one token come first.
            wanted: tokens, counted through all parts, whose logits are asked for.

        Returns:
            (R, V), of a float type, for as many as are wanted. It may be overwritten by the next step.
        """
        ...

    def close(self) -> None:
        """Give back threads. May come twice."""
        ...


@runtime_checkable
class ChainDecoder(StepDecoder, Protocol):
    """Computes steps, and several of one sequence in a row without coming back in between."""

    def chain(
        self, memory: KeysValues, part: Part, count: int, *, end: int | None = None
    ) -> tuple[torch.Tensor, list[int]]:
        """Read a token, then the likeliest token behind it, and so on: the steps that greedy decoding would take.

        The logits are those of single steps, to the last bit. Keys and values are written for as many tokens.

        Args:
            memory: keys and values of all sequences.
            part: with one token.
            count: of steps, at least 2.
            end: a token with which the chain ends; it is not read.

        Returns:
            Logits (K, V) of K steps, at most ``count``, which may be overwritten by the next step; and the likeliest
            token of each row, of those alike the first.

        Raises:
            ValueError: another number of tokens or steps, or the slot has no room for them.
        """
        ...
