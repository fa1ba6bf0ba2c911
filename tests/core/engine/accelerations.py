# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Engines with accelerations of the tests' own, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith.engine import Engine, GenerateRequest, Sampling, open_engine
from tunesmith.plugin import AccelerationSpec, hookimpl
from tunesmith.registry import Registry

GREEDY = Sampling(temperature=0)
PROMPT = tuple((5 * n + 3) % 90 for n in range(20))


@contextmanager
def opening_with(folder: Path, *kinds: type) -> Iterator[Callable[..., Any]]:
    """Opens engines with accelerations of these classes, by their names in lower case; closes them in the end."""
    specs = [
        AccelerationSpec(name=kind.__name__.lower(), summary="-", target=f"{kind.__module__}:{kind.__name__}")
        for kind in kinds
    ]
    plugin = SimpleNamespace(tunesmith_accelerations=hookimpl(lambda: specs))
    demo = Candidate(name="demo", distribution="demo", version="1", target=__name__, load=lambda: plugin)
    registry = Registry(Host([demo], environ={}))
    engines: list[Engine] = []

    def opens(*names: str, model: Any = folder, **more: Any) -> Any:
        engines.append(open_engine(model, accelerate=names, registry=registry, slots=3, **more))
        return engines[-1]

    try:
        yield opens
    finally:
        for engine in engines:
            engine.close()


def ask(prompt: Any = PROMPT, count: int = 24, **more: Any) -> GenerateRequest:
    return GenerateRequest(
        prompt=prompt, max_new_tokens=count, **({"sampling": GREEDY, "stop_tokens": frozenset()} | more)
    )


def said(engine: Any, *requests: GenerateRequest) -> list[Any]:
    """All that requests at once are answered with, to the last bit."""
    streams = [engine.submit(request) for request in requests]
    return [stream.result(60).choices for stream in streams]
