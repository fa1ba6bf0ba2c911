# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tunesmith._plugins.discover import Candidate
from tunesmith.plugin import hookimpl

MakeCandidate = Callable[..., Candidate]


@pytest.fixture
def candidate() -> MakeCandidate:
    """Makes an entry point over functions given by keyword; each is marked as a hook unless it already is."""

    def make(name: str = "demo", *, requires: tuple[str, ...] = (), load: object = None, **hooks: object) -> Candidate:
        plugin = SimpleNamespace(**{hook: hookimpl(function) for hook, function in hooks.items()})
        return Candidate(
            name=name,
            distribution=f"tunesmith-{name}",
            version="1.0",
            target=f"tunesmith_{name}.plugin",
            requires=requires,
            load=load or (lambda: plugin),
        )

    return make
