# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A loss: the Brier score, which forgives a confident mistake sooner than cross-entropy does (Brier 1950).

Shapes: R rows of a batch, K labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tunesmith.tasks.objectives import Objective

if TYPE_CHECKING:
    import torch

__all__ = ["Brier"]


class Brier(Objective):
    """Squared distance of the probabilities from the truth."""

    terms = ("logits", "labels")  # of those that the tasks offer; nothing else is computed

    def losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        from torch.nn import functional

        logits, labels = terms["logits"], terms["labels"]
        if labels.dim() == 1:  # one label a row, as its index (R,)
            truth = functional.one_hot(labels, logits.shape[-1]).to(logits.dtype)
            return (logits.softmax(-1) - truth).square().sum(-1)
        return (logits.sigmoid() - labels).square().mean(-1)  # any number of labels, as ones (R, K)
