# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Tokens that were found good, so that a caller's next request does not pay for the same signature again.

A token is known by the SHA-256 of its bytes: it is not kept itself, and how long a look-up takes tells nothing of it.
Only what passed every check is kept, so tokens that are none push nobody out.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import jwt

from tunesmith_enterprise.governance.access.roles import Role

__all__ = ["MOST", "GoodToken", "GoodTokens", "Person", "digest_of", "span_of"]

MOST: Final = 10_000
"""Tokens that are remembered, about a kilobyte each; what was not used for longest goes first."""
_BEGINS: Final = ("nbf", "iat")
"""Claims before which a token is not good."""


class Person(NamedTuple):
    """Who has a token.

    Attributes:
        name: ``oidc:`` and what the name claim says.
        role: the highest that the role claim gives.
        tenant: "" where the settings name no claim for it.
    """

    name: str
    role: Role
    tenant: str


class GoodToken(NamedTuple):
    """What is remembered of a token.

    Attributes:
        kid: the key that its head names; None: it names none.
        key: that its signature is by. This very object: keys that are fetched again are others, of which nothing is
            known yet, so nothing that is remembered outlives the keys that were there when it was checked.
        begins, ends: of its term, in seconds since 1970; it is good from the first on and before the second.
        person: whose it is.
    """

    kid: str | None
    key: jwt.PyJWK
    begins: float
    ends: float
    person: Person

    def is_good(self, key: jwt.PyJWK, now: float) -> bool:
        """Whether nothing has changed since it was checked.

        Args:
            key: that the issuer has now under the name in its head.
            now: seconds since 1970.
        """
        return self.key is key and self.begins <= now < self.ends


class GoodTokens:
    """Those that are remembered. For one thread.

    Args:
        most: how many.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[bytes, GoodToken] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, digest: bytes) -> GoodToken | None:
        """What is remembered of a token; whether it is still good has to be asked."""
        found = self._known.get(digest)
        if found is not None:
            self._known.move_to_end(digest)
        return found

    def keep(self, digest: bytes, token: GoodToken) -> None:
        """Remember a token that has passed every check."""
        self._known[digest] = token
        self._known.move_to_end(digest)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """Of a token that has to be checked again; nothing, where it is not known."""
        self._known.pop(digest, None)


def digest_of(token: str) -> bytes:
    """SHA-256 of a token's bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def span_of(claims: Mapping[str, Any], leeway: float) -> tuple[float, float]:
    """From when to when claims are good that are good now: as they were checked, in whole seconds.

    Args:
        leeway: seconds that the issuer's clock may be off.
    """
    begins = [int(claims[name]) - leeway for name in _BEGINS if name in claims]
    return max(begins, default=0.0), int(claims["exp"]) + leeway
