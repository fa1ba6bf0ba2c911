# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answers that must belong to a language: JSON of a schema, a regular expression, a grammar.

The language is followed by llguidance; here a token it does not allow gets no probability. Its limits bound the work
for a schema made to be costly: such a one is refused, or fails its own request, and no other.

Shapes: V vocabulary.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch

from tunesmith.engine.requests import Constraint
from tunesmith.errors import RequestError

__all__ = ["Grammar", "Grammars"]


class Grammar:
    """One answer's way through a language."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def mask(self, logits: torch.Tensor) -> None:
        """Take the probability of every token that may not come next, in place, from logits (V,)."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        allowed = torch.from_numpy(np.unpackbits(bits, bitorder="little").astype(bool))
        size = min(len(allowed), len(logits))
        logits[:size].masked_fill_(~allowed[:size].to(logits.device), -torch.inf)
        logits[size:] = -torch.inf
        self._raise()

    def accept(self, token: int) -> bool:
        """The answer has gone on with this token; whether nothing may follow it but the end."""
        self._matcher.consume_token(token)
        self._raise()
        return bool(self._matcher.is_stopped())

    def _raise(self) -> None:
        if self._matcher.is_error():
            raise _refused(self._matcher.get_error(), "it became too costly to follow")


class Grammars:
    """Makes grammars for one tokenizer, whose vocabulary is read once, when the first is asked for.

    Args:
        tokenizer: a fast tokenizer.
        vocabulary: V, of the model.
        stop_tokens: ids that may end an answer.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, stop_tokens: frozenset[int]) -> None:
        self._tokenizer, self._vocabulary, self._stops = tokenizer, vocabulary, sorted(stop_tokens)
        self._known: Any = None

    def make(self, constraint: Constraint) -> Grammar:
        """A grammar at its beginning.

        Raises:
            RequestError: the schema, expression or grammar cannot be used, or llguidance is not installed.
        """
        library = self._library()
        if self._known is None:
            self._known = self._read(self._tokenizer, n_vocab=self._vocabulary, eos_token=self._stops or None)
        make = getattr(library.LLMatcher, f"grammar_from_{constraint.kind}")
        # Else a small model that likes white space fills its answer with it.
        more = {"defaults": {"whitespace_flexible": False}} if constraint.kind == "json_schema" else {}
        try:
            matcher = library.LLMatcher(self._known, make(constraint.source, **more), log_level=0)
        except ValueError as error:
            raise _refused(str(error), f"no {constraint.kind}") from error
        if matcher.is_error():
            raise _refused(matcher.get_error(), f"no {constraint.kind} that can be followed")
        return Grammar(matcher)

    def _read(self, tokenizer: Any, **facts: Any) -> Any:
        """The vocabulary as llguidance knows it; engines with tokenizers of another kind have another way."""
        return import_module("llguidance.hf").from_tokenizer(tokenizer, **facts)

    @staticmethod
    def _library() -> Any:
        try:
            return import_module("llguidance")
        except ImportError as error:
            raise RequestError(
                "answers of a given form need the package llguidance",
                parameter="constraint",
                given=str(error),
                expected="llguidance beside tunesmith",
                fix="pip install 'tunesmith[serve]'",
            ) from error


def _refused(message: str, what: str) -> RequestError:
    first = next((line for line in message.splitlines() if line.strip()), "no reason was given")
    return RequestError(
        f"the form of the answer cannot be used: it is {what}",
        parameter="constraint",
        given=first[:300],
        expected="a JSON schema, a regular expression or a Lark grammar that llguidance knows",
        fix="make it simpler",
    )
