# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Before a model is served: does its engine answer as the model did at the end of its training?

The golden set of a run is asked again, place by place: the prompts must become the same tokens, and the likeliest next
token must be the one that was likeliest then. What is compared, and how far apart it may be, is that of exports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunesmith.engine.protocol import Engine
from tunesmith.engine.requests import OWN, GenerateRequest, Sampling
from tunesmith.errors import ParityError
from tunesmith.evaluate.golden import GOLDEN, Golden
from tunesmith.evaluate.probe import Probe
from tunesmith.export.parity import TOLERANCES, Finding, compare_golden

__all__ = ["check_engine"]

_TOLD = 20  # likeliest tokens that an engine is asked for; the golden set has five
_SECONDS = 120.0


class _EngineProbe(Probe):
    """An engine in the place of a network."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def prompt_ids(self, prompt: str | Sequence[Mapping[str, Any]]) -> list[int]:
        return list(self._engine.tokenize(prompt if isinstance(prompt, str) else tuple(prompt)))

    def logprobs(self, ids: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float32]:
        requests = [
            GenerateRequest(
                prompt=(*ids, *tokens[:place]),
                max_new_tokens=1,
                sampling=Sampling(temperature=0),
                stop_tokens=frozenset(),
                logprobs=_TOLD,
                origin=OWN,
            )
            for place in range(len(tokens))
        ]
        found = [self._engine.submit(request).result(_SECONDS).choices[0].tokens[0] for request in requests]
        size = max([*tokens, *(one.id for token in found for one in token.alternatives)], default=0) + 1
        steps = np.empty((len(tokens), size), dtype=np.float32)
        for step, token in zip(steps, found, strict=True):
            step[:] = min(one.logprob for one in token.alternatives)  # what was not told is no likelier than this
            for one in token.alternatives:
                step[one.id] = one.logprob
        return steps


def check_engine(engine: Engine, run: Path) -> list[Finding]:
    """Hold an engine against the golden set of the run that it serves.

    Args:
        engine: of a model that writes; others answer by the same code as their evaluation, and are not asked.
        run: its folder; one without a golden set, and what is no run, has nothing to be held against.

    Returns:
        What was found; empty where nothing was asked.

    Raises:
        ParityError: it answers otherwise.
        RunError: the golden set is damaged.
    """
    file = run / GOLDEN
    if "generate" not in engine.info.kinds or "token_prompts" not in engine.info.features or not file.is_file():
        return []
    golden = Golden.read(file)
    tolerance = TOLERANCES[engine.info.weights or "bf16"]
    findings = compare_golden(golden, _EngineProbe(engine), tolerance, rendering=False).findings(tolerance)
    wrong = [f"{finding.name}: {finding.detail}" for finding in findings if finding.holds is False]
    if wrong:
        raise ParityError(
            f"{engine.info.name} does not answer as it did when it was trained",
            given="; ".join(wrong),
            expected="the same tokens, and log-probabilities within the tolerance",
            fix=["serve it with --weights fp32", "or, if you know why it differs: --no-check"],
        )
    return findings
