# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Bearer tokens of single sign-on: signed JSON (RFC 7519) of the issuer that the settings name.

The signature and the times are checked by PyJWT, which is told the key, and with it the one algorithm that key has: so
what a token says of its own algorithm chooses nothing. Each refusal says which check failed, and nothing of the token.

A token that was found good is remembered until its term ends or the issuer's keys are fetched again, and no longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from tunesmith.serve import AccessError
from tunesmith_enterprise.governance.access.good_tokens import GoodToken, GoodTokens, Person, digest_of, span_of
from tunesmith_enterprise.governance.access.issuer import IssuerKeys
from tunesmith_enterprise.governance.access.names import is_name
from tunesmith_enterprise.governance.access.roles import highest
from tunesmith_enterprise.governance.access.settings import OidcSettings

__all__ = ["Tokens"]

_LONGEST: Final = 8192
"""Letters of a token."""
_TYPES: Final = (None, "jwt", "at+jwt", "application/at+jwt")
"""An issuer also signs what is no leave to enter, such as the note that somebody has signed out."""
_NAME: Final = 200
"""Letters of a caller's name."""


class Tokens:
    """Knows whose token it is.

    Args:
        settings: what claims mean. For good: with other settings there are other tokens, which remember nothing.
        keys: of the issuer.
        clock: seconds since 1970, of the terms of tokens that are remembered.
    """

    def __init__(self, settings: OidcSettings, keys: IssuerKeys, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._good = GoodTokens()

    async def find(self, token: str) -> Person:
        """Whose token this is.

        Raises:
            AccessError: 401, a check failed; 403, it is good, and whoever has it has no role or tenant here; 503, the
                issuer's keys cannot be had.
        """
        if len(token) > _LONGEST:
            raise _refused("the token is too long", "token_form", f"at most {_LONGEST:,} letters")
        digest = digest_of(token)
        known = self._good.get(digest)
        kid = known.kid if known is not None else self._kid(token)
        key = await self._keys.key(kid)  # also of a token that is known: the issuer may have taken its key back
        if known is not None and known.is_good(key, self._clock()):
            return known.person
        self._good.forget(digest)
        claims = self._claims(token, key)
        person = self._person(claims)
        self._good.keep(digest, GoodToken(kid, key, *span_of(claims, self._settings.leeway), person))
        return person

    def _kid(self, token: str) -> str | None:
        """The key that the head of a token names, if nothing else in its head speaks against it."""
        try:
            head = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _refused(
                "this is no signed token, and no API key", "token_form", "three parts, as RFC 7519"
            ) from None
        if head.get("alg") not in self._settings.algorithms:
            allowed = ", ".join(self._settings.algorithms)
            raise _refused("the token's algorithm is not allowed", "token_algorithm", allowed)
        kind = head.get("typ")
        if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
            raise _refused("the token is of another kind", "token_form", "an access token or an ID token")
        kid = head.get("kid")
        if kid is not None and (not isinstance(kid, str) or not kid):
            raise _refused("the token's key has no name", "token_key", "a kid that is a text")
        return kid

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        settings = self._settings
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=list(settings.audience),
                issuer=settings.issuer,
                leeway=settings.leeway,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.InvalidAlgorithmError:
            code, what = "token_algorithm", "the token's algorithm is not that of its key"
        except jwt.InvalidSignatureError:
            code, what = "token_signature", "the token's signature is not by its issuer"
        except jwt.ExpiredSignatureError:
            code, what = "token_expired", "the token has expired"
        except jwt.ImmatureSignatureError:
            code, what = "token_early", "the token is not valid yet"
        except jwt.InvalidAudienceError:
            code, what = "token_audience", "the token is for another audience"
        except jwt.InvalidIssuerError:
            code, what = "token_issuer", "the token is by another issuer"
        except jwt.MissingRequiredClaimError as error:
            code, what = "token_claims", f"the token lacks the claim {error.claim}"
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            code, what = "token_claims", "what the token says cannot be read"
        raise _refused(what, code)

    def _person(self, claims: Mapping[str, Any]) -> Person:
        settings = self._settings
        name = _claim(claims, settings.name_claim)
        if not isinstance(name, str) or not 0 < len(name) <= _NAME or not name.isprintable():
            raise _refused(f"the token does not say whose it is: the claim {settings.name_claim}", "token_claims")
        given = _texts(_claim(claims, settings.role_claim))
        roles = [settings.roles[value] for value in given if value in settings.roles]
        if not roles:
            raise AccessError(
                f"the token is good, and its holder has no role here: no value of the claim {settings.role_claim} "
                "gives one",
                status=403,
                code="no_role",
                fix="ask whoever runs this server",
            )
        return Person(f"oidc:{name}", highest(roles), self._tenant(claims))

    def _tenant(self, claims: Mapping[str, Any]) -> str:
        settings = self._settings
        if settings.tenant_claim is None:
            return ""
        values = _texts(_claim(claims, settings.tenant_claim))
        if settings.tenants is not None:
            values = [settings.tenants[value] for value in values if value in settings.tenants]
        found = {value for value in values if is_name(value)}
        if len(found) != 1:
            raise AccessError(
                f"the token is good, and its holder belongs to {'no tenant' if not found else 'several tenants'} here: "
                f"the claim {settings.tenant_claim}",
                status=403,
                code="no_tenant",
                fix="ask whoever runs this server",
            )
        return found.pop()


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim of this name, or else one within others: ``realm_access.roles``."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]


def _refused(what: str, code: str, expected: str | None = None) -> AccessError:
    return AccessError(what, code=code, expected=expected, fix="sign in again")
