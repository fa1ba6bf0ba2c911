# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``enterprise/speculation``: what the engine asks for by name."""

from __future__ import annotations

from typing import Any

from tunesmith.engine import Acceleration
from tunesmith.engine.acceleration import Opening
from tunesmith.engine.keys_values import bytes_per_token
from tunesmith.engine.opening import load_decoder
from tunesmith.engine.steps import StepDecoder
from tunesmith.errors import ModelError
from tunesmith_enterprise.optimizations.dates import allowed
from tunesmith_enterprise.optimizations.speculation.draft import Draft
from tunesmith_enterprise.optimizations.speculation.guessing import Guessing
from tunesmith_enterprise.optimizations.speculation.pace import Costs

__all__ = ["Speculation"]


class Speculation(Acceleration):
    """Guesses by looking back, and by a smaller model where one is named.

    Args:
        argument: a run, a model folder, a named model or a hub id: of the smaller model. Empty: none.

    Raises:
        LicenseError: it is not licensed here, and not open to all yet.
    """

    def __init__(self, argument: str = "") -> None:
        super().__init__()
        self._model = argument
        self._loaded: tuple[StepDecoder, Any] | None = None  # the smaller model, and its tokenizer
        self._draft: Draft | None = None
        self.grant = allowed("speculative-decoding")

    def load(self) -> None:
        """As :meth:`tunesmith.engine.Acceleration.load`.

        Raises:
            ModelError: the smaller model cannot be used.
        """
        if self._model and self._loaded is None:
            self._loaded = load_decoder(self._model, threads=1)

    def bytes_per_slot(self, capacity: int) -> int:
        """As :meth:`tunesmith.engine.Acceleration.bytes_per_slot`."""
        if self._loaded is None:
            return 0
        decoder = self._loaded[0]
        return min(capacity, decoder.shape.context) * bytes_per_token(decoder.shape, decoder.dtype)

    def guesser(self, opening: Opening) -> Guessing:
        """As :meth:`tunesmith.engine.Acceleration.guesser`.

        Raises:
            ModelError: the smaller model cannot be used, or has other tokens.
        """
        self.load()
        draft = None
        if self._loaded is not None:
            draft, tokenizer = self._loaded
            more = draft.shape.vocabulary > opening.decoder.shape.vocabulary
            if more or _words(tokenizer) != _words(opening.tokenizer):
                raise ModelError(
                    f"{self._model} cannot guess for {opening.name}: it has other tokens",
                    given=f"{len(tokenizer):,} tokens, of a vocabulary of {draft.shape.vocabulary:,}",
                    expected=f"the same {len(opening.tokenizer):,} tokens, under the same ids",
                    fix="name a smaller model of the same family, or one that was trained with this tokenizer",
                )
            self._draft = Draft(draft, slots=opening.slots, capacity=opening.capacity)
        return Guessing(Costs.measured(opening.decoder, draft), self._draft)

    def close(self) -> None:
        """As :meth:`tunesmith.engine.Acceleration.close`."""
        if self._loaded is not None:
            self._loaded[0].close()


def _words(tokenizer: Any) -> dict[str, int]:
    words: dict[str, int] = tokenizer.get_vocab()
    return words
