# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A decoder that computes some steps ahead, and tells the engine what comes out of them.

The engine chooses every token itself, from the logits of that very step. What is computed ahead stands in the slot
behind what the engine knows to be there, where wrong guesses stand too. It is used only for the very next step, and
only if that reads the tokens that were reckoned with, in that slot, at that place. Else it is forgotten.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tunesmith.engine.acceleration import Underway
from tunesmith.engine.decoder import Shape
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.steps import ChainDecoder, Part

if TYPE_CHECKING:
    import torch

__all__ = ["Chained"]

_FIRST_REST: Final = 8  # steps without a chain after a guess that was wrong; twice as many after each further one
_LONGEST_REST: Final = 256


@dataclass(frozen=True, slots=True)
class _Kept:
    """Steps that were computed ahead.

    Attributes:
        answer: they are of.
        memory: their keys and values are in.
        part: slot, place, tokens that they read, and adapter.
        rows: (K, V), the logits of each.
        following: the likeliest token behind the last.
    """

    answer: Underway
    memory: KeysValues
    part: Part
    rows: torch.Tensor
    following: int


@dataclass(slots=True)
class _Pace:
    """Of one answer.

    Attributes:
        tried: a chain of two was right, so that longer ones are worth it.
        rest: steps before the next try.
        next_rest: after the next wrong guess.
        recent: seconds of a step, as the last two calls took them: more, the more tokens it looks back at.
    """

    tried: bool = False
    rest: int = 0
    next_rest: int = _FIRST_REST
    recent: tuple[float, float] = (math.inf, math.inf)

    def most(self, seconds: float, steps: int) -> int:
        """How many steps fit into so many seconds, at most so many; other work may have held up one of two calls."""
        fastest = min(self.recent)
        return steps if fastest == math.inf or steps * fastest <= seconds else int(seconds / fastest)

    def took(self, seconds: float) -> None:
        """A step of the last call, on the average."""
        self.recent = self.recent[1], seconds


class Chained:
    """A ``StepDecoder`` and a ``Guesser`` in one.

    Args:
        decoder: computes.
        most: steps of a chain, at least 2.
        end: the token behind which most answers end; None: it is not known.
        longest: seconds of a chain. Default: no limit.
    """

    def __init__(self, decoder: ChainDecoder, most: int, end: int | None = None, *, longest: float = math.inf) -> None:
        import torch  # not before an engine is opened

        self._decoder = decoder
        self._most, self._end, self._longest = most, end, longest
        # Turn about: what was kept in one goes to the engine while the next chain is kept in the other.
        self._rows, self._other_rows = (
            torch.empty(most, decoder.shape.vocabulary, dtype=torch.float32) for _ in range(2)
        )
        self._paces: dict[Underway, _Pace] = {}
        self._kept: _Kept | None = None
        self._asked: tuple[Underway, int] | None = None  # who takes part in the next step alone, and its room

    # ---- the guesser ---------------------------------------------------------------------------------------------

    def guess(self, answers: Sequence[Underway], rooms: Sequence[int]) -> list[list[int]]:
        """What was computed ahead."""
        kept, self._asked = self._kept, None
        if len(answers) != 1:
            self._kept = None
            return [[] for _ in answers]
        answer, room = answers[0], rooms[0]
        pace = self._paces.setdefault(answer, _Pace())
        if pace.rest:
            pace.rest -= 1
            self._kept = None
            return [[]]
        if kept is not None and kept.answer is answer and not _goes_on(answer, kept):
            self.told(answer, 1, 0)  # the very first was chosen otherwise
            kept = None
        if not pace.rest:
            self._asked = answer, room
        if kept is None or kept.answer is not answer:
            self._kept = None
            return [[]]
        # What ends an answer need not be read.
        offered = [*kept.part.tokens[1:], *(() if kept.following == self._end else (kept.following,))]
        return [offered[:room]]

    def told(self, answer: Underway, guessed: int, right: int) -> None:
        """How guesses came out."""
        pace = self._paces.get(answer)
        if pace is None:  # it has ended with them
            return
        if right == guessed:
            pace.tried, pace.next_rest = True, _FIRST_REST
        else:
            pace.tried, pace.rest = False, pace.next_rest
            pace.next_rest = min(2 * pace.next_rest, _LONGEST_REST)

    def ended(self, answer: Underway) -> None:
        """Forget an answer: its slot may be another's from now on."""
        self._paces.pop(answer, None)
        if self._kept is not None and self._kept.answer is answer:
            self._kept = None

    # ---- the decoder ---------------------------------------------------------------------------------------------

    def step(self, memory: KeysValues, parts: Sequence[Part], wanted: Sequence[int]) -> torch.Tensor:
        """As :meth:`tunesmith.engine.steps.StepDecoder.step`."""
        (kept, asked), self._kept, self._asked = (self._kept, self._asked), None, None
        if asked is None or len(parts) != 1 or list(wanted) != list(range(len(parts[0].tokens))):
            return self._decoder.step(memory, parts, wanted)
        part = parts[0]
        if kept is not None and kept.memory is memory and _begins(part, kept.part):
            ready = len(kept.part.tokens)
            if len(part.tokens) <= ready:
                return kept.rows[: len(part.tokens)]
            rows, first = self._rows, ready  # where what is kept stands: the next one goes behind it
            last = part._replace(before=part.before + ready, tokens=part.tokens[ready:])
        elif len(part.tokens) == 1:
            rows, first, last = self._rows, 0, part
        else:  # others' guesses
            return self._decoder.step(memory, parts, wanted)
        answer, room = asked
        pace = self._paces[answer]
        steps = pace.most(self._longest, self._most if pace.tried else 2)
        steps = min(steps, 1 + room - first, memory.capacity - last.before)
        begin = time.perf_counter()
        if steps < 2:
            rows[first] = self._decoder.step(memory, [last], [0])[0]
            pace.took(time.perf_counter() - begin)
            return rows[: first + 1]
        made, likeliest = self._decoder.chain(memory, last, steps, end=self._end)
        pace.took((time.perf_counter() - begin) / len(made))
        rows[first] = made[0]
        if len(made) > 1:
            self._rows, self._other_rows = self._other_rows, self._rows
            self._rows[: len(made) - 1] = made[1:]
            ahead = last._replace(before=last.before + 1, tokens=likeliest[:-1])
            self._kept = _Kept(answer, memory, ahead, self._rows[: len(made) - 1], likeliest[-1])
        return rows[: first + 1]

    def close(self) -> None:
        """As :meth:`tunesmith.engine.steps.StepDecoder.close`."""
        self._kept = None
        self._decoder.close()

    @property
    def chains(self) -> ChainDecoder:
        """What computes; with chains or without, it computes the same."""
        return self._decoder

    @property
    def shape(self) -> Shape:
        """Of the model."""
        return self._decoder.shape

    @property
    def dtype(self) -> torch.dtype:
        """Of keys and values."""
        return self._decoder.dtype

    @property
    def arithmetic(self) -> torch.dtype:
        """Of hidden states."""
        return self._decoder.arithmetic

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._decoder.device

    @property
    def weights(self) -> str:
        """What linear layers are held in."""
        return self._decoder.weights

    @property
    def nbytes(self) -> int:
        """Of the weights that a step reads."""
        return self._decoder.nbytes

    @property
    def sizes(self) -> Mapping[str, tuple[int, tuple[int, ...]]]:
        """Of joined linear layers."""
        return self._decoder.sizes


def _goes_on(answer: Underway, kept: _Kept) -> bool:
    """Whether the engine has chosen what was reckoned with."""
    return len(answer.tokens) == kept.part.before + 1 and answer.tokens[-1] == kept.part.tokens[0]


def _begins(part: Part, ahead: Part) -> bool:
    """Whether a step reads what was computed ahead, or its beginning, and at most one token more."""
    same = (part.slot, part.before) == (ahead.slot, ahead.before) and part.adapter is ahead.adapter
    size = min(len(part.tokens), len(ahead.tokens))
    return same and len(part.tokens) <= len(ahead.tokens) + 1 and list(part.tokens[:size]) == list(ahead.tokens[:size])
