# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Tokens of single sign-on: what a good one opens, and which check each bad one fails, without a word of the token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from access_site import URL, Issuer, jwk, oidc_settings, private, sign
from cryptography.hazmat.primitives import serialization

from tunesmith.serve import AccessError
from tunesmith_enterprise.governance.access.good_tokens import Person
from tunesmith_enterprise.governance.access.issuer import IssuerKeys
from tunesmith_enterprise.governance.access.tokens import Tokens


def keys_of(*keys: dict[str, Any]) -> IssuerKeys:
    made = IssuerKeys(lambda: {one.get("kid", ""): jwt.PyJWK(one) for one in keys})
    made.start()
    return made


def find(token: str, keys: IssuerKeys | None = None, **changes: Any) -> Person:
    tokens = Tokens(
        oidc_settings(**changes), keys or keys_of(jwk("rsa", "first"), jwk("ec", "second"), jwk("ed", "third"))
    )
    return asyncio.run(tokens.find(token))


def claims(**changes: Any) -> dict[str, Any]:
    return Issuer(url=URL).claims(**changes)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def by_hand(head: dict[str, Any], secret: bytes = b"") -> str:
    """A token that no library would make."""
    body = f"{part(head)}.{part(claims())}"
    signature = hmac.new(secret, body.encode(), hashlib.sha256).digest() if secret else b""
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def public_pem() -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = private("rsa").public_key().public_bytes(serialization.Encoding.PEM, form)
    return pem


# ---- good ones -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "kid"), [("rsa", "first"), ("ec", "second"), ("ed", "third")])
def test_each_algorithm(kind: str, kid: str) -> None:
    assert find(sign(claims(), kind, kid)) == Person("oidc:ana", "user", "")


@pytest.mark.parametrize(
    ("changed", "options", "expected"),
    [
        ({"groups": ["watch", "heads", "staff"]}, {}, Person("oidc:ana", "admin", "")),
        ({"groups": "watch"}, {}, Person("oidc:ana", "viewer", "")),
        ({"aud": ["other", "tunesmith"]}, {}, Person("oidc:ana", "user", "")),
        ({"aud": "b"}, {"audience": ["a", "b"]}, Person("oidc:ana", "user", "")),
        ({"email": "ana@example.org"}, {"name_claim": "email"}, Person("oidc:ana@example.org", "user", "")),
        ({}, {"tenant_claim": "org"}, Person("oidc:ana", "user", "red")),
        ({"org": "7"}, {"tenant_claim": "org", "tenants": {"7": "blue"}}, Person("oidc:ana", "user", "blue")),
        ({"realm_access": {"roles": ["heads"]}}, {"role_claim": "realm_access.roles"}, Person("oidc:ana", "admin", "")),
        ({"https://a.b/r": ["heads"]}, {"role_claim": "https://a.b/r"}, Person("oidc:ana", "admin", "")),
    ],
)
def test_what_claims_mean(changed: dict[str, Any], options: dict[str, Any], expected: Person) -> None:
    assert find(sign(claims(**changed)), **options) == expected


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    now = int(time.time())
    assert find(sign(claims(exp=now - 50, nbf=now - 100))).name == "oidc:ana"
    assert find(sign(claims(nbf=now + 50, iat=now + 50))).name == "oidc:ana"
    with pytest.raises(AccessError, match="has expired"):
        find(sign(claims(exp=now - 50)), leeway=10)


def test_a_token_without_a_kid_counts_where_the_issuer_has_one_key() -> None:
    token = sign(claims(), kid=None)
    assert find(token, keys_of(jwk("rsa", "first"))).name == "oidc:ana"
    with pytest.raises(AccessError, match="does not say by which of its issuer's keys"):
        find(token)


# ---- bad ones --------------------------------------------------------------------------------------------------------

BAD: dict[str, tuple[Callable[[], str], str, str]] = {
    "forged": (lambda: sign(claims(), "rsa-2049"), "token_signature", "the token's signature is not by its issuer"),
    "changed": (
        lambda: (lambda t: ".".join([t[0], part(claims(groups=["heads"])), t[2]]))(sign(claims()).split(".")),
        "token_signature",
        "the token's signature is not by its issuer",
    ),
    "signature cut": (
        lambda: (lambda t: f"{t[0]}.{t[1]}.{t[2][:336]}")(sign(claims()).split(".")),
        "token_signature",
        "the token's signature is not by its issuer",
    ),
    "signature left out": (lambda: sign(claims()).rpartition(".")[0] + ".", "token_signature", "not by its issuer"),
    "wrong audience": (lambda: sign(claims(aud="other")), "token_audience", "the token is for another audience"),
    "no audience": (lambda: sign(claims(aud=None)), "token_claims", "the token lacks the claim aud"),
    "wrong issuer": (lambda: sign(claims(iss=URL + "/")), "token_issuer", "the token is by another issuer"),
    "no issuer": (lambda: sign(claims(iss=None)), "token_claims", "the token lacks the claim iss"),
    "expired": (lambda: sign(claims(exp=int(time.time()) - 61)), "token_expired", "the token has expired"),
    "no expiry": (lambda: sign(claims(exp=None)), "token_claims", "the token lacks the claim exp"),
    "not yet valid": (lambda: sign(claims(nbf=int(time.time()) + 90)), "token_early", "the token is not valid yet"),
    "issued tomorrow": (lambda: sign(claims(iat=int(time.time()) + 86400)), "token_early", "is not valid yet"),
    "expiry that is none": (lambda: sign(claims(exp="soon")), "token_claims", "what the token says cannot be read"),
    "endless expiry": (lambda: sign(claims(exp=float("inf"))), "token_claims", "what the token says cannot be read"),
    "alg none": (lambda: by_hand({"alg": "none", "kid": "first"}), "token_algorithm", "algorithm is not allowed"),
    "alg None": (lambda: by_hand({"alg": "nOnE", "kid": "first"}), "token_algorithm", "algorithm is not allowed"),
    "no alg": (lambda: by_hand({"kid": "first"}), "token_algorithm", "algorithm is not allowed"),
    "HS256 with the public key": (
        lambda: by_hand({"alg": "HS256", "kid": "first"}, public_pem()),
        "token_algorithm",
        "the token's algorithm is not allowed",
    ),
    "RS256 said, HMAC made": (
        lambda: by_hand({"alg": "RS256", "kid": "first"}, public_pem()),
        "token_signature",
        "signature is not by its issuer",
    ),
    "another key's algorithm": (
        lambda: by_hand({"alg": "ES256", "kid": "first"}, b"x"),
        "token_algorithm",
        "the token's algorithm is not that of its key",
    ),
    "RS384": (
        lambda: jwt.encode(claims(), private("rsa"), "RS384", {"kid": "first"}),
        "token_algorithm",
        "not allowed",
    ),
    "unknown kid": (lambda: sign(claims(), kid="fourth"), "token_key", "by a key that its issuer does not have"),
    "kid of a path": (lambda: sign(claims(), kid="../../../../dev/null"), "token_key", "issuer does not have"),
    "kid of an address": (lambda: sign(claims(), kid="https://evil.example/keys"), "token_key", "does not have"),
    "kid of a database": (lambda: sign(claims(), kid="x' UNION SELECT 'key"), "token_key", "does not have"),
    "kid that is empty": (lambda: by_hand({"alg": "RS256", "kid": ""}), "token_key", "the token's key has no name"),
    "kid that is no text": (lambda: by_hand({"alg": "RS256", "kid": ["first"]}), "token_form", "no signed token"),
    "its own key": (
        lambda: sign(claims(), "rsa-2049", jwk={"kty": "RSA"}, jku="https://evil.example/keys", x5u="file:///dev/null"),
        "token_signature",
        "signature is not by its issuer",
    ),
    "critical extension": (lambda: sign(claims(), crit=["b64"], b64=True), "token_form", "no signed token"),
    "a note of signing out": (lambda: sign(claims(), typ="logout+jwt"), "token_form", "the token is of another kind"),
    "oversized": (lambda: sign(claims(more="x" * 9000)), "token_form", "the token is too long"),
    "two parts": (lambda: "a.b", "token_form", "this is no signed token, and no API key"),
    "six parts": (lambda: "a.b.c.d.e.f", "token_form", "no signed token"),
    "no base64": (lambda: "é.é.é", "token_form", "no signed token"),
    "deep": (
        lambda: base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode() + ".e30.eA",
        "token_form",
        "no signed token",
    ),
    "claims that are no object": (
        lambda: (lambda b: b + "." + "e30")(f"{part({'alg': 'RS256', 'kid': 'first'})}.{part([1])}"),
        "token_signature",
        "signature is not by its issuer",
    ),
    "no name": (lambda: sign(claims(sub=None)), "token_claims", "the token does not say whose it is: the claim sub"),
    "a name with a line break": (lambda: sign(claims(sub="a\nb")), "token_claims", "does not say whose it is"),
    "a name without end": (lambda: sign(claims(sub="a" * 201)), "token_claims", "does not say whose it is"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused_by_the_check_that_it_fails_and_not_repeated(name: str) -> None:
    make, code, words = BAD[name]
    token = make()
    with pytest.raises(AccessError) as caught:
        find(token)
    error = caught.value
    assert (error.status, error.code) == (401, code)
    assert words in error.what
    told = str(error)
    assert not [one for one in {token, *token.split(".")} if len(one) > 3 and one in told]
    assert error.__suppress_context__ or error.__context__ is None  # the library's own words hold parts of the token


@pytest.mark.parametrize("groups", [None, [], ["others"], [1, None, {}], {"staff": True}, "STAFF"])
def test_a_good_token_without_a_role_here(groups: Any) -> None:
    with pytest.raises(AccessError, match="its holder has no role here: no value of the claim groups") as caught:
        find(sign(claims(groups=groups)))
    assert (caught.value.status, caught.value.code) == (403, "no_role")


@pytest.mark.parametrize(
    ("org", "words"),
    [(None, "no tenant"), ("a b", "no tenant"), (["red", "blue"], "several tenants"), ({"x": 1}, "no tenant")],
)
def test_a_good_token_without_a_tenant_here(org: Any, words: str) -> None:
    with pytest.raises(AccessError, match=f"its holder belongs to {words} here: the claim org") as caught:
        find(sign(claims(org=org)), tenant_claim="org")
    assert (caught.value.status, caught.value.code) == (403, "no_tenant")


def test_a_tenant_that_the_settings_do_not_name() -> None:
    with pytest.raises(AccessError, match="belongs to no tenant here"):
        find(sign(claims(org="red")), tenant_claim="org", tenants={"blue": "blue"})
