# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The keys of an issuer: when they are fetched, how long they count, and which of what is fetched counts at all."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import jwt
import pytest
from access_site import Issuer, Site, ask, jwk, oidc_settings, sign

from tunesmith.serve import AccessError, Application
from tunesmith_enterprise.governance.access.issuer import IssuerKeys, NoKeys, fetch_keys
from tunesmith_enterprise.governance.access.serving import open_access
from tunesmith_enterprise.governance.access.settings import OidcSettings

# ---- keys of the issuer ----------------------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Gives what it holds, and counts how often it was asked."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.calls = 0
        self.away = False

    def __call__(self) -> dict[str, jwt.PyJWK]:
        self.calls += 1
        if self.away:
            raise NoKeys("it does not answer")
        return {one["kid"]: jwt.PyJWK(one) for one in self.keys}


async def settle() -> None:
    await asyncio.sleep(0.02)


def test_a_new_key_of_the_issuer_is_fetched_and_nobody_makes_us_ask_more_often() -> None:
    source, clock = Source(jwk("rsa", "first")), Clock()
    keys = IssuerKeys(source, clock)

    async def go() -> None:
        keys.start()
        source.keys.append(jwk("ed", "second"))
        for _ in range(5):
            with pytest.raises(AccessError, match="does not have"):
                await keys.key("second")
        assert source.calls == 1
        clock.now += 30
        found = await asyncio.gather(*(keys.key("second") for _ in range(20)))
        assert {one.algorithm_name for one in found} == {"EdDSA"}
        assert source.calls == 2
        for number in range(50):
            clock.now += 1
            with pytest.raises(AccessError, match="does not have"):
                await keys.key(f"unknown {number}")
        assert source.calls == 3

    asyncio.run(go())


def test_a_key_that_the_issuer_took_back_opens_nothing_after_an_hour() -> None:
    source, clock = Source(jwk("rsa", "first"), jwk("ed", "second")), Clock()
    keys = IssuerKeys(source, clock)

    async def go() -> None:
        keys.start()
        source.keys.pop()
        clock.now += 3601
        await keys.key("second")  # the last one: nobody waits for the issuer
        await settle()
        assert source.calls == 2
        with pytest.raises(AccessError, match="does not have"):
            await keys.key("second")
        assert (await keys.key("first")).algorithm_name == "RS256"

    asyncio.run(go())


def test_while_the_issuer_is_away_the_keys_go_on_for_a_day_and_then_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, clock = Source(jwk("rsa", "first")), Clock()
    keys = IssuerKeys(source, clock)

    async def go() -> None:
        keys.start()
        source.away = True
        for _ in range(23):
            clock.now += 3600
            assert (await keys.key("first")).algorithm_name == "RS256"
            await settle()
        clock.now += 3700
        with pytest.raises(AccessError, match="the issuer of tokens does not answer") as caught:
            await keys.key("first")
        assert (caught.value.status, caught.value.code, caught.value.retry_after) == (503, "issuer_away", 30.0)
        source.away = False
        clock.now += 30
        assert (await keys.key("first")).algorithm_name == "RS256"

    asyncio.run(go())
    told = [record.getMessage() for record in caplog.records if record.name == "tunesmith.enterprise.access"]
    assert told == [
        "the keys of the issuer of tokens cannot be fetched: it does not answer; "
        "the keys that are there go on for a day",
        "the issuer of tokens answers again: it has 1 keys",
    ]


def test_an_issuer_that_was_never_there_is_asked_again_every_few_seconds() -> None:
    source, clock = Source(jwk("rsa", "first")), Clock()
    source.away = True
    keys = IssuerKeys(source, clock)

    async def go() -> None:
        keys.start()
        for _ in range(3):
            with pytest.raises(AccessError, match="no token can be checked now") as caught:
                await keys.key("first")
        assert source.calls == 1
        assert caught.value.retry_after == 5.0
        source.away = False
        clock.now += 5
        assert (await keys.key("first")).algorithm_name == "RS256"

    asyncio.run(go())


# ---- over the network ------------------------------------------------------------------------------------------------


def oidc_of(issuer: Issuer, **changes: Any) -> OidcSettings:
    return oidc_settings(issuer=issuer.url, **changes)


def test_keys_are_found_by_the_issuers_own_document_or_at_the_address_of_the_settings(issuer: Issuer) -> None:
    assert list(fetch_keys(oidc_of(issuer))) == ["first"]
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    issuer.asked.clear()
    assert list(fetch_keys(oidc_of(issuer, jwks_url=f"{issuer.url}/other"))) == ["first"]
    assert issuer.asked == ["/other"]


def test_only_public_keys_for_allowed_signatures_count(issuer: Issuer) -> None:
    symmetric = {"kty": "oct", "kid": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}
    issuer.keys = [
        jwk("ed", "good"),
        jwk("rsa-1024", "short"),
        jwk("rsa", "for encryption", use="enc"),
        jwk("rsa", "as HMAC", alg="HS256"),
        jwk("rsa", "none", alg="none"),
        jwk("rsa", "RS512", alg="RS512"),
        jwk("ed", "to sign", key_ops=["sign"]),
        {**jwk("ed", "private"), "d": "AAAA"},
        {**jwk("ed", "number"), "kid": 7},
        jwk("ed", "odd", key_ops=7),
        {**jwk("ed", "broken"), "x": "AA"},
        symmetric,
        "text",  # type: ignore[list-item]
        {},
    ]
    assert list(fetch_keys(oidc_of(issuer))) == ["good"]
    issuer.keys = [symmetric]
    with pytest.raises(NoKeys, match="has no key for RS256, ES256, EdDSA"):
        fetch_keys(oidc_of(issuer))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ({"status": 500}, "answers 500"),
        ({"status": 302}, "answers 302"),
        ({"body": b"<html>"}, "sends what is no JSON"),
        ({"body": b"[1]"}, "sends no object"),
        ({"body": b" " * 300_000}, "sends more than 262,144 bytes"),
        ({"changes": {"issuer": "https://other.example"}}, "is about another issuer: 'https://other.example'"),
        ({"changes": {"jwks_uri": "http://keys.example/"}}, "which is no https address"),
        ({"changes": {"jwks_uri": "file:///etc/passwd"}}, "which is no https address"),
        ({"keys": []}, "has no key for"),
        ({"url": "http://127.0.0.1:1"}, "ConnectError"),
    ],
)
def test_an_issuer_that_answers_otherwise_gives_no_keys(
    issuer: Issuer, harm: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in harm.items():
        setattr(issuer, name, value)
    keys = IssuerKeys(partial(fetch_keys, oidc_of(issuer)))
    keys.start()
    assert words in caplog.text
    assert "/elsewhere" not in issuer.asked
    with pytest.raises(AccessError, match="does not answer"):
        asyncio.run(keys.key("first"))


def test_a_server_takes_keys_and_tokens(site: Site, issuer: Issuer) -> None:
    site.settings(issuer.table(models='["chat"]', classes='["now"]'))
    key = site.key("viewer")
    app = Application({}, access=open_access())
    token = sign(issuer.claims())
    assert ask(app, "GET", "/v1/models", key).status_code == 200
    assert ask(app, "GET", "/v1/models", token).status_code == 200
    assert ask(app, "GET", "/metrics", token).json()["error"]["code"] == "role"  # it has the figures of all tenants
    figures = ask(app, "GET", "/metrics", sign(issuer.claims(groups=["heads"]))).text
    assert 'caller="oidc:ana",status="200",tenant="red"' in figures
    refused = ask(app, "GET", "/admin/adapters", token).json()["error"]
    assert refused["code"] == "role"
    assert ask(app, "GET", "/admin/adapters", sign(issuer.claims(groups=["heads"]))).status_code == 200
    other = ask(app, "POST", "/tokenize", token, json={"model": "other", "prompt": "a"}).json()["error"]
    assert other["code"] == "model_not_allowed"
    expired = ask(app, "GET", "/v1/models", sign(issuer.claims(exp=1)))
    assert (expired.status_code, expired.json()["error"]["code"]) == (401, "token_expired")
    assert "a token of your single sign-on" in ask(app, "GET", "/v1/models").json()["error"]["message"]


def test_a_server_starts_while_the_issuer_is_away_and_its_keys_count(site: Site, issuer: Issuer) -> None:
    site.settings(issuer.table())
    key = site.key("viewer")
    issuer.status = 503
    app = Application({}, access=open_access())
    assert ask(app, "GET", "/v1/models", key).status_code == 200
    away = ask(app, "GET", "/v1/models", sign(issuer.claims()))
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert away.json()["error"]["code"] == "issuer_away"
