# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Choosing the next token from the model's logits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tunesmith.engine.constraint import Grammar
from tunesmith.engine.requests import Sampling
from tunesmith.errors import ModelError, TunesmithError

__all__ = ["Chosen", "Sampler", "choose", "compile_choosing", "not_a_number", "settle_sampling"]


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
    """Chooses the tokens of one answer, with a random generator of its own.

    The generator lives on the processor whatever the model's device, so one seed is one sequence of draws; and one
    token takes one draw, whatever else is computed beside it.

    Args:
        sampling: how to choose.
        prompt: token ids, for the repetition penalty.
        grammar: what the answer must belong to.
    """

    def __init__(self, sampling: Sampling, prompt: Sequence[int] = (), grammar: Grammar | None = None) -> None:
        self.sampling = sampling
        self._grammar = grammar
        self._generator = torch.Generator().manual_seed(sampling.seed)
        self._counts: Counter[int] = Counter()
        self._seen = set(prompt) if sampling.repetition_penalty != 1 else set[int]()

    @property
    def draws(self) -> bool:
        """Whether chance has a part in it."""
        return self.sampling.temperature > 0

    @property
    def changes(self) -> bool:
        """Whether logits are changed before a token is chosen."""
        sampling = self.sampling
        penalties = sampling.presence_penalty or sampling.frequency_penalty or sampling.repetition_penalty != 1
        return bool(penalties or sampling.logit_bias or self._grammar is not None)

    @property
    def follows(self) -> bool:
        """Whether what is chosen depends on the tokens before, beyond the logits: by draws made, penalties, grammar."""
        return self.draws or self.changes

    def choose(self, logits: torch.Tensor) -> tuple[int, float]:
        """The next token and its log-probability under the model.

        Args:
            logits: (V,), any float type, any device.

        Raises:
            ModelError: the logits hold no number to choose by.
        """
        chosen = choose(logits[None], [self])[0]
        if isinstance(chosen, TunesmithError):
            raise chosen
        return chosen.token, chosen.logprob

    def accept(self, token: int) -> bool:
        """The answer has gone on with this token; whether nothing may follow it but the end.

        Raises:
            RequestError: the grammar became too costly to follow.
        """
        self._counts[token] += 1
        if self.sampling.repetition_penalty != 1:
            self._seen.add(token)
        return self._grammar is not None and self._grammar.accept(token)

    def change(self, logits: torch.Tensor) -> None:
        """Apply penalties, biases and grammar, in place, to float32 logits (V,).

        Raises:
            RequestError: the grammar became too costly to follow.
        """
        sampling = self.sampling
        if sampling.repetition_penalty != 1 and self._seen:
            seen = torch.tensor(sorted(self._seen), device=logits.device)
            found, rate = logits[seen], sampling.repetition_penalty
            logits[seen] = torch.where(found > 0, found / rate, found * rate)
        if self._counts and (sampling.presence_penalty or sampling.frequency_penalty):
            made = torch.tensor(list(self._counts), device=logits.device)
            counts = torch.tensor(list(self._counts.values()), dtype=logits.dtype, device=logits.device)
            logits[made] -= sampling.presence_penalty + sampling.frequency_penalty * counts
        if sampling.logit_bias:
            tokens, biases = zip(*sampling.logit_bias, strict=True)
            places = torch.tensor(tokens, device=logits.device)
            logits.index_add_(0, places, torch.tensor(biases, dtype=logits.dtype, device=logits.device))
        if self._grammar is not None:
            self._grammar.mask(logits)

    def draw(self, best: _Best, *, uniform: float) -> int | None:
        """A token by the inverse of the cumulative distribution; ``None`` where the best few do not decide.

        Args:
            best: the likeliest tokens.
            uniform: from [0, 1).
        """
        sampling, scores = self.sampling, best.scores
        # The best score becomes 0 first: a tiny temperature must not overflow.
        weights = np.exp((scores - scores[0]) / sampling.temperature)
        kept = len(scores)
        whole = best.all
        mass = best.mass
        if sampling.top_k and (sampling.top_k <= kept or whole):
            kept, whole = min(kept, sampling.top_k), True
            mass = float(weights[:kept].sum())
        elif sampling.top_k:
            return None
        sums = weights.cumsum()
        for cuts, held in (
            (sampling.top_p < 1, (sums[:kept] - weights[:kept]) / mass < sampling.top_p),  # the first always is
            (sampling.min_p > 0, weights[:kept] >= sampling.min_p),
        ):
            if cuts:
                inside = int(held[:kept].sum())
                if inside == kept and not whole:
                    return None
                kept, whole = inside, True
        point = uniform * (float(sums[kept - 1]) if whole else mass)
        place = int(np.searchsorted(sums[:kept], point, side="right"))
        if place == kept and not whole:
            return None
        return int(best.tokens[min(place, kept - 1)])

    def uniform(self) -> float:
        """The next random number, from [0, 1)."""
        return float(torch.rand(1, generator=self._generator, dtype=torch.float64))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A token, its log-probability under the model, and the likeliest tokens with theirs, best first."""

    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class _Best:
    """Likely tokens of one place.

    Attributes:
        scores: float64, falling; equal ones in order of their ids, so that ties fall the same way every time.
        tokens: their ids.
        mass: the sum of exp((score - best) / temperature) over the whole vocabulary.
        all: it is the whole vocabulary.
    """

    scores: NDArray[np.float64]
    tokens: NDArray[np.int64]
    mass: float
    all: bool


_FEW = 64
"""Likeliest tokens that are looked at first. They nearly always decide; to sort a whole vocabulary takes longer
than a step of a small model."""


_LARGE = 4096
"""Vocabulary from which on compiled code pays: a quarter of the time of PyTorch's two passes on one thread, and no
threads of PyTorch's that look for more work while the next step would have their cores."""


def choose(
    logits: torch.Tensor, samplers: Sequence[Sampler], alternatives: Sequence[int] = (), *, compiled: bool = False
) -> list[Chosen | TunesmithError]:
    """The next token of several answers. What goes wrong with one of them is its own: it is in its place of the list.

    Args:
        logits: (R, V), any float type, any device; not changed.
        samplers: one for each row.
        alternatives: how many likely tokens are told of each row. Default: none.
        compiled: let compiled code go over large vocabularies on a processor. Default: PyTorch does, for which nothing
            has to be imported.
    """
    scores = logits.float()
    compiled = compiled and scores.device.type == "cpu" and scores.shape[1] >= _LARGE
    tokens, totals = _summary(scores, compiled)
    changed, failed = _changed(scores, samplers)
    failed |= {row: not_a_number() for row, total in enumerate(totals.tolist()) if math.isnan(total)}
    if changed is not scores:
        tokens = changed.argmax(-1).tolist()
    drawn = [row for row, sampler in enumerate(samplers) if sampler.draws and row not in failed]
    if drawn:
        for row, token in zip(drawn, _draw(changed[drawn], [samplers[row] for row in drawn], compiled), strict=True):
            tokens[row] = token
    logprobs = _picked(scores, tokens, totals)
    told: list[tuple[tuple[int, float], ...]] = [()] * len(tokens)
    if any(alternatives):
        values, ids = (scores - totals[:, None]).topk(min(max(alternatives), scores.shape[1]))
        pairs = [tuple(zip(*row, strict=True)) for row in zip(ids.tolist(), values.tolist(), strict=True)]
        told = [row[:count] for row, count in zip(pairs, alternatives, strict=True)]
    return [
        failed[row] if row in failed else Chosen(token, logprobs[row], told[row]) for row, token in enumerate(tokens)
    ]


def compile_choosing(vocabulary: int) -> None:
    """Compile what :func:`choose` runs over a vocabulary of this size: now, and not while the first answer waits."""
    if vocabulary >= _LARGE:
        choose(torch.zeros(1, _LARGE), [Sampler(Sampling(temperature=1), ())], compiled=True)


def _picked(scores: torch.Tensor, tokens: Sequence[int], totals: torch.Tensor) -> list[float]:
    """The log-probability of the chosen token of each row."""
    if scores.device.type == "cpu":  # numpy begins such small work in a fraction of the time
        found: list[float] = (scores.numpy()[range(len(tokens)), tokens] - totals.numpy()).tolist()
        return found
    picked = scores.gather(1, torch.tensor(tokens, device=scores.device)[:, None])[:, 0]
    listed: list[float] = (picked - totals).tolist()
    return listed


def _summary(scores: torch.Tensor, compiled: bool) -> tuple[list[int], torch.Tensor]:
    """The likeliest token of each row, and the logarithm of the sum of its exponentials."""
    if not compiled:
        return scores.argmax(-1).tolist(), scores.logsumexp(-1)
    from tunesmith.engine.jit.scores import summarize

    best, totals = np.empty(len(scores), np.int64), np.empty(len(scores), np.float64)
    summarize(scores.contiguous().numpy(), best, totals)
    return best.tolist(), torch.from_numpy(totals).float()


def _likeliest(
    scores: torch.Tensor, temperatures: Sequence[float], few: int, compiled: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[float]]:
    """The likeliest tokens of each row, as :func:`tunesmith.engine.jit.scores.likeliest` says."""
    rates = torch.tensor(temperatures, device=scores.device)
    if not compiled:
        values, ids = scores.topk(few)
        masses = ((scores - values[:, :1]) / rates[:, None]).exp().sum(-1).tolist()
        return values.cpu().numpy().astype(np.float64), ids.cpu().numpy(), masses
    from tunesmith.engine.jit.scores import likeliest

    best, tokens = np.empty((len(scores), few), np.float32), np.empty((len(scores), few), np.int64)
    sums = np.empty(len(scores), np.float64)
    likeliest(scores.contiguous().numpy(), rates.numpy(), best, tokens, sums)
    return best.astype(np.float64), tokens, sums.tolist()


def _changed(scores: torch.Tensor, samplers: Sequence[Sampler]) -> tuple[torch.Tensor, dict[int, TunesmithError]]:
    """Logits after penalties, biases and grammars, and the rows where that failed."""
    failed: dict[int, TunesmithError] = {}
    if not any(sampler.changes for sampler in samplers):
        return scores, failed
    changed = scores.clone()
    for row, sampler in enumerate(samplers):
        if sampler.changes:
            try:
                sampler.change(changed[row])
            except TunesmithError as error:
                failed[row] = error
    return changed, failed


def _draw(scores: torch.Tensor, samplers: Sequence[Sampler], compiled: bool) -> list[int]:
    few = min(_FEW, scores.shape[1])
    temperatures = [sampler.sampling.temperature for sampler in samplers]
    best_values, best_ids, masses = _likeliest(scores, temperatures, few, compiled)
    tokens = []
    for row, sampler in enumerate(samplers):
        uniform = sampler.uniform()
        best = _ordered(best_values[row], best_ids[row], masses[row], few == scores.shape[1])
        token = sampler.draw(best, uniform=uniform)
        if token is None:
            every = scores[row].cpu().numpy().astype(np.float64)
            weights = np.exp((every - every.max()) / sampler.sampling.temperature)
            token = sampler.draw(_ordered(every, np.arange(len(every)), float(weights.sum()), True), uniform=uniform)
        assert token is not None
        tokens.append(token)
    return tokens


def _ordered(scores: NDArray[np.float64], tokens: NDArray[np.int64], mass: float, every: bool) -> _Best:
    order = np.lexsort((tokens, -scores))
    return _Best(scores[order], tokens[order], mass, every)


def not_a_number() -> ModelError:
    """Logits that say nothing, in words."""
    return ModelError(
        "the model's output is not a number",
        given="NaN among the logits of the next token",
        expected="finite logits",
        fix="the weights are broken or overflowed: check the training run's loss, or load the model in fp32",
    )
