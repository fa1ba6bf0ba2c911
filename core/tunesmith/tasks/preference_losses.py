# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Objectives of learning from preferences, as functions of log-probabilities: one loss a pair or answer, nats.

Shapes: P pairs, A answers, R rows of either. A log-probability is that of a whole answer, its stop token included: the
sum over its tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from tunesmith.recipe.schema import ObjectiveSection

__all__ = ["dpo_losses", "ipo_losses", "kto_losses", "objective_losses", "orpo_losses"]

Array = np.ndarray[Any, Any]

_CERTAIN = -1e-7  # odds are infinite at a probability of 1; float32 cannot tell it from anything above this


def objective_losses(
    objective: ObjectiveSection, logprobs: torch.Tensor, reference: Array, tokens: Array, desirable: Array | None
) -> torch.Tensor:
    """The losses of a resolved objective, float32: one a row.

    Args:
        objective: with every value it needs.
        logprobs: (R, 2), of the chosen and the rejected answer; ``kto``: of the answer, and of one to another prompt.
        reference: (R, 2), the same before training; zeros for ``orpo``.
        tokens: (R, 2), of the answers.
        desirable: ``kto``: bool (R,).
    """
    beta = objective.beta
    assert beta is not None
    ratios = logprobs - torch.from_numpy(reference).to(logprobs)
    lengths = torch.from_numpy(tokens).to(logprobs)
    if objective.name == "orpo":
        return orpo_losses(logprobs, lengths, beta=beta)
    if objective.name == "ipo":
        return ipo_losses(ratios, lengths, beta=beta)
    if objective.name == "dpo":
        return dpo_losses(ratios, beta=beta, label_smoothing=objective.label_smoothing or 0.0)
    assert desirable is not None
    return kto_losses(
        ratios[:, 0],
        torch.from_numpy(desirable).to(logprobs.device),
        ratios[:, 1].detach().mean().clamp(min=0),
        beta=beta,
        desirable_weight=objective.desirable_weight or 1.0,
        undesirable_weight=objective.undesirable_weight or 1.0,
    )


def dpo_losses(ratios: torch.Tensor, *, beta: float, label_smoothing: float = 0.0) -> torch.Tensor:
    """Direct preference optimization (Rafailov et al. 2023, arXiv:2305.18290), float32 (P,).

    Args:
        ratios: (P, 2), log-probability minus the reference's, of the chosen and of the rejected answer.
        beta: of the implicit reward, beta x ratio.
        label_smoothing: probability that a pair is the wrong way round (Mitchell 2023, "conservative DPO").
    """
    gap = beta * (ratios[:, 0] - ratios[:, 1])
    return -(1 - label_smoothing) * functional.logsigmoid(gap) - label_smoothing * functional.logsigmoid(-gap)


def ipo_losses(ratios: torch.Tensor, lengths: torch.Tensor, *, beta: float) -> torch.Tensor:
    """Identity preference optimization (Azar et al. 2023, arXiv:2310.12036), float32 (P,).

    Ratios are taken per token, as the authors' own and TRL's implementation do, so that long answers weigh no more.

    Args:
        ratios: as of :func:`dpo_losses`.
        lengths: (P, 2), tokens of the answers.
        beta: the regularization; the wanted gap is 1 / (2 beta).
    """
    per_token = ratios / lengths
    return (per_token[:, 0] - per_token[:, 1] - 1 / (2 * beta)).square()


def orpo_losses(logprobs: torch.Tensor, lengths: torch.Tensor, *, beta: float) -> torch.Tensor:
    """Odds ratio preference optimization (Hong et al. 2024, arXiv:2403.07691), float32 (P,); needs no reference.

    The mean loss per token of the chosen answer, plus beta times -log sigmoid of the log odds ratio; the probability
    of an answer is the geometric mean of its tokens'.

    Args:
        logprobs: (P, 2), of the chosen and of the rejected answer.
        lengths: (P, 2), tokens of the answers.
        beta: weight of the second part (lambda in the paper).
    """
    per_token = (logprobs / lengths).clamp(max=_CERTAIN)
    odds = per_token - torch.log(-torch.expm1(per_token))
    return -per_token[:, 0] - beta * functional.logsigmoid(odds[:, 0] - odds[:, 1])


def kto_losses(
    ratios: torch.Tensor,
    desirable: torch.Tensor,
    divergence: torch.Tensor,
    *,
    beta: float,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> torch.Tensor:
    """Kahneman-Tversky optimization (Ethayarajh et al. 2024, arXiv:2402.01306), float32 (A,).

    Args:
        ratios: (A,), log-probability minus the reference's.
        desirable: bool (A,).
        divergence: scalar without a graph: the estimated divergence from the reference, 0 or more.
        beta: of the implicit reward.
        desirable_weight: of the answers to imitate.
        undesirable_weight: of the answers to avoid.
    """
    distance = beta * torch.where(desirable, ratios - divergence, divergence - ratios)
    weights = torch.where(desirable, desirable_weight, undesirable_weight)
    return weights * (1 - torch.sigmoid(distance))
