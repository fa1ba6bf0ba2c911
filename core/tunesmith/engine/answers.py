# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What an engine answers with: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Answer", "Choice", "Embeddings", "Generation", "Predictions", "Ranking", "Token", "TokenScore", "Usage"]


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A token that was, or might have been, chosen.

    Attributes:
        id: of the vocabulary.
        bytes: what it stands for; half a character is possible.
        logprob: log-probability under the model, in nats, before penalties, biases, temperature and cuts.
    """

    id: int
    bytes: bytes
    logprob: float

    @property
    def text(self) -> str:
        """The bytes as text; what is no whole character becomes U+FFFD."""
        return self.bytes.decode("utf-8", errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One step of an answer.

    Attributes:
        id: the token.
        text: text that has become certain with it; may be empty (half a character, or the start of a stop string).
        logprob: log-probability under the model, in nats, before penalties, biases, temperature and cuts.
        finish: ``None`` while the choice goes on; ``stop`` (a stop token or string) or ``length`` on its last token.
        choice: which of the answers it belongs to, from 0.
        score: where log-probabilities were asked for, the token with its bytes.
        alternatives: likewise, the likeliest tokens at this place, best first.
    """

    id: int
    text: str
    logprob: float
    finish: str | None = None
    choice: int = 0
    score: TokenScore | None = None
    alternatives: tuple[TokenScore, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a request: of its prompt, of these found in the prefix cache, and of all its answers."""

    prompt_tokens: int
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """One whole answer.

    Attributes:
        text: without stop tokens and stop strings.
        finish: ``stop`` or ``length``.
        tokens: its steps.
    """

    text: str
    finish: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """Of a ``GenerateRequest``: the choices in order, and what they cost."""

    choices: tuple[Choice, ...]
    usage: Usage

    @property
    def text(self) -> str:
        """Of the first choice."""
        return self.choices[0].text


@dataclass(frozen=True, slots=True)
class Predictions:
    """Of a ``PredictRequest``: the task's answer to every row, in order."""

    rows: tuple[Mapping[str, Any], ...]
    usage: Usage = field(default_factory=lambda: Usage(0))


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Of an ``EmbedRequest``: float32 (texts, width), each of length 1."""

    vectors: NDArray[np.float32]
    usage: Usage = field(default_factory=lambda: Usage(0))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Of a ``RankRequest``: a score for every document, in the documents' order; greater is better."""

    scores: tuple[float, ...]
    usage: Usage = field(default_factory=lambda: Usage(0))


Answer: TypeAlias = "Generation | Predictions | Embeddings | Ranking"
