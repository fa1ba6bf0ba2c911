# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The public keys of an issuer: fetched, kept, and fetched again when a token names one that is not there.

What is fetched comes from the address in the settings, or from the one that the issuer's own document says; nothing in
a token says where to look. An issuer that is away changes nothing for a day: so long the keys that are there go on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

from tunesmith.errors import SettingsError, SignedDocumentError
from tunesmith.licensing import parse_json
from tunesmith.serve import AccessError
from tunesmith_enterprise.governance.access.settings import OidcSettings, is_safe_url, is_this_machine

__all__ = ["IssuerKeys", "NoKeys", "fetch_keys"]

AGAIN: Final = 3600.0
"""Seconds after which the keys are fetched again, behind the requests."""
KEEP: Final = 24 * 3600.0
"""Seconds for which keys count while the issuer does not answer."""
PAUSE: Final = 30.0
"""Seconds between two attempts, whatever tokens name: nobody makes this server ask the issuer more often."""
_PAUSE_WITHOUT: Final = 5.0
"""The same while there are no keys at all."""
_BYTES: Final = 256 << 10
_SECONDS: Final = 5.0
_MOST: Final = 100
"""Keys of an issuer."""
_RSA_BITS: Final = 2048

_log = logging.getLogger("tunesmith.enterprise.access")


class NoKeys(Exception):  # noqa: N818 -- of the network; becomes an error only where no keys are left
    """The issuer's keys could not be fetched. The text says what happened, for people."""


class IssuerKeys:
    """The keys of one issuer.

    Args:
        fetch: gives them; blocks. Called in a thread, one at a time.
        clock: seconds; never goes back.
    """

    def __init__(
        self, fetch: Callable[[], Mapping[str, jwt.PyJWK]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fetch them for the first time; blocks. An issuer that does not answer is logged, and asked again later."""
        self._tried = self._clock()
        self._try()

    async def key(self, kid: str | None) -> jwt.PyJWK:
        """The key that a token names.

        Args:
            kid: None: it names none; then the issuer must have one key only.

        Raises:
            AccessError: 401, the issuer has no such key; 503, its keys cannot be had now.
        """
        age = self._age()
        if age is None or age > KEEP:
            await self._fetch_again()
            age = self._age()
            if age is None or age > KEEP:
                raise AccessError(
                    "the issuer of tokens does not answer, so no token can be checked now",
                    status=503,
                    code="issuer_away",
                    retry_after=self._pause(),
                    fix="try again in a moment, or use an API key",
                )
        elif age > AGAIN and self._may_try():
            self._begin()  # nobody waits for it
        found = self._find(kid)
        if found is None and self._may_try():
            await self._fetch_again()
            found = self._find(kid)
        if found is None:
            raise AccessError(
                "the token's signature is by a key that its issuer does not have"
                if kid is not None
                else "the token does not say by which of its issuer's keys it is signed",
                code="token_key",
                fix="sign in again",
            )
        return found

    def _age(self) -> float | None:
        return None if self._fetched is None else self._clock() - self._fetched

    def _find(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is not None:
            return self._keys.get(kid)
        return next(iter(self._keys.values())) if len(self._keys) == 1 else None

    def _pause(self) -> float:
        return PAUSE if self._keys else _PAUSE_WITHOUT

    def _may_try(self) -> bool:
        return self._fetching is not None or self._tried is None or self._clock() - self._tried >= self._pause()

    def _begin(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._tried = self._clock()
            self._fetching = asyncio.ensure_future(asyncio.to_thread(self._try))
            self._fetching.add_done_callback(self._ended)
        return self._fetching

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch_again(self) -> None:
        """All who wait for it wait for the same attempt; who goes away does not end it for the others."""
        if self._may_try():
            await asyncio.shield(self._begin())

    def _try(self) -> None:
        try:
            self._keys = self._fetch()
        except NoKeys as error:
            if not self._failed:
                left = "the keys that are there go on for a day" if self._keys else "no token can be checked until then"
                _log.error("the keys of the issuer of tokens cannot be fetched: %s; %s", error, left)
            self._failed = True
            return
        self._fetched = self._clock()
        if self._failed:
            self._failed = False
            _log.warning("the issuer of tokens answers again: it has %d keys", len(self._keys))


def fetch_keys(settings: OidcSettings) -> dict[str, jwt.PyJWK]:
    """The keys that an issuer has now, by their ``kid`` ("" where it names none); blocks.

    Raises:
        NoKeys: it does not answer, or what it answers has no key that counts.
        SettingsError: the package that asks is not installed.
    """
    url = settings.jwks_url
    if url is None:
        where = settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
        found = _get(where)
        if found.get("issuer") != settings.issuer:
            raise NoKeys(f"{where} is about another issuer: {str(found.get('issuer'))[:200]!r}")
        url = str(found.get("jwks_uri"))
        if not is_safe_url(url):
            raise NoKeys(f"{where} says that its keys are at {url[:200]!r}, which is no https address")
    listed = _get(url).get("keys")
    if not isinstance(listed, list):
        raise NoKeys(f"{url} has no list of keys")
    keys: dict[str, jwt.PyJWK] = {}
    for one in listed[:_MOST]:
        key = _key(one, settings.algorithms)
        if key is not None:
            keys[str(one.get("kid", ""))] = key
    if not keys:
        raise NoKeys(f"{url} has no key for {', '.join(settings.algorithms)}")
    return keys


def _key(value: object, algorithms: tuple[str, ...]) -> jwt.PyJWK | None:
    """A public key for one of these algorithms, and for nothing but signatures; None: it is something else."""
    if not isinstance(value, dict) or not isinstance(value.get("kid", ""), str):
        return None
    if value.get("kty") not in ("RSA", "EC", "OKP") or value.get("use", "sig") != "sig" or "d" in value:
        return None
    try:
        if "verify" not in value.get("key_ops", ["verify"]):
            return None
        key = jwt.PyJWK(value)
    except Exception:  # whatever is wrong with one key must not take the others away
        return None
    if key.algorithm_name not in algorithms or getattr(key.key, "key_size", _RSA_BITS) < _least_bits(value):
        return None
    return key


def _least_bits(value: Mapping[str, Any]) -> int:
    return _RSA_BITS if value["kty"] == "RSA" else 0


def _get(url: str) -> dict[str, Any]:
    """A JSON object from an address: no redirect is followed, and no more is read than such a document can have."""
    try:
        import httpx  # by those whose callers have tokens only
    except ImportError:
        raise SettingsError(
            "tokens of an issuer count, and the package that asks it is not installed",
            expected="httpx",
            fix="pip install 'tunesmith-enterprise[oidc]'",
        ) from None
    until = time.monotonic() + _SECONDS
    content = bytearray()
    # An issuer may be behind the proxy of the environment; this machine is not.
    ours = is_this_machine(urlsplit(url).hostname or "")
    try:
        with (
            httpx.Client(follow_redirects=False, timeout=_SECONDS, trust_env=not ours) as client,
            client.stream("GET", url, headers={"accept": "application/json"}) as response,
        ):
            if response.status_code != 200:
                raise NoKeys(f"{url} answers {response.status_code}")
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _BYTES:
                    raise NoKeys(f"{url} sends more than {_BYTES:,} bytes")
                if time.monotonic() > until:
                    raise NoKeys(f"{url} does not finish its answer within {_SECONDS:g} seconds")
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
        raise NoKeys(f"{url}: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
    try:
        value = parse_json(bytes(content), size=_BYTES)
    except SignedDocumentError as error:
        raise NoKeys(f"{url} sends what is no JSON: {error.what}") from None
    if not isinstance(value, dict):
        raise NoKeys(f"{url} sends no object")
    return value
