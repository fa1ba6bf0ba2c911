# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The door: who may use which route. What is not in the table is refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Literal

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from tunesmith.serve.callers import Access, AccessError, Asked, Rule
from tunesmith.serve.exchange import exchange_of
from tunesmith.serve.keys import Keys
from tunesmith.serve.problems import HttpError

__all__ = ["ACCESS", "Door", "is_address", "is_loopback"]

ACCESS: dict[tuple[str, str], Rule] = {
    ("GET", "/"): "public",  # a static page without a word of data in it; it asks for the key
    ("GET", "/health/live"): "public",
    ("GET", "/health/ready"): "public",
    ("GET", "/metrics"): "use",
    ("GET", "/openapi.json"): "use",
    ("GET", "/v1/models"): "use",
    ("GET", "/v1/models/{name:path}"): "use",
    ("POST", "/v1/chat/completions"): "use",
    ("POST", "/v1/completions"): "use",
    ("POST", "/v1/responses"): "use",
    ("POST", "/v1/embeddings"): "use",
    ("POST", "/v1/classify"): "use",
    ("POST", "/v1/score"): "use",
    ("POST", "/v1/rerank"): "use",
    ("POST", "/tokenize"): "use",
    ("POST", "/detokenize"): "use",
    ("GET", "/admin/adapters"): "admin",
    ("POST", "/admin/adapters/load"): "admin",
    ("POST", "/admin/adapters/unload"): "admin",
}


class Door:
    """Checks host, origin and caller before anything of a request is read.

    Args:
        app: behind the door.
        routes: of the application.
        rules: of routes beside those of the table.
        keys: without any, everybody may ``use``, and nobody may ``admin``.
        access: says who asks, in place of the keys.
        loopback: the server is bound to this machine; then only names of this machine are answered. A page of a
            stranger that has its own name point here (DNS rebinding) comes with that name.
        header_bytes: of path and headers together, at most.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Sequence[BaseRoute],
        rules: Mapping[tuple[str, str], Rule],
        keys: Keys,
        access: Access | None,
        loopback: bool,
        header_bytes: int,
    ) -> None:
        self._app = app
        self._rules = {**rules, **ACCESS}
        self._routes = routes
        self._keys = keys
        self._access = access
        self._loopback = loopback
        self._header_bytes = header_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope, self._header_bytes)
        host = headers.get(b"host", b"").decode("latin-1")
        if self._loopback and not is_loopback(_without_port(host)):
            raise HttpError(
                421,
                f"this server answers as localhost only; given: Host: {host[:200]}; "
                "to do: ask http://localhost, or start it with --host and a key",
                kind="permission_error",
                code="wrong_host",
            )
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
            raise HttpError(
                403, "pages of other sites may not use this server", kind="permission_error", code="foreign_origin"
            )
        exchange = exchange_of(scope)
        exchange.route, methods = self._route(scope)
        rule = self._rules.get((scope["method"], exchange.route)) if scope["method"] in methods else "use"
        if rule != "public":
            await self._check_caller(scope, headers, rule)
        if not exchange.route:
            raise HttpError(404, "there is nothing at this path; GET /openapi.json has the list", code="not_found")
        if scope["method"] not in methods:
            raise HttpError(
                405,
                f"{exchange.route} takes {', '.join(sorted(methods))}",
                code="method_not_allowed",
                headers={"Allow": ", ".join(sorted(methods))},
            )
        await self._app(scope, receive, send)

    def _route(self, scope: Scope) -> tuple[str, set[str]]:
        """The path template that matches, and its methods; "" and none where no route does."""
        found, methods = "", set[str]()
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is not Match.NONE:
                found = getattr(route, "path", "(mounted)")
                methods |= getattr(route, "methods", None) or {scope["method"]}
            if match is Match.FULL:
                break
        return found, methods

    async def _check_caller(
        self, scope: Scope, headers: dict[bytes, bytes], rule: Literal["use", "admin"] | None
    ) -> None:
        exchange = exchange_of(scope)
        if self._access is not None:
            asked = Asked(
                method=scope["method"],
                route=exchange.route,
                needs=rule or "admin",
                token=_bearer(headers),
                headers=_all_headers(scope),
            )
            try:
                exchange.caller = await self._access.identify(asked)
            except AccessError as error:
                exchange.caller = error.caller
                raise
        elif self._keys:
            key = _bearer(headers)
            exchange.caller = self._keys.find(key) if key else None
            if exchange.caller is None:
                raise HttpError(
                    401,
                    "this server needs a key that it knows; to do: send the header Authorization: Bearer KEY",
                    kind="authentication_error",
                    code="invalid_api_key",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        if rule is None:
            raise HttpError(403, "this route is not open to anybody", kind="permission_error", code="no_access_rule")
        if rule == "admin" and (exchange.caller is None or exchange.caller.scope != "admin"):
            whom = "a key of the scope admin; to do: start the server with one (--key-file)"
            if self._access is not None:
                whom = "an administrator"
            raise HttpError(403, f"this route needs {whom}", kind="permission_error", code="admin_only")


def _bearer(headers: dict[bytes, bytes]) -> str:
    """What stands behind ``Bearer`` in the header Authorization; "": nothing of the kind."""
    scheme, _, key = headers.get(b"authorization", b"").decode("utf-8", "surrogateescape").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _all_headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _headers(scope: Scope, most: int) -> dict[bytes, bytes]:
    """The headers that decide about access.

    Raises:
        HttpError: 431, all of them together are too long; 400, one of these comes twice: which counts is not for us to
            guess.
    """
    # The parser bounds what it has to keep while headers are not whole; what comes whole in one packet passes it by.
    if len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(n) + len(v) for n, v in scope["headers"]) > most:
        raise HttpError(
            431,
            f"path and headers are too long; expected: at most {most:,} bytes together",
            code="headers_too_large",
            headers={"Connection": "close"},
        )
    decisive = (b"host", b"origin", b"authorization")
    found = [(name, value) for name, value in scope["headers"] if name in decisive]
    headers = dict(found)
    if len(headers) < len(found):
        raise HttpError(400, "the headers Host, Origin and Authorization may come once each", code="repeated_header")
    return headers


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    if host.lower().rstrip(".") == "localhost":
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def is_address(host: str) -> bool:
    """Whether it is numbers, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
