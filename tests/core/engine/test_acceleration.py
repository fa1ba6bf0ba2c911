# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a plugin adds to an engine: guesses, another decoder; and what becomes of its mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tunesmith.engine import (
    Acceleration,
    Constraint,
    Sampling,
    generating,
    opening,
)
from tunesmith.engine.acceleration import Opening
from tunesmith.engine.opening import load_decoder
from tunesmith.errors import ModelError, NotFoundError, PluginError, TooLargeError
from tunesmith.testing import tiny_llama

from .accelerations import PROMPT, ask, opening_with, said


class Guesses:
    """A guesser of the tests' own: knows what the answers are, and is wrong where it is told to be."""

    def __init__(self) -> None:
        self.answers: dict[tuple[int, ...], list[int]] = {}  # prompt -> what follows
        self.wrong_at: int | None = None
        self.told_of: list[tuple[int, int]] = []
        self.over = 0

    def guess(self, answers: Sequence[Any], rooms: Sequence[int]) -> list[list[int]]:
        return [self.one(tuple(answer.tokens), room) for answer, room in zip(answers, rooms, strict=True)]

    def one(self, tokens: tuple[int, ...], room: int) -> list[int]:
        for prompt, follows in self.answers.items():
            if tokens[: len(prompt)] == prompt:
                rest = follows[len(tokens) - len(prompt) :][: min(room, 4)]
                if self.wrong_at is not None:
                    rest = [token ^ (place == self.wrong_at) for place, token in enumerate(rest)]
                return rest
        return []

    def told(self, answer: Any, guessed: int, right: int) -> None:
        self.told_of.append((guessed, right))

    def ended(self, answer: Any) -> None:
        self.over += 1


class Guessing(Acceleration):
    made: Guesses

    def guesser(self, opening: Opening) -> Guesses:
        Guessing.made = Guesses()
        return Guessing.made


class Failing(Acceleration):
    def guesser(self, opening: Opening) -> Any:
        def guess(answers: Any, rooms: Any) -> Any:
            raise RuntimeError("no idea")

        return SimpleNamespace(guess=guess)


class Inventing(Acceleration):
    def guesser(self, opening: Opening) -> Any:
        return SimpleNamespace(guess=lambda answers, rooms: [[10**6]] * len(answers), ended=lambda answer: None)


class Wrong(Acceleration):
    """Puts a decoder in the place of the engine's own that computes something else."""

    def decoder(self, opening: Opening) -> Any:
        class Doubling:
            def __getattr__(self, name: str) -> Any:
                return getattr(opening.decoder, name)

            def step(self, *arguments: Any) -> torch.Tensor:
                return 2 * opening.decoder.step(*arguments)

        return Doubling()


class Counting(Acceleration):
    """The engine's own decoder, whose steps are counted; told when it is closed."""

    steps: list[int]
    closed = 0

    def decoder(self, opening: Opening) -> Any:
        sizes = Counting.steps = []

        class Counted:
            def __getattr__(self, name: str) -> Any:
                return getattr(opening.decoder, name)

            def step(self, memory: Any, parts: Any, wanted: Any) -> torch.Tensor:
                sizes.append(sum(len(part.tokens) for part in parts))
                return opening.decoder.step(memory, parts, wanted)

        return Counted()

    def close(self) -> None:
        Counting.closed += 1


class Heavy(Acceleration):
    """Takes as much memory for each answer as it is told to, or fails when it loads."""

    each = 0
    did: list[str]

    def load(self) -> None:
        Heavy.did = ["loaded"]
        if self.each < 0:
            raise ModelError("it cannot be loaded")

    def bytes_per_slot(self, capacity: int) -> int:
        Heavy.did.append(f"asked for {capacity} tokens")
        return self.each

    def close(self) -> None:
        Heavy.did.append("closed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama") / "little")


@pytest.fixture
def opened(folder: Path) -> Iterator[Any]:
    """Opens an engine with accelerations of this file."""
    with opening_with(folder, Guessing, Failing, Inventing, Wrong, Counting, Heavy, Guesses) as opens:
        yield opens


REQUESTS = {
    "greedy": ask(),
    "drawn": ask(sampling=Sampling(seed=5, temperature=1.5)),
    "drawn from the best": ask(sampling=Sampling(seed=6, temperature=2, top_k=20, top_p=0.9)),
    "penalties": ask(sampling=Sampling(temperature=0, repetition_penalty=1.3, frequency_penalty=0.4)),
    "log-probabilities": ask(logprobs=3),
    "constraint": ask(constraint=Constraint("regex", "(ab|cd)+e")),
    "stop strings": ask(stop_strings=("e", "qu")),
    "choices": ask(choices=3, sampling=Sampling(seed=9, temperature=1.2)),
}


@pytest.mark.parametrize("wrong_at", [None, 0, 2], ids=["right", "wrong at once", "wrong in the middle"])
def test_answers_are_the_same_whatever_is_guessed(opened: Any, wrong_at: int | None) -> None:
    plain, guessed = opened(), opened("guessing")
    guesses = Guessing.made
    guesses.wrong_at = wrong_at
    for name, request in REQUESTS.items():
        if request.constraint is not None:
            pytest.importorskip("llguidance", reason="needs the extra serve")
        expected = said(plain, request)
        guesses.answers = {PROMPT: [token.id for token in expected[0][0].tokens]}
        assert said(guessed, request) == expected, name
    assert guesses.told_of
    assert any(right for _, right in guesses.told_of) == (wrong_at != 0)


def test_right_guesses_save_steps_and_wrong_ones_do_not(opened: Any) -> None:
    engine = opened("counting", "guessing")
    Counting.steps.clear()  # those of the trial
    ids = [token.id for token in said(engine, ask())[0][0].tokens]
    assert Counting.steps.count(1) == 23  # the prompt gives the first
    Counting.steps.clear()
    Guessing.made.answers = {PROMPT: ids}
    said(engine, ask())
    assert Counting.steps == [5, 5, 5, 5, 4]  # the prompt's last token is read with guesses too
    Guessing.made.wrong_at, Guessing.made.told_of[:] = 0, []
    Counting.steps.clear()
    said(engine, ask())
    assert len(Counting.steps) == 24
    assert {right for _, right in Guessing.made.told_of} == {0}
    stats = engine.stats()
    assert (stats.guessed_tokens, stats.right_tokens) == (19 + 86, 19)


def test_company_changes_nothing(opened: Any) -> None:
    requests = [
        ask(tuple((7 * n + k) % 80 for n in range(4 + 9 * k)), sampling=Sampling(seed=k, temperature=k % 2 * 1.5))
        for k in range(6)
    ]
    plain, guessed = opened(prompt_tokens=8), opened("guessing", prompt_tokens=8)
    expected = said(plain, *requests)
    for request, choices in zip(requests, expected, strict=True):
        Guessing.made.answers[tuple(request.prompt)] = [token.id for token in choices[0].tokens]  # type: ignore[arg-type]
    Guessing.made.wrong_at = 3
    assert said(guessed, *requests) == expected
    assert guessed.stats().slots_used == 0
    assert Guessing.made.over >= 6


def test_what_was_guessed_wrong_is_not_in_the_prefix_cache(opened: Any) -> None:
    plain, guessed = opened(), opened("guessing")
    first = said(plain, ask())[0][0]
    Guessing.made.answers, Guessing.made.wrong_at = {PROMPT: [token.id for token in first.tokens]}, 1
    longer = ask((*PROMPT, *(token.id for token in first.tokens[:-1]), 3))
    assert said(guessed, ask())[0][0] == first
    before = guessed.stats().cached_tokens
    assert said(guessed, longer) == said(plain, longer)
    assert guessed.stats().cached_tokens - before == len(PROMPT) + 23


@pytest.mark.parametrize("name", ["failing", "inventing"])
def test_a_guesser_that_fails_is_told_once_and_the_answers_go_on(
    opened: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = said(opened(), ask())
    engine = opened(name)
    assert said(engine, ask()) == expected
    assert said(engine, ask()) == expected
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == [
        "guessing of tokens failed; the engine goes on without it"
    ]


def test_a_decoder_that_computes_something_else_is_refused(opened: Any) -> None:
    with pytest.raises(ModelError, match="the decoder of Wrong does not compute what little computes"):
        opened("wrong")


def test_an_acceleration_is_closed_with_its_engine_and_when_opening_fails(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Counting.closed = 0
    opened("counting").close()
    assert Counting.closed == 1
    with pytest.raises(ModelError):
        opened("counting", "wrong")
    assert Counting.closed == 2
    with monkeypatch.context() as short:
        short.setattr(generating, "KeysValues", SimpleNamespace(of=lambda *_, **more: torch.empty(2**60)))
        with pytest.raises(RuntimeError, match="memory"):
            opened("counting")
    assert Counting.closed == 3


def test_what_cannot_be_asked_for(opened: Any, classifier: Path) -> None:
    refused: dict[Callable[[], Any], str] = {
        lambda: opened("guessing", "failing"): "two accelerations of little guess tokens",
        lambda: opened("guessing:more"): "the acceleration Guessing takes no argument",
        lambda: opened("guessing", model=classifier): "it is a model of the task text-classification",
        lambda: opened("guessing", model="openai:http://localhost:1/v1#m"): "another engine answers for it",
    }
    for call, words in refused.items():
        with pytest.raises(ModelError) as caught:
            call()
        assert words in str(caught.value)
    with pytest.raises(NotFoundError, match="no acceleration of this name"):
        opened("guesing")
    with pytest.raises(PluginError, match=r"expected: a subclass of tunesmith\.engine\.Acceleration"):
        opened("guesses")


def test_a_decoder_without_an_engine(folder: Path, classifier: Path) -> None:
    decoder, tokenizer = load_decoder(folder, threads=1)
    decoder.close()
    assert len(tokenizer) <= decoder.shape.vocabulary
    with pytest.raises(ModelError, match="expected: a Llama-like decoder that writes"):
        load_decoder(classifier)


def test_an_opening_says_what_it_opens(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Opening] = []
    monkeypatch.setattr(Counting, "guesser", lambda self, opening: seen.append(opening))
    engine = opened("counting", context=40)
    (opening,) = seen
    assert (opening.name, opening.slots, opening.capacity) == ("little", 3, 40)
    assert replace(opening, name="-").decoder is engine._decoder


def test_what_an_acceleration_takes_for_each_answer_is_counted(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened("heavy")
    assert Heavy.did == ["loaded", "asked for 128 tokens"]
    assert engine.stats().slots == 3
    room = opening.room_on(torch.device("cpu"))
    assert room is not None
    monkeypatch.setattr(opening, "room_on", lambda device: room)  # what is free moves while others work
    monkeypatch.setattr(Heavy, "each", int(0.25 * room.free))
    assert opened("heavy").stats().slots == 2
    monkeypatch.setattr(Heavy, "each", room.free)
    with pytest.raises(TooLargeError, match="the memory does not hold one answer of little"):
        opened("heavy")
    assert Heavy.did[-1] == "closed"
    monkeypatch.setattr(Heavy, "each", -1)
    with pytest.raises(ModelError, match="it cannot be loaded"):
        opened("heavy")
    assert Heavy.did == ["loaded", "closed"]
