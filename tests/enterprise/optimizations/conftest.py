# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A machine with a license, and engines over little models; makes ``code_sharing.py`` findable."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from licensed import Machine, a_machine

from tunesmith.engine import GenerateRequest, Sampling, open_engine
from tunesmith.testing import tiny_llama

sys.path.append(str(Path(__file__).parent))  # last, so that this conftest.py hides no other
from code_sharing import wanted  # noqa: F401 -- the line above makes it findable


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = a_machine(tmp_path, monkeypatch)
    made.settings("")  # nobody asks for an audit log
    return made


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama") / "little")


@pytest.fixture
def opened(folder: Path) -> Iterator[Callable[..., Any]]:
    """Opens engines, which are closed at the end."""
    engines: list[Any] = []

    def opens(*accelerate: str, model: Path = folder, **more: Any) -> Any:
        engines.append(open_engine(model, accelerate=accelerate, **({"slots": 3} | more)))
        return engines[-1]

    yield opens
    for engine in engines:
        engine.close()


@pytest.fixture(scope="session")
def ask() -> Callable[..., GenerateRequest]:
    """A request; greedy, and without a stop token, unless something else is said."""

    def asks(prompt: Any, count: int = 40, **more: Any) -> GenerateRequest:
        settings = {"sampling": Sampling(temperature=0), "stop_tokens": frozenset()} | more
        return GenerateRequest(prompt=prompt, max_new_tokens=count, **settings)

    return asks
