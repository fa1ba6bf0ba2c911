# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One request and its answer, from the first byte to the last: what the parts of the server know about it."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from tunesmith.engine.answers import Usage
from tunesmith.engine.requests import Origin
from tunesmith.engine.stream import Stream
from tunesmith.plugin import RequestEnding, RequestServed
from tunesmith.serve.keys import Caller

__all__ = ["Exchange", "exchange_of"]

_KEY = "tunesmith.exchange"
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


@dataclass(slots=True)
class Exchange:
    """One request while it is under way.

    Attributes:
        streams: what engines do for it; cancelled when it ends, however it ends.
        deadline: of the monotonic clock; None: not known yet.
        body_bytes: of it that are here.
        origin: its tenant and class, for the engine's scheduler.
    """

    id: str
    method: str
    started: float = field(default_factory=time.monotonic)
    route: str = ""
    status: int = 0
    caller: Caller | None = None
    model: str = ""
    adapter: str = ""
    usage: Usage = field(default_factory=lambda: Usage(0))
    gone: bool = False
    deadline: float | None = None
    body_bytes: int = 0
    origin: Origin = field(default_factory=Origin)
    streams: list[Stream] = field(default_factory=list)

    def count(self, usage: Usage) -> None:
        """Add the tokens of an answer."""
        self.usage = Usage(
            self.usage.prompt_tokens + usage.prompt_tokens,
            self.usage.cached_tokens + usage.cached_tokens,
            self.usage.completion_tokens + usage.completion_tokens,
        )

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline, more than 0."""
        return None if self.deadline is None else max(0.001, self.deadline - time.monotonic())

    @property
    def cache_salt(self) -> str:
        """Callers do not see from the time an answer takes what others have asked, nor those of a name elsewhere."""
        return "\n".join(filter(None, (self.caller.tenant, self.caller.name))) if self.caller else ""

    def served(self) -> RequestServed:
        """Its last word."""
        return RequestServed(**self._facts())

    def ending(self) -> RequestEnding:
        """The same, before the last byte is sent."""
        return RequestEnding(**self._facts())

    def _facts(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "method": self.method,
            "route": self.route,
            "status": 499 if self.gone else self.status,
            "seconds": time.monotonic() - self.started,
            "caller": self.caller.name if self.caller else "",
            "model": self.model,
            "adapter": self.adapter,
            "prompt_tokens": self.usage.prompt_tokens,
            "cached_tokens": self.usage.cached_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "tenant": self.caller.tenant if self.caller else "",
        }

    @classmethod
    def begin(cls, scope: MutableMapping[str, Any]) -> Exchange:
        """For a request that has just come; its id is the client's own where it is a plain word."""
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        exchange = cls(given if _CLIENT_ID.match(given) else f"req-{secrets.token_hex(12)}", method)
        scope[_KEY] = exchange
        return exchange


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def exchange_of(scope: MutableMapping[str, Any]) -> Exchange:
    """Of a request that :meth:`Exchange.begin` has seen."""
    exchange: Exchange = scope[_KEY]
    return exchange
