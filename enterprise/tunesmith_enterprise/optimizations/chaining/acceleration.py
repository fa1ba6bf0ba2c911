# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``enterprise/compiled-decode``: what the engine asks for by name."""

from __future__ import annotations

import logging
from typing import Final

from tunesmith.engine import Acceleration
from tunesmith.engine.acceleration import Opening
from tunesmith.engine.steps import ChainDecoder, StepDecoder
from tunesmith.errors import ModelError
from tunesmith_enterprise.optimizations.chaining.chained import Chained
from tunesmith_enterprise.optimizations.dates import allowed
from tunesmith_enterprise.optimizations.packing.packed import TwelveBits
from tunesmith_enterprise.optimizations.speculation.pace import seconds_of_a_step

__all__ = ["MOST", "CompiledDecode", "steps_of"]

MOST: Final = 8
"""Steps of a chain. What comes in between is divided by as many, and every step that turns out to be of no use is
lost."""

_LONGEST: Final = 0.02
"""Seconds of a chain: so long waits who comes in the meantime. A prompt of some hundred tokens keeps others longer."""

_log = logging.getLogger(__name__)


class CompiledDecode(Acceleration):
    """Weights in less memory, and chains of steps, as many as fit into 20 ms.

    Args:
        argument: none.

    Raises:
        LicenseError: it is not licensed here, and not open to all yet.
        ModelError: an argument was given.
    """

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        self.grant = allowed("compiled-decode")
        self._chained: Chained | None = None
        self._packing = TwelveBits()

    def packing(self) -> TwelveBits:
        """As :meth:`tunesmith.engine.Acceleration.packing`."""
        return self._packing

    def decoder(self, opening: Opening) -> StepDecoder:
        """As :meth:`tunesmith.engine.Acceleration.decoder`.

        Raises:
            ModelError: its steps cannot be chained.
        """
        decoder = opening.decoder
        if not isinstance(decoder, ChainDecoder):
            raise ModelError(
                f"the steps of {opening.name} cannot be chained",
                given=f"steps that {type(decoder).__name__} computes on {decoder.device}",
                expected="steps that are compiled for the processor",
                fix="leave enterprise/compiled-decode out for this model",
            )
        seconds = seconds_of_a_step(decoder, 1, turns=10)  # other work makes it longer, never shorter
        steps = steps_of(seconds)
        if self._packing.before:
            was, now = self._packing.before / 1e6, self._packing.behind / 1e6
            _log.info("%s: weights of %.0f MB take %.0f MB", opening.name, was, now)
        elif decoder.weights != "int8":
            _log.warning(
                "%s: its weights are not those of bf16, so they take the memory that they took "
                "(--weights bf16 rounds them)",
                opening.name,
            )
        if steps < 2:
            level = logging.INFO if self._packing.before else logging.WARNING  # then nothing is gained
            _log.log(level, "%s: a step takes %.0f ms; a chain would keep others waiting", opening.name, seconds * 1e3)
            return decoder
        end: int | None = getattr(opening.tokenizer, "eos_token_id", None)
        self._chained = Chained(decoder, steps, end, longest=_LONGEST)
        return self._chained

    def guesser(self, opening: Opening) -> Chained | None:
        """As :meth:`tunesmith.engine.Acceleration.guesser`."""
        return self._chained


def steps_of(seconds: float) -> int:
    """How many steps of so many seconds make a chain."""
    return min(MOST, int(_LONGEST / seconds))
