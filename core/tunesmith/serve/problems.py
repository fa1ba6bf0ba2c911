# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Errors as OpenAI's clients read them: a status, and ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import HTTPException, RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from tunesmith.errors import (
    BusyError,
    CancelledError,
    DeadlineError,
    DeniedError,
    DrainingError,
    RequestError,
    TooLargeError,
    TunesmithError,
)
from tunesmith.serve.callers import AccessError

__all__ = ["ErrorAnswer", "HttpError", "draining", "http_error", "invalid", "within"]


class ErrorDetail(BaseModel):
    """What went wrong.

    Attributes:
        message: for a person: what was given, what was expected, what to do.
        type: the family, as OpenAI names them.
        param: which part of the request; null: none.
        code: one word for programs; null: none.
    """

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorAnswer(BaseModel):
    """The body of every answer that is not 2xx."""

    error: ErrorDetail


class HttpError(HTTPException):
    """A request that ends with an error, ready to be sent."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.told = ErrorDetail(message=message, type=kind, param=param, code=code)

    def body(self) -> bytes:
        """What is sent: one line of JSON."""
        return json.dumps({"error": self.told.model_dump()}, separators=(",", ":")).encode()


def invalid(message: str, param: str | None = None, code: str | None = None) -> HttpError:
    """400: malformed, unknown, or not supported."""
    return HttpError(400, message, param=param, code=code)


def within(count: int, most: int, param: str, unit: str) -> None:
    """Refuse what is more than the server allows.

    Raises:
        HttpError: 422.
    """
    if count > most:
        message = f"{param} is too large for this server; given: {count:,} {unit}; expected: at most {most:,}"
        raise HttpError(422, message, param=param, code="limit_exceeded")


def http_error(error: BaseException, names: Mapping[str, str] | None = None, request_id: str = "") -> HttpError:
    """What a client is told of an error.

    Args:
        error: anything. Only errors about the request itself are told in their own words.
        names: how parameters of the engine are called in this request.
        request_id: for the person who will look for it in the log.
    """
    if isinstance(error, HttpError):
        return error
    if isinstance(error, RequestValidationError):
        # Where a value may be one of several types there is a complaint for each; that it is another type says least.
        return _of_validation(min(error.errors(), key=lambda each: str(each["type"]).endswith("_type")))
    if isinstance(error, StarletteHTTPException):
        return HttpError(error.status_code, str(error.detail), headers=error.headers)
    if isinstance(error, AccessError):
        return _of_access(error)
    if isinstance(error, BusyError):
        after = str(max(1, math.ceil(error.retry_after)))
        return HttpError(429, _said(error), kind="rate_limit_error", code="busy", headers={"Retry-After": after})
    if isinstance(error, DrainingError):
        return draining(_said(error))
    if isinstance(error, DeadlineError):
        return HttpError(504, _said(error), kind="timeout_error", code="deadline_exceeded")
    if isinstance(error, DeniedError):
        return HttpError(403, _said(error), kind="permission_error", code="denied")
    if isinstance(error, CancelledError):
        return HttpError(503, _said(error), kind="server_error", code="cancelled")
    if isinstance(error, RequestError):
        name = error.parameter
        return invalid(_said(error), (names or {}).get(name, name) if name else None)
    if isinstance(error, TooLargeError):
        return HttpError(422, _said(error), code="too_large")
    return HttpError(
        500,
        f"the server failed on this request; its log has the reason under the id {request_id}",
        kind="server_error",
        code="internal_error",
    )


_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error", 503: "server_error"}


def _of_access(error: AccessError) -> HttpError:
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return HttpError(error.status, _said(error), kind=_KINDS[error.status], code=error.code, headers=headers)


def draining(message: str) -> HttpError:
    """503: about to stop."""
    return HttpError(503, message, kind="server_error", code="draining", headers={"Retry-After": "5"})


def _of_validation(error: Mapping[str, Any]) -> HttpError:
    """One of pydantic's complaints, in OpenAI's words."""
    param = _path(error["loc"])
    if error["type"] == "extra_forbidden":
        return invalid(f"unknown parameter: {param}; to do: leave it out", param, "unknown_parameter")
    if error["type"] == "missing":
        return invalid(f"missing: {param or 'the body'}", param, "missing_parameter")
    if error["type"] == "unsupported_parameter":
        return invalid(f"{param} is not supported here: {error['msg']}", param, "unsupported_parameter")
    message = str(error["msg"])
    message = f"{message[:1].lower()}{message[1:]}"
    given = error.get("input")
    shown = f"; given: {given!r:.80}" if isinstance(given, (str, int, float)) or given is None else ""
    return invalid(f"{param}: {message}{shown}" if param else f"the body: {message}", param, "invalid_value")


_FIELD = re.compile(r"[a-z][a-z0-9_]*\Z")
_TYPES = frozenset({"str", "int", "float", "bool", "none"})


def _path(places: tuple[str | int, ...]) -> str | None:
    """``("body", "messages", 0, "content")`` as ``messages[0].content``, without the names of types among it."""
    path = ""
    for place in places[1:]:
        if isinstance(place, int):
            path += f"[{place}]" if path else ""
        elif path == "" or (_FIELD.match(place) and place not in _TYPES):
            path += f".{place}" if path else place
    return path[:200] or None


def _said(error: TunesmithError) -> str:
    parts = [error.what]
    if error.given is not None:
        parts.append(f"given: {error.given}")
    if error.expected is not None:
        parts.append(f"expected: {error.expected}")
    if error.fix:
        parts.append(f"to do: {' / '.join(error.fix)}")
    return "; ".join(parts)
