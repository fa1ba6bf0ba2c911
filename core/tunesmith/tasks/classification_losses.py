# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Objectives of classifying: one loss a row, nats.

Where a row may have several labels, each of the K is a decision of its own, and a row's loss is the mean over them.

Shapes: R rows of a batch, K labels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch.nn import functional

from tunesmith.tasks.objectives import Objective

__all__ = ["CrossEntropy", "Focal"]

_CERTAIN = 1e-7  # a miss smaller than this is float32's rounding; powers below 1 of it have no finite slope


class CrossEntropy(Objective):
    """Cross-entropy: minus the log-probability of the true label."""

    terms = ("logits", "labels")

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over all labels (Szegedy et al. 2015, arXiv:1512.00567)."""

    def losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        logits, labels, smoothing = terms["logits"], terms["labels"], self.label_smoothing
        if labels.dim() == 1:
            return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        if smoothing:
            labels = labels * (1 - smoothing) + smoothing / 2  # over the two answers of each decision
        return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(-1)


class Focal(Objective):
    """Focal loss (Lin et al. 2017, arXiv:1708.02002): what the model is already sure of counts less.

    Cross-entropy times (1 - p) to the power of gamma, where p is the probability of the truth; without the paper's
    weights by class (alpha).
    """

    terms = ("logits", "labels")

    gamma: float = Field(default=2.0, ge=0)
    """How fast sure rows fade; 0 is cross-entropy."""

    def losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        logits, labels = terms["logits"], terms["labels"]
        if labels.dim() == 1:
            return self._faded(-functional.cross_entropy(logits, labels, reduction="none"))
        yes, no = self._faded(functional.logsigmoid(logits)), self._faded(functional.logsigmoid(-logits))
        return (labels * yes + (1 - labels) * no).mean(-1)

    def _faded(self, logprobs: torch.Tensor) -> torch.Tensor:
        """The losses of true answers with these log-probabilities."""
        return -((-torch.expm1(logprobs)).clamp(min=_CERTAIN) ** self.gamma) * logprobs
