# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Faster ways to the same answers, which plugins add to the native engine for Llama-like models.

An acceleration is asked for by name when an engine is opened (``open_engine(…, accelerate=("PLUGIN/NAME",))``,
``tunesmith serve MODEL --accelerate PLUGIN/NAME``), and hands over what it has then, once. It may do four things: hold
weights in another form, put another decoder in the place of the engine's own, guess tokens that the engine verifies,
keep what was read of prompts.

What an answer is made of stays the engine's: it chooses every token, by its own sampler, from the model's logits. A
guess saves the time of a step where it is what the engine chooses anyway, and is forgotten where it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tunesmith.errors import ModelError

if TYPE_CHECKING:
    from tunesmith.engine.decoder import Decoder
    from tunesmith.engine.keys_values import KeysValues
    from tunesmith.engine.low_rank import Adapter
    from tunesmith.engine.packing import Packing
    from tunesmith.engine.steps import StepDecoder

__all__ = ["Acceleration", "Beginning", "Guesser", "Opening", "Prefixes", "Underway"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The engine that is about to be opened.

    Attributes:
        name: of the model, as clients ask for it.
        model: what was opened: a folder, or a name.
        decoder: what computes; where an earlier acceleration has put another in its place, that one.
        weights: the model's weights as PyTorch has them, joined layer by layer.
        tokenizer: the model's own.
        slots: answers under way at once.
        capacity: tokens of prompt and answer together.
        addressed: a plugin has opened the model, or the model under an adapter, from ``NAME:ADDRESS``, as for one that
            is encrypted: then nothing of it or its prompts is to be left on a disk.
    """

    name: str
    model: str
    decoder: StepDecoder
    weights: Decoder
    tokenizer: Any
    slots: int
    capacity: int
    addressed: bool = False


class Underway(Protocol):
    """One answer that is being made: the same object as long as the answer lasts, and it can be the key of a dict."""

    @property
    def tokens(self) -> Sequence[int]:
        """The prompt and the answer so far; not to be changed."""
        ...


class Guesser(Protocol):
    """Guesses what comes next. The engine's thread calls it, before and behind each step, and waits for it."""

    def guess(self, answers: Sequence[Underway], rooms: Sequence[int]) -> Sequence[Sequence[int]]:
        """The likely next tokens of each answer; an empty sequence where none are worth a try.

        Args:
            answers: all that add a token in this step. One step reads the guesses of all.
            rooms: how many tokens may be guessed of each; 0 is possible.
        """
        ...

    def told(self, answer: Underway, guessed: int, right: int) -> None:
        """So many tokens were guessed of an answer in this step, and the first ``right`` of them were chosen."""
        ...

    def ended(self, answer: Underway) -> None:
        """Nothing more is asked of an answer, for now at least. May come twice."""
        ...


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first tokens of a sequence, and what may share what was computed of them.

    Attributes:
        tokens: ids.
        adapter: that is added to the model.
        salt: of who asks; never shown to another.
    """

    tokens: Sequence[int]
    adapter: Adapter | None
    salt: str


class Prefixes(Protocol):
    """Keeps keys and values of beginnings longer than an engine lives.

    The engine's thread calls it, between steps and without the engine's lock: requests are taken meanwhile, and answers
    under way wait for it.
    """

    def restore(self, prompt: Beginning, shared: int, memory: KeysValues, slot: int) -> int:
        """Write keys and values of the first tokens of a prompt into a slot, if more are kept than are there.

        Args:
            prompt: all but its last token may be restored.
            shared: so many of its tokens are in the memory already.
            memory: keys and values of all sequences.
            slot: where to write; nothing of it may be changed where fewer than ``shared`` are restored.

        Returns:
            How many tokens were written; 0: none.
        """
        ...

    def shared(self, beginning: Beginning, memory: KeysValues, slot: int) -> None:
        """A prompt begins like an earlier sequence and goes on otherwise: what they share, now in this slot."""
        ...


class Acceleration:
    """What a plugin's class derives from. Each method has a default that changes nothing.

    It is made with what stands behind its name: ``PLUGIN/NAME:ARGUMENT``; without a colon with an empty text.

    Args:
        argument: what it means is the class's own to say.

    Raises:
        TunesmithError: it cannot be used so; no model has been loaded yet.
    """

    def __init__(self, argument: str = "") -> None:
        if argument:
            raise ModelError(
                f"the acceleration {type(self).__name__} takes no argument",
                given=argument,
                expected="its name alone",
                fix="leave out the colon and what stands behind it",
            )

    def load(self) -> None:
        """Load what takes memory, as a model of its own: before the engine sees how much is left for answers."""

    def bytes_per_slot(self, capacity: int) -> int:
        """Memory that it takes for each answer under way, beside the engine's own. Asked after :meth:`load`.

        Args:
            capacity: tokens of prompt and answer together.
        """
        return 0

    def packing(self) -> Packing | None:
        """How compiled steps hold weights; ``None``: as they are. Asked for before the engine holds any."""
        return None

    def decoder(self, opening: Opening) -> StepDecoder:
        """What computes steps. Its logits are tried against the model's before it is used."""
        return opening.decoder

    def guesser(self, opening: Opening) -> Guesser | None:
        """What guesses tokens; ``None``: nothing. It is asked for after all decoders."""
        return None

    def prefixes(self, opening: Opening) -> Prefixes | None:
        """What keeps beginnings of prompts; ``None``: nothing. It is asked for after all decoders."""
        return None

    def close(self) -> None:
        """The engine is closed, by its own thread: give back memory, files and threads."""
