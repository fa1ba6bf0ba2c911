# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Objectives of learning from preferences, and the functions behind them: one loss a pair or answer, nats.

Shapes: P pairs, A answers, R rows of either. A log-probability is that of a whole answer, its stop token included: the
sum over its tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch.nn import functional

from tunesmith.tasks.objectives import Objective

__all__ = [
    "Dpo",
    "Ipo",
    "Kto",
    "Orpo",
    "PreferenceObjective",
    "dpo_losses",
    "ipo_losses",
    "kto_losses",
    "orpo_losses",
]

_CERTAIN = -1e-7  # odds are infinite at a probability of 1; float32 cannot tell it from anything above this


class PreferenceObjective(Objective):
    """What those of two answers have in common: the reward of an answer, which ``beta`` scales."""

    beta: float = Field(default=0.1, gt=0)
    """How firmly answers are pushed apart; the default is that of the papers' experiments."""


class Dpo(PreferenceObjective):
    """The chosen answer's log-ratio to the reference is to be greater than the rejected one's."""

    terms = ("logprobs", "reference")

    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """The share of pairs that may be the wrong way round."""

    def losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return dpo_losses(_ratios(terms), beta=self.beta, label_smoothing=self.label_smoothing)


class Ipo(PreferenceObjective):
    """The log-ratios per token are to differ by 1 / (2 beta), and no more."""

    terms = ("logprobs", "reference", "lengths")

    def losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return ipo_losses(_ratios(terms), terms["lengths"], beta=self.beta)


class Orpo(PreferenceObjective):
    """The chosen answer is learned, and its odds are to be greater than the rejected one's; without a reference."""

    terms = ("logprobs", "lengths")

    def losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return orpo_losses(terms["logprobs"], terms["lengths"], beta=self.beta)


class Kto(PreferenceObjective):
    """Answers that are good or bad by themselves, against how far the model has moved on the whole."""

    terms = ("logprobs", "reference", "desirable")
    couples = True

    desirable_weight: float = Field(default=1.0, gt=0)
    """Weight of the answers to imitate."""
    undesirable_weight: float = Field(default=1.0, gt=0)
    """Weight of the answers to avoid."""

    def losses(self, terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        ratios = _ratios(terms)
        return kto_losses(
            ratios[:, 0],
            terms["desirable"],
            ratios[:, 1].detach().mean().clamp(min=0),
            beta=self.beta,
            desirable_weight=self.desirable_weight,
            undesirable_weight=self.undesirable_weight,
        )


def _ratios(terms: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Log-probabilities minus the reference's, (R, 2)."""
    return terms["logprobs"] - terms["reference"]


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
