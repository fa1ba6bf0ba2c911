# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Greedy answers to many prompts at once: prompts of like length share the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tunesmith.data.batches import batch_order
from tunesmith.engine.decoding import Decoding
from tunesmith.engine.sampling import not_a_number

__all__ = ["TokenAnswer", "greedy_answers"]


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """The tokens of an answer.

    Attributes:
        ids: without the stop token.
        finish: ``stop`` when it came to its end, ``length`` when it was cut.
    """

    ids: tuple[int, ...]
    finish: str


def greedy_answers(
    begin: Callable[[list[Sequence[int]]], Decoding],
    prompts: Sequence[Sequence[int]],
    longest: Sequence[int],
    *,
    stop_tokens: frozenset[int],
    tokens_per_batch: int,
) -> list[TokenAnswer]:
    """The likeliest token, again and again, for every prompt; the i-th answer belongs to ``prompts[i]``.

    Called under ``torch.inference_mode``. No random number is drawn.

    Args:
        begin: some prompts to their way through the model.
        longest: the most tokens of each answer, at least 1.
        tokens_per_batch: prompts and longest answers together, padding included.
    """
    answers: list[TokenAnswer | None] = [None] * len(prompts)
    costs = np.asarray([len(prompt) + most for prompt, most in zip(prompts, longest, strict=True)], dtype=np.int64)
    for batch in batch_order(costs, tokens=tokens_per_batch, rows=None, seed=0, epoch=0, shuffle=False):
        places = batch.tolist()
        found = _answer(begin([prompts[place] for place in places]), [longest[place] for place in places], stop_tokens)
        for place, answer in zip(places, found, strict=True):
            answers[place] = answer
    return [answer for answer in answers if answer is not None]


def _answer(decoding: Decoding, longest: Sequence[int], stop_tokens: frozenset[int]) -> list[TokenAnswer]:
    ids: list[list[int]] = [[] for _ in longest]
    finish = ["length"] * len(longest)
    going = list(range(len(longest)))
    logits = decoding.first()
    while True:
        best, tokens = torch.log_softmax(logits.float(), dim=-1).max(dim=-1)  # as one answer alone is chosen
        if bool(best.isnan().any()):
            raise not_a_number()
        kept = []
        for place, (row, token) in enumerate(zip(going, tokens.tolist(), strict=True)):
            if token in stop_tokens:
                finish[row] = "stop"
                continue
            ids[row].append(token)
            if len(ids[row]) < longest[row]:
                kept.append(place)
        if not kept:
            return [TokenAnswer(tuple(one), end) for one, end in zip(ids, finish, strict=True)]
        if len(kept) < len(going):
            rows = torch.tensor(kept, device=tokens.device)
            decoding.keep(rows)
            tokens, going = tokens[rows], [going[place] for place in kept]
        logits = decoding.next(tokens)
