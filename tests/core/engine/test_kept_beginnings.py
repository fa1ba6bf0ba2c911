# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Beginnings of prompts that a plugin keeps longer than an engine lives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tunesmith.engine import Acceleration
from tunesmith.engine.accelerated import Joined
from tunesmith.engine.acceleration import Beginning, Opening
from tunesmith.testing import tiny_llama

from .accelerations import PROMPT, ask, opening_with, said


class Keeping(Acceleration):
    """Keeps beginnings in a dictionary that lives longer than the engine."""

    kept: dict[tuple[Any, str, tuple[int, ...]], tuple[list[torch.Tensor], list[torch.Tensor]]]

    def prefixes(self, opening: Opening) -> Any:
        return self

    def restore(self, prompt: Beginning, shared: int, memory: Any, slot: int) -> int:
        for (adapter, salt, tokens), (keys, values) in self.kept.items():
            size = len(tokens)
            if (adapter, salt, tokens) == (prompt.adapter, prompt.salt, tuple(prompt.tokens[:size])) and size > shared:
                for store, found in ((memory.keys, keys), (memory.values, values)):
                    for layer, tensor in zip(store, found, strict=True):
                        layer[slot, :, :size] = tensor
                return size
        return 0

    def shared(self, beginning: Beginning, memory: Any, slot: int) -> None:
        size = len(beginning.tokens)
        self.kept[beginning.adapter, beginning.salt, tuple(beginning.tokens)] = (
            [layer[slot, :, :size].clone() for layer in memory.keys],
            [layer[slot, :, :size].clone() for layer in memory.values],
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama") / "little")


@pytest.fixture
def opened(folder: Path) -> Iterator[Any]:
    """Opens an engine with accelerations of this file."""
    with opening_with(folder, Keeping) as opens:
        yield opens


def test_the_last_token_of_a_prompt_is_never_restored() -> None:
    keeps_all = SimpleNamespace(restore=lambda prompt, *_: len(prompt.tokens))
    joined = Joined((), None, keeps_all)
    assert joined.restore(Beginning(PROMPT, None, ""), 0, None, 0) == len(PROMPT) - 1  # type: ignore[arg-type]


def test_beginnings_outlive_the_engine_for_the_same_salt(opened: Any) -> None:
    Keeping.kept = {}
    longer = tuple(range(30, 60))
    engine = opened("keeping")
    expected = said(engine, ask(longer, cache_salt="mine"))
    said(engine, ask((*longer[:20], 7), cache_salt="mine"))  # two begin alike
    assert [len(tokens) for _, _, tokens in Keeping.kept] == [20]
    engine.close()
    again = opened("keeping")
    restored = again.submit(ask(longer, cache_salt="mine")).result(60)
    assert (restored.choices, restored.usage.cached_tokens) == (expected[0], 20)
    other = again.submit(ask(longer, cache_salt="another's")).result(60)
    assert other.usage.cached_tokens == 0


def test_a_disk_that_is_slow_to_give_beginnings_back_keeps_nobody_from_asking(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, may_go_on = threading.Event(), threading.Event()

    def slowly(self: Keeping, prompt: Beginning, shared: int, memory: Any, slot: int) -> int:
        reads.set()
        assert may_go_on.wait(60)
        return 0

    monkeypatch.setattr(Keeping, "restore", slowly)
    engine = opened("keeping")
    first = engine.submit(ask())
    assert reads.wait(60)
    others: list[Any] = []
    asking = threading.Thread(target=lambda: others.append(engine.submit(ask((1, 2, 3), 2))))
    asking.start()
    asking.join(10)
    was_taken = list(others)  # while the disk still reads
    may_go_on.set()
    asking.join(60)
    assert len(was_taken) == 1
    assert engine.stats().failed == 0
    assert [len(one.result(60).choices[0].tokens) for one in (first, *others)] == [24, 2]
