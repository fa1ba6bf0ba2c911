# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Accelerations at work in an engine: found by name, tried, and kept from spoiling an answer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tunesmith.engine.acceleration import Acceleration, Beginning, Guesser, Opening, Prefixes, Underway
from tunesmith.engine.decoder import passes_trial, trial_logits
from tunesmith.errors import ModelError, PluginError

if TYPE_CHECKING:
    from tunesmith.engine.keys_values import KeysValues
    from tunesmith.engine.packing import Packing
    from tunesmith.engine.steps import StepDecoder
    from tunesmith.registry import Registry

__all__ = ["Joined", "accelerate", "find_accelerations", "loaded", "packing_of", "refuse"]

T = TypeVar("T")

_log = logging.getLogger(__name__)


def find_accelerations(names: Sequence[str], registry: Registry) -> list[Acceleration]:
    """One of each name, made with what stands behind its colon.

    Raises:
        NotFoundError: no plugin has an acceleration of that name.
        PluginError: its target cannot be imported, or is something else.
        TunesmithError: it refuses.
    """
    found: list[Acceleration] = []
    for text in names:
        name, _, argument = text.partition(":")
        provided, kind = registry.find("acceleration", name), registry.load("acceleration", name)
        if not (isinstance(kind, type) and issubclass(kind, Acceleration)):
            raise PluginError(
                f"the acceleration {name!r} of the plugin {provided.plugin!r} cannot be used",
                given=f"{provided.spec.target}, a {type(kind).__name__}",
                expected="a subclass of tunesmith.engine.Acceleration",
                fix=f"update or correct the plugin {provided.plugin!r}",
            )
        found.append(kind(argument))
    return found


def refuse(name: str, accelerations: Sequence[str], reason: str) -> None:
    """Where accelerations are asked for.

    Raises:
        ModelError: some are, and the model cannot have any.
    """
    if accelerations:
        raise ModelError(
            f"{name} cannot be accelerated",
            given=f"{', '.join(accelerations)}, though {reason}",
            expected="a Llama-like decoder that the native engine answers for",
            fix="open it without",
        )


@contextmanager
def loaded(parts: Sequence[Acceleration], decoder: StepDecoder) -> Iterator[None]:
    """With what they load in memory. Where that or the block fails, all of them are closed, and the decoder too."""
    try:
        for part in parts:
            part.load()
        yield
    except BaseException:
        Joined(parts, None, None).close()
        decoder.close()
        raise


def accelerate(opening: Opening, parts: Sequence[Acceleration]) -> tuple[StepDecoder, Joined]:
    """What computes in the end, and what is added beside it. Where it fails, everything is closed.

    Raises:
        ModelError: a decoder computes something else than the model, or two accelerations do the same.
        TunesmithError: one of them refuses.
    """
    try:
        for part in parts:
            opening = replace(opening, decoder=_tried(part, opening))
        return opening.decoder, _join(parts, opening)
    except BaseException:
        Joined(parts, None, None).close()
        opening.decoder.close()
        raise


def _tried(part: Acceleration, opening: Opening) -> StepDecoder:
    made = part.decoder(opening)
    if made is not opening.decoder and not passes_trial(made, trial_logits(opening.weights)):
        made.close()
        raise ModelError(
            f"the decoder of {type(part).__name__} does not compute what {opening.name} computes",
            given=f"logits that differ by more than rounding to {made.weights}",
            expected="those of the model",
            fix="open the model without it, and tell the plugin's authors",
        )
    return made


def _join(parts: Sequence[Acceleration], opening: Opening) -> Joined:
    guesser = _only((part.guesser(opening) for part in parts), "guess tokens", opening.name)
    keeper = _only((part.prefixes(opening) for part in parts), "keep beginnings of prompts", opening.name)
    return Joined(parts, guesser, keeper)


def packing_of(parts: Sequence[Acceleration], name: str) -> Packing | None:
    """How weights are held; ``None``: as they are.

    Raises:
        ModelError: two accelerations have a way of their own.
    """
    return _only((part.packing() for part in parts), "hold its weights in a form of their own", name)


def _only(given: Iterable[T | None], what: str, name: str) -> T | None:
    found = [one for one in given if one is not None]
    if len(found) > 1:
        raise ModelError(
            f"two accelerations of {name} {what}",
            given=" and ".join(type(one).__name__ for one in found),
            expected="one at most",
            fix="ask for one of them",
        )
    return found[0] if found else None


class Joined:
    """The guesser and the prefixes of an engine. What fails is logged once and used no more: the answers go on.

    Attributes:
        guesser: ``None``: nobody guesses.
        prefixes: ``None``: nobody keeps beginnings.
    """

    def __init__(self, parts: Sequence[Acceleration], guesser: Guesser | None, prefixes: Prefixes | None) -> None:
        self._parts = parts
        self.guesser, self.prefixes = guesser, prefixes

    def guess(self, answers: Sequence[Underway], rooms: Sequence[int], vocabulary: int) -> list[list[int]]:
        """Guesses that can be verified: as many as there is room for, of ids that exist."""
        if self.guesser is None:
            return [[] for _ in answers]
        try:
            found = [list(one)[:room] for one, room in zip(self.guesser.guess(answers, rooms), rooms, strict=True)]
            wrong = [token for one in found for token in one if not 0 <= token < vocabulary]
            if wrong:
                raise ValueError(f"a token was guessed that does not exist: {wrong[0]}")
            return found
        except Exception:
            self._give_up_guessing()
            return [[] for _ in answers]

    def told(self, answer: Underway, guessed: int, right: int) -> None:
        """As :meth:`Guesser.told`."""
        if self.guesser is not None:
            try:
                self.guesser.told(answer, guessed, right)
            except Exception:
                self._give_up_guessing()

    def ended(self, answer: Underway) -> None:
        """As :meth:`Guesser.ended`."""
        if self.guesser is not None:
            try:
                self.guesser.ended(answer)
            except Exception:
                self._give_up_guessing()

    def restore(self, prompt: Beginning, shared: int, memory: KeysValues, slot: int) -> int:
        """As :meth:`Prefixes.restore`."""
        if self.prefixes is None:
            return 0
        try:
            found = self.prefixes.restore(prompt, shared, memory, slot)
            return min(found, len(prompt.tokens) - 1)  # without its last token an answer could not go on
        except Exception:
            self._give_up_keeping()
            return 0

    def shared(self, beginning: Beginning, memory: KeysValues, slot: int) -> None:
        """As :meth:`Prefixes.shared`."""
        if self.prefixes is not None:
            try:
                self.prefixes.shared(beginning, memory, slot)
            except Exception:
                self._give_up_keeping()

    def close(self) -> None:
        """Close all of them; one that fails holds up no other."""
        for part in self._parts:
            try:
                part.close()
            except Exception:
                _log.exception("%s could not be closed", type(part).__name__)

    def _give_up_guessing(self) -> None:
        _log.exception("guessing of tokens failed; the engine goes on without it")
        self.guesser = None

    def _give_up_keeping(self) -> None:
        _log.exception("keeping beginnings of prompts failed; the engine goes on without it")
        self.prefixes = None
