# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""An application over the echo engine, and a client for it without a socket."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")
httpx = pytest.importorskip("httpx2", reason="needs the extra test")

sys.path.insert(0, str(Path(__file__).parent))
from echo import Echo  # noqa: E402 -- the line above makes it findable

from tunesmith.serve import Application  # noqa: E402


@pytest.fixture
def engine() -> Echo:
    return Echo()


@pytest.fixture
def app(engine: Echo) -> Application:
    return Application({"echo": engine})


def client_of(app: Any, **kwargs: Any) -> Any:
    """A client that speaks to the application directly."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", **kwargs)


@pytest.fixture
def ask(app: Application) -> Callable[..., Any]:
    """POST (a body) or GET (none) of a path; the answer."""
    import asyncio

    def asked(path: str, body: Any = None, *, of: Any = None, **kwargs: Any) -> Any:
        async def go() -> Any:
            async with client_of(of or app) as client:
                if body is None and "content" not in kwargs:
                    return await client.get(path, **kwargs)
                if "content" in kwargs:
                    return await client.post(path, **kwargs)
                return await client.post(path, json=body, **kwargs)

        return asyncio.run(go())

    return asked


def settled(engine: Echo, seconds: float = 5) -> Any:
    """The engine's figures, once it has nothing to do."""
    until = time.monotonic() + seconds
    while (stats := engine.stats()).running or stats.waiting:
        assert time.monotonic() < until, f"the engine is still at work: {stats}"
        time.sleep(0.005)
    return stats
