# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How much one client may ask for, and how long it may take."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, fields

from tunesmith.errors import RequestError

__all__ = ["LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a server. What exceeds one is refused; nothing is cut.

    Attributes:
        body_bytes: of a request's body.
        bodies_bytes: of all bodies under way together; one is always taken.
        body_seconds: within which a body must have arrived whole.
        header_bytes: of a request's line and headers together.
        header_seconds: within which they must have arrived.
        idle_seconds: that a connection may stay open between two requests.
        write_seconds: that a client may take to read what waits for it (64 KiB) before its connection is cut.
        request_seconds: within which an answer must be whole, waiting included.
        connections: open at once.
        requests: under way at once, health and metrics not counted.
        prompt_chars: of all texts of a request together.
        prompt_tokens: token ids of a request together.
        new_tokens: of an answer; also what is made at most where a request does not say.
        choices: answers to one request: ``n`` times its prompts.
        stops: stop strings of a request, of 256 characters each.
        top_logprobs: alternatives told for each token.
        logit_bias: tokens with a bias.
        inputs: texts, rows or documents of a request; messages of a conversation.
        tools: functions of a request.
        schema_chars: of a JSON schema, or of a function's parameters.
        json_depth: brackets within brackets of a body.

    Raises:
        RequestError: one of them is not more than 0.
    """

    body_bytes: int = 4 * 2**20
    bodies_bytes: int = 256 * 2**20
    body_seconds: float = 20
    header_bytes: int = 32 * 2**10
    header_seconds: float = 10
    idle_seconds: float = 30
    write_seconds: float = 30
    request_seconds: float = 600
    connections: int = 512
    requests: int = 256
    prompt_chars: int = 2_000_000
    prompt_tokens: int = 262_144
    new_tokens: int = 4096
    choices: int = 8
    stops: int = 16
    top_logprobs: int = 20
    logit_bias: int = 1024
    inputs: int = 2048
    tools: int = 128
    schema_chars: int = 64 * 2**10
    json_depth: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise RequestError(
                    f"the limit {field.name} is out of range",
                    parameter=field.name,
                    given=value,
                    expected="more than 0",
                )


LIMITS: ContextVar[Limits] = ContextVar("limits", default=Limits())  # noqa: B039 -- it is frozen
"""Those of the request that is being read: bodies are checked against them while they are made."""
