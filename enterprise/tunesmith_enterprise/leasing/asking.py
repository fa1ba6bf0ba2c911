# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""One request to the license server and what came back, whatever comes back.

A server that is down, hangs, redirects, sends a web page or a gigabyte is no invalid license: all of that is
:class:`NoAnswer`. What the server itself declines is :class:`Declined`.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final

from tunesmith.errors import SettingsError, SignedDocumentError
from tunesmith.licensing import parse_json
from tunesmith_enterprise.leasing.address import LicenseServer

__all__ = ["ANSWER", "Declined", "NoAnswer", "ask"]

ANSWER: Final = 1 << 20
"""Bytes of an answer, at most."""
_CONNECT: Final = 2.0
_READ: Final = 5.0
_TRIES: Final = 3
_MISUNDERSTOOD: Final = ("secret", "bad-request", "too-slow", "too-large")
"""What the server says of the question itself: nothing about seats."""
_AGAIN: Final = (429, 500, 502, 503, 504)


class NoAnswer(Exception):  # noqa: N818 -- of the network; becomes an error only where no lease is left
    """The server did not answer in a way that can be used. The text says what happened, for people."""


class Declined(Exception):  # noqa: N818 -- an answer, as on the server's side
    """The server says no.

    Attributes:
        code: one of docs/reference/license-server.md.
        message, fix: for people.
        retry_after: seconds after which it may go better.
        facts: what else it says.
    """

    def __init__(self, code: str, message: str, fix: str, retry_after: int | None, facts: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix
        self.retry_after = retry_after
        self.facts = facts


def ask(
    server: LicenseServer,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    lease_secret: str | None = None,
    tries: int = _TRIES,
) -> dict[str, Any]:
    """What the server answers; an empty object where it has nothing to say.

    Args:
        lease_secret: of the lease in question.
        tries: how often, while nobody answers; each at most 2 seconds for the connection and 5 for the answer.

    Raises:
        NoAnswer, Declined: see above.
        SettingsError: the secret, the authority or the client's certificate cannot be read.
    """
    secret = server.secret()
    context = _context(server)
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    if secret is not None:
        headers["authorization"] = f"Bearer {secret}"
    if lease_secret is not None:
        headers["tunesmith-lease-secret"] = lease_secret
    for attempt in range(1, tries + 1):
        try:
            return _once(server.url, method, path, body, headers, context)
        except _Passing as error:
            if attempt == tries:
                raise NoAnswer(str(error)) from None
            # Nodes that lost the server at the same moment must not come back at the same moment.
            time.sleep(random.uniform(0.05, 0.25) * 2**attempt)
    raise AssertionError("at least one try")


class _Passing(NoAnswer):
    """May be over in a moment."""


def _once(
    url: str,
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    headers: Mapping[str, str],
    context: ssl.SSLContext | None,
) -> dict[str, Any]:
    try:
        import httpx  # a tenth of a second, for those who have a license server only
    except ImportError:
        raise SettingsError(
            "a license server is configured, and the package that asks it is not installed",
            expected="httpx",
            fix="pip install 'tunesmith-enterprise[client]'",
        ) from None

    until = time.monotonic() + _CONNECT + _READ
    try:
        with (
            # No proxy and no .netrc of the environment: the server is on the site, and its secret is for it alone.
            httpx.Client(
                verify=context if context is not None else False,  # without one there is no TLS to be checked
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(_READ, connect=_CONNECT),
            ) as client,
            client.stream(method, url + path, json=body, headers=dict(headers)) as response,
        ):
            if response.headers.get("content-encoding", "identity") != "identity":
                raise NoAnswer("it sent a compressed answer, which nobody asked for")
            content = bytearray()
            for piece in response.iter_raw():  # as it comes: the time is looked at after each piece
                content += piece
                if len(content) > ANSWER:
                    raise NoAnswer(f"it sent more than {ANSWER:,} bytes")
                if time.monotonic() > until:
                    raise _Passing(f"it did not finish its answer within {_CONNECT + _READ:g} seconds")
            return _read(response.status_code, bytes(content), response.headers.get("retry-after", ""))
    except httpx.TimeoutException as error:
        what = "connect" if isinstance(error, httpx.ConnectTimeout) else "answer"
        raise _Passing(f"it did not {what} in time") from None
    except httpx.TransportError as error:
        if "CERTIFICATE" in str(error).upper() or isinstance(error.__cause__, ssl.SSLError):
            raise NoAnswer(f"TLS: {_plain(str(error))}; look at license_server_ca") from None
        raise _Passing(_plain(str(error)) or type(error).__name__) from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
        raise NoAnswer(_plain(str(error)) or type(error).__name__) from None


def _read(status: int, content: bytes, retry_after: str) -> dict[str, Any]:
    if status == 204:
        return {}
    if 300 <= status < 400:
        raise NoAnswer(f"it points to another address (HTTP {status}), and that is not followed")
    try:
        value = parse_json(content)
    except SignedDocumentError:
        value = None
    if status in (200, 201) and type(value) is dict:
        return value
    error = value.get("error") if type(value) is dict else None
    if status >= 500 or status == 429:
        kind = _Passing if status in _AGAIN else NoAnswer
        raise kind(f"it has trouble of its own (HTTP {status}): {_words(error, 'message')}")
    if type(error) is dict and type(error.get("code")) is str and 400 <= status < 500:
        if error["code"] in _MISUNDERSTOOD:
            fix = _words(error, "fix")
            raise NoAnswer(_words(error, "message") + (f"; {fix}" if fix else ""))
        after = int(retry_after) if retry_after.isdecimal() and len(retry_after) < 9 else None
        facts = {name: fact for name, fact in error.items() if name not in ("code", "message", "fix")}
        raise Declined(_plain(error["code"]), _words(error, "message"), _words(error, "fix"), after, facts)
    raise NoAnswer(f"what it sent is no answer of a license server (HTTP {status}, {len(content):,} bytes)")


def _words(error: object, name: str) -> str:
    value = error.get(name) if isinstance(error, dict) else None
    return _plain(value) if isinstance(value, str) else ""


def _plain(text: str) -> str:
    """A stranger's words, fit for a terminal and a log."""
    return "".join(character if character.isprintable() else " " for character in text[:300]).strip()


def _context(server: LicenseServer) -> ssl.SSLContext | None:
    if not server.url.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=None if server.authority is None else str(server.authority))
        if server.certificate is not None:
            context.load_cert_chain(server.certificate, server.private_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"the license server's authority, or this client's certificate, cannot be used: {error.strerror or error}",
            given=", ".join(str(path) for path in (server.authority, server.certificate, server.private_key) if path),
            expected="PEM files",
            fix="look at license_server_ca, license_server_cert and license_server_key",
        ) from None
    return context
