# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Tokens that are remembered: one signature is looked at once, and nothing that was good before opens any longer."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import jwt
import pytest
from access_site import URL, Issuer, Site, ask, jwk, oidc_settings, sign

from tunesmith.serve import AccessError, Application
from tunesmith_enterprise.governance.access import tokens as module
from tunesmith_enterprise.governance.access.good_tokens import GoodToken, GoodTokens, Person, digest_of, span_of
from tunesmith_enterprise.governance.access.issuer import IssuerKeys
from tunesmith_enterprise.governance.access.serving import open_access
from tunesmith_enterprise.governance.access.tokens import Tokens

ANA = Person("oidc:ana", "user", "")


def claims(**changes: Any) -> dict[str, Any]:
    return Issuer(url=URL).claims(**changes)


class Desk:
    """Tokens of an issuer whose keys may change, at a time that is set here.

    Attributes:
        keys: that the issuer shows.
        now: seconds since 1970.
        passed: seconds since the keys were fetched first.
    """

    def __init__(self, most: int | None = None, **changes: Any) -> None:
        self.keys = [jwk("rsa", "first"), jwk("ec", "second")]
        self.now = float(int(time.time()))
        self.passed = 0.0
        self.issuer = IssuerKeys(self._fetch, lambda: self.passed)
        self.issuer.start()
        self.tokens = Tokens(oidc_settings(**changes), self.issuer, lambda: self.now)
        if most is not None:
            self.tokens._good = GoodTokens(most)

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        return {one["kid"]: jwt.PyJWK(one) for one in self.keys}

    def find(self, token: str) -> Person:
        return asyncio.run(self.tokens.find(token))

    def fetch_again(self) -> None:
        """As an hour later, when the issuer's answer has come."""
        self.issuer.start()


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tokens whose signatures were looked at, in order."""
    found: list[str] = []
    decode = jwt.decode

    def counted(token: str, *args: Any, **kwargs: Any) -> Any:
        found.append(token)
        return decode(token, *args, **kwargs)

    monkeypatch.setattr(module.jwt, "decode", counted)
    return found


def refused(desk: Desk, token: str) -> str:
    with pytest.raises(AccessError) as caught:
        desk.find(token)
    return caught.value.code


@pytest.mark.parametrize(("kind", "kid"), [("rsa", "first"), ("ec", "second")])
def test_the_signature_of_a_token_is_looked_at_once(checked: list[str], kind: str, kid: str) -> None:
    desk, token = Desk(), sign(claims(), kind, kid)
    assert [desk.find(token) for _ in range(5)] == [ANA] * 5
    assert checked == [token]


def test_each_token_has_its_own_holder(checked: list[str]) -> None:
    desk = Desk()
    one, other = sign(claims()), sign(claims(sub="bob", groups=["heads"]))
    for _ in range(2):
        assert desk.find(one) == ANA
        assert desk.find(other) == Person("oidc:bob", "admin", "")
    assert checked == [one, other]


def test_nothing_of_a_token_is_kept_but_its_digest() -> None:
    desk, token = Desk(), sign(claims())
    desk.find(token)
    ((digest, kept),) = desk.tokens._good._known.items()
    assert digest == digest_of(token)
    assert not [one for one in token.split(".") if one in repr(kept)]


# ---- what ends it ------------------------------------------------------------------------------------------------


def test_a_token_that_expires_while_it_is_remembered_is_refused() -> None:
    desk = Desk(leeway=0)
    desk.tokens._clock = time.time  # as the check itself has it
    ends = int(time.time()) + 3
    token = sign(claims(exp=ends))
    assert [desk.find(token) for _ in range(2)] == [ANA] * 2
    while time.time() < ends:
        time.sleep(0.02)
    assert refused(desk, token) == "token_expired"
    assert len(desk.tokens._good) == 0


@pytest.mark.parametrize(("before", "after"), [({"exp": 100}, 160), ({"exp": 100.9}, 160)])
def test_its_term_ends_at_the_second_at_which_the_check_would_say_so(
    checked: list[str], before: dict[str, float], after: float
) -> None:
    desk = Desk()
    start = desk.now
    token = sign(claims(exp=start + before["exp"]))
    desk.find(token)
    desk.now = start + after - 0.001  # with the leeway of 60 seconds
    desk.find(token)
    assert checked == [token]
    desk.now = start + after
    desk.find(token)
    assert checked == [token, token]


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_where_the_clock_was_set_back_before_its_term_it_is_looked_at_again(checked: list[str], claim: str) -> None:
    desk = Desk()
    token = sign(claims(**{"iat": None, claim: int(desk.now) - 10}))
    desk.find(token)
    desk.now -= 70  # still good: the leeway
    desk.find(token)
    assert checked == [token]
    desk.now -= 0.001
    desk.find(token)
    assert checked == [token, token]


def test_a_key_that_the_issuer_took_back_opens_nothing_that_is_remembered() -> None:
    desk, token = Desk(), sign(claims())
    assert desk.find(token) == ANA
    desk.keys = [jwk("ec", "second")]
    desk.fetch_again()
    assert refused(desk, token) == "token_key"


def test_a_key_that_was_replaced_under_its_name_opens_nothing_that_is_remembered() -> None:
    desk, token = Desk(), sign(claims())
    assert desk.find(token) == ANA
    desk.keys = [jwk("rsa-2049", "first")]
    desk.fetch_again()
    assert refused(desk, token) == "token_signature"
    desk.keys = [jwk("rsa", "first")]
    desk.fetch_again()
    assert desk.find(token) == ANA


def test_with_keys_that_were_fetched_again_each_signature_is_looked_at_again(checked: list[str]) -> None:
    desk, token = Desk(), sign(claims(exp=int(time.time()) + 10**8))
    desk.find(token)
    desk.fetch_again()
    assert [desk.find(token) for _ in range(3)] == [ANA] * 3
    assert checked == [token, token]


def test_what_is_remembered_is_no_way_around_an_issuer_that_is_away_for_a_day() -> None:
    desk, token = Desk(), sign(claims(exp=int(time.time()) + 10**8))
    desk.find(token)
    desk.issuer._fetch = lambda: pytest.fail("it is away")
    desk.passed, desk.issuer._tried = 24 * 3600.0 + 1, 24 * 3600.0
    assert refused(desk, token) == "issuer_away"


def test_a_token_without_a_kid_is_refused_once_the_issuer_has_a_second_key() -> None:
    desk, token = Desk(), sign(claims(), kid=None)
    desk.keys = [jwk("rsa", "first")]
    desk.fetch_again()
    assert desk.find(token) == ANA
    desk.keys.append(jwk("ec", "second"))
    desk.fetch_again()
    assert refused(desk, token) == "token_key"


def test_with_other_settings_the_role_is_another_at_once(checked: list[str]) -> None:
    desk, token = Desk(), sign(claims())
    assert desk.find(token).role == "user"
    desk.tokens = Tokens(oidc_settings(roles={"staff": "viewer"}), desk.issuer)
    assert desk.find(token).role == "viewer"
    desk.tokens = Tokens(oidc_settings(roles={"heads": "admin"}), desk.issuer)
    assert refused(desk, token) == "no_role"
    assert len(checked) == 3


# ---- what is not remembered --------------------------------------------------------------------------------------


def test_a_forged_token_with_the_same_claims_is_refused_beside_the_good_one() -> None:
    desk, told = Desk(), claims()
    good = sign(told)
    assert desk.find(good) == ANA
    head, body, signature = good.split(".")
    forged = [
        sign(told, "rsa-2049"),
        f"{head}.{body}.{sign(told, 'rsa-2049').rpartition('.')[2]}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
    ]
    assert {refused(desk, one) for one in forged} == {"token_signature"}
    assert desk.find(good) == ANA
    assert len(desk.tokens._good) == 1


@pytest.mark.parametrize("changed", [{"groups": ["others"]}, {"aud": "other"}, {"exp": 1}, {"sub": None}])
def test_what_fails_any_check_is_not_remembered(changed: dict[str, Any]) -> None:
    desk = Desk()
    token = sign(claims(**changed))
    assert refused(desk, token) == refused(desk, token)
    assert len(desk.tokens._good) == 0


def test_tokens_that_are_none_push_no_good_one_out(checked: list[str]) -> None:
    desk = Desk(most=2)
    good = [sign(claims(sub=name)) for name in ("ana", "bob")]
    for token in good:
        desk.find(token)
    forged = sign(claims(), "rsa-2049")
    for number in range(20):
        refused(desk, f"garbage.{number}.x")
        refused(desk, f"{forged[:-4]}{number:04}")
    checked.clear()
    for token in good:
        desk.find(token)
    assert checked == []


def test_no_more_are_remembered_than_the_bound_and_the_least_used_goes_first(checked: list[str]) -> None:
    desk = Desk(most=3)
    told = [sign(claims(sub=str(number))) for number in range(4)]
    for number in (0, 1, 2, 0, 3):  # 1 was not used for longest
        desk.find(told[number])
    assert len(desk.tokens._good) == 3
    checked.clear()
    for number in (0, 2, 3, 1):
        desk.find(told[number])
    assert checked == [told[1]]


def test_a_token_that_is_kept_again_takes_one_place() -> None:
    key = jwt.PyJWK(jwk("ec", "second"))
    kept = GoodTokens(2)
    for digest in (b"a", b"b", b"a"):
        kept.keep(digest, GoodToken(None, key, 0.0, 1.0, ANA))
    kept.keep(b"c", GoodToken(None, key, 0.0, 1.0, ANA))
    assert [kept.get(digest) is not None for digest in (b"a", b"b", b"c")] == [True, False, True]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"exp": 100}, (0.0, 160)),
        ({"exp": "100", "nbf": 50.7}, (-10, 160)),
        ({"exp": 100, "nbf": 20, "iat": 90}, (30, 160)),
    ],
)
def test_the_span_of_claims(told: dict[str, Any], expected: tuple[float, float]) -> None:
    assert span_of(told, 60) == expected


def test_a_server_asks_for_the_seat_and_the_role_of_a_remembered_token_each_time(site: Site, issuer: Issuer) -> None:
    site.machine.install(features={"governance": {"seats": 2}})
    site.settings(issuer.table(tenant_claim=""))
    site.key("viewer")
    access = open_access()
    app = Application({}, access=access)
    ana, bob = sign(issuer.claims()), sign(issuer.claims(sub="bob"))
    for _ in range(2):
        assert ask(app, "GET", "/v1/models", ana).status_code == 200
        assert ask(app, "GET", "/admin/adapters", ana).json()["error"]["code"] == "role"
        assert ask(app, "GET", "/v1/models", bob).json()["error"]["code"] == "seats"
    assert access._tokens is not None
    assert len(access._tokens._good) == 2
