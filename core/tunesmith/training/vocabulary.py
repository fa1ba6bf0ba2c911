# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Of the input embedding, only the vectors of tokens that occur take part in training.

Half the weights of a small encoder are its table of token vectors, of a multilingual one two thirds, and a data set
has a few thousand different tokens. The vectors of all others have a gradient of zero for the whole job, yet the table
of gradients is filled with zeros, its norm is taken, and AdamW walks over it, in every step. Here the vectors that
occur are a small table of their own: the same numbers come out, for a fraction of the work and of the memory.

One thing differs: weight decay does not shrink the vectors of tokens that never occur.

Shapes: V vocabulary, U tokens that occur, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tunesmith.tasks.base import Encoded

__all__ = ["OccurringRows", "has_occurring_rows", "train_occurring_rows"]

WORTH_IT = 2**20
"""Numbers in the vectors that do not occur: with fewer there is nothing to gain."""


class OccurringRows(nn.Module):
    """An embedding of which U vectors train.

    ``state_dict`` shows it as the embedding it stands for, ``weight`` and nothing else, with the trained vectors in
    their places; so do answers in evaluation mode.

    Args:
        embedding: to stand in for; its weight is kept, and no longer trains.
        tokens: int64 (U,), ascending.
    """

    def __init__(self, embedding: nn.Embedding, tokens: torch.Tensor) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = embedding.num_embeddings, embedding.embedding_dim
        self.padding_idx = embedding.padding_idx
        self.weight = embedding.weight.requires_grad_(False)
        self.rows = nn.Parameter(embedding.weight.detach()[tokens])
        places = torch.full((self.num_embeddings,), -1, dtype=torch.int64, device=tokens.device)
        places[tokens] = torch.arange(len(tokens), device=tokens.device)
        self.register_buffer("_tokens", tokens, persistent=False)
        self.register_buffer("_places", places, persistent=False)
        self._tokens: torch.Tensor
        self._places: torch.Tensor

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """ids: int64, any shape; the result has an axis D behind it.

        A token that was not announced is read from the full table and learns nothing: padding is such a token.
        """
        if not self.training:
            return functional.embedding(ids, self.folded())
        places = self._places[ids]
        vectors = functional.embedding(places.clamp(min=0), self.rows)
        strange = places < 0
        if strange.any():
            others = functional.embedding(ids, self.weight).to(vectors.dtype)
            vectors = torch.where(strange[..., None], others, vectors)
        return vectors

    @torch.no_grad()
    def folded(self) -> torch.Tensor:
        """The full table, (V, D), with the trained vectors in it."""
        self.weight.index_copy_(0, self._tokens, self.rows.to(self.weight.dtype))
        return self.weight

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        folded = self.folded()
        destination[f"{prefix}weight"] = folded if keep_vars else folded.detach()

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, of which {len(self._tokens)} train"


def train_occurring_rows(model: nn.Module, items: Sequence[Encoded], feature: str | None) -> str | None:
    """Put :class:`OccurringRows` in the place of the input embedding, where that gains something.

    Args:
        model: a transformers model whose weights all train; changed in place.
        items: of the training split.
        feature: of the items, the one with every id the embedding sees in training; ``None`` where no feature has.

    Returns:
        A sentence for people, or ``None`` where nothing was changed: a shared table (as most decoders have) moves as a
        whole, and most tokens may occur.
    """
    find = getattr(model, "get_input_embeddings", None)
    embedding = find() if callable(find) and feature is not None else None
    if type(embedding) is not nn.Embedding or not embedding.weight.requires_grad:
        return None
    if embedding.max_norm is not None or embedding.sparse or embedding.scale_grad_by_freq or _shared(model, embedding):
        return None
    occurs = np.zeros(embedding.num_embeddings, dtype=bool)
    for item in items:
        occurs[item.features[feature or ""]] = True
    if embedding.padding_idx is not None:
        occurs[embedding.padding_idx] = False  # its vector has no gradient either
    used = int(occurs.sum())
    if (embedding.num_embeddings - used) * embedding.embedding_dim < WORTH_IT or not used:
        return None
    tokens = torch.from_numpy(np.flatnonzero(occurs)).to(embedding.weight.device)
    model.set_input_embeddings(OccurringRows(embedding, tokens).train(embedding.training))  # type: ignore[operator]
    return f"{used:,} of {embedding.num_embeddings:,} tokens occur; the vectors of the others stay as they are"


def has_occurring_rows(model: nn.Module) -> bool:
    """Whether checkpoints of the model hold the vectors of some tokens alone."""
    return any(isinstance(module, OccurringRows) for module in model.modules())


def _shared(model: nn.Module, embedding: nn.Embedding) -> bool:
    holders = [
        module
        for module in model.modules()
        if any(weight is embedding.weight for weight in module.parameters(recurse=False))
    ]
    return len(holders) != 1
