# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Choosing the next token from the model's logits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from tunesmith.engine.requests import Sampling
from tunesmith.errors import ModelError

__all__ = ["Sampler", "not_a_number", "settle_sampling"]


def settle_sampling(
    saved: Mapping[str, Any],
    *,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    seed: int,
    greedy: bool,
) -> Sampling:
    """What was asked for, and where nothing was, what the model's own settings say.

    Args:
        saved: the model's own ``temperature``, ``top_k`` and ``top_p``, as far as it has them.
        temperature: as of :class:`Sampling`; ``None``: not asked for.
        top_k: likewise.
        top_p: likewise.
        seed: of the random draw.
        greedy: always the likeliest token.

    Raises:
        ValueError: a setting out of its range, or ``greedy`` together with settings of a random draw.
    """
    given = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    if greedy:
        clash = [name for name, value in given.items() if value is not None]
        if clash:
            raise ValueError(
                f"greedy draws nothing, so {', '.join(clash)} cannot be given with it; give one or the other"
            )
        return Sampling(temperature=0, seed=seed)
    if saved.get("temperature") == 0 and any(value is not None for value in given.values()):
        saved = {}  # greedy is only where nothing is asked for: top-k of a greedy choice would mean nothing
    chosen = {name: saved.get(name) if value is None else value for name, value in given.items()}
    settings: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    return Sampling(seed=seed, **settings)


class Sampler:
    """Chooses the tokens of one request, with a random generator of its own.

    The generator lives on the processor whatever the model's device, so one seed is one sequence of draws.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator = torch.Generator().manual_seed(sampling.seed)

    def choose(self, logits: torch.Tensor) -> tuple[int, float]:
        """The next token and its log-probability under the model, before temperature, top-k and top-p.

        Args:
            logits: (V,), any float type, any device.

        Raises:
            ModelError: the logits hold no number to choose by.
        """
        if self._sampling.temperature == 0:
            logprobs = torch.log_softmax(logits.float(), dim=-1)
            token = int(logprobs.argmax())
        else:
            logprobs = torch.log_softmax(logits.float().cpu(), dim=-1)
            if logprobs.isnan().any():
                raise not_a_number()
            token = self._draw(logprobs)
        logprob = float(logprobs[token])
        if math.isnan(logprob):
            raise not_a_number()
        return token, logprob

    def _draw(self, logprobs: torch.Tensor) -> int:
        sampling = self._sampling
        # Tokens in order of likelihood; a stable sort, so that ties fall the same way every time.
        scores, tokens = torch.sort(logprobs, descending=True, stable=True)
        if sampling.top_k:
            scores, tokens = scores[: sampling.top_k], tokens[: sampling.top_k]
        # The best score becomes 0 first: a tiny temperature must not overflow.
        weights = torch.exp((scores.double() - scores[0].double()) / sampling.temperature)
        total = weights.cumsum(0)
        if sampling.top_p < 1:
            before = (total - weights) / total[-1]
            kept = int((before < sampling.top_p).sum())  # always the first: nothing stands before it
            total = total[:kept]
        # Inverse of the cumulative distribution: one draw a token, whatever the vocabulary's size.
        point = torch.rand(1, generator=self._generator, dtype=torch.float64) * total[-1]
        place = int(torch.searchsorted(total, point, right=True))
        return int(tokens[min(place, len(total) - 1)])


def not_a_number() -> ModelError:
    """Logits that say nothing, in words."""
    return ModelError(
        "the model's output is not a number",
        given="NaN among the logits of the next token",
        expected="finite logits",
        fix="the weights are broken or overflowed: check the training run's loss, or load the model in fp32",
    )
