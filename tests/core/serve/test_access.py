# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Who gets in: every route is in the table, and what is not in the table is refused."""

import re
import socket

import pytest
from conftest import client_of
from test_chat import error

from tunesmith.errors import RequestError
from tunesmith.serve import Application, Keys
from tunesmith.serve.access import ACCESS, is_loopback
from tunesmith.serve.server import _listen, check_address

USE, ADMIN = "use-key-0123456789", "admin-key-0123456789"
KEYS = Keys.read(None, {"TUNESMITH_SERVE_KEY": USE, "TUNESMITH_SERVE_ADMIN_KEY": ADMIN})


@pytest.fixture
def locked(engine):
    return Application({"echo": engine}, keys=KEYS)


def routes(app):
    return [(method, route.path) for route in app.api.routes for method in route.methods - {"HEAD"}]


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def test_the_table_has_every_route_and_no_other(app):
    assert sorted(routes(app)) == sorted(ACCESS)
    assert {path for (_, path), access in ACCESS.items() if access == "public"} == {
        "/",
        "/health/live",
        "/health/ready",
    }
    assert all(path.startswith("/admin/") == (access == "admin") for (_, path), access in ACCESS.items())


def send(client, method, path, **kwargs):
    body = {"json": {}} if method == "POST" else {}
    return client.request(method, re.sub(r"{.*}", "echo", path), **body, **kwargs)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_every_route_asks_for_what_the_table_says(locked, anyio_backend):
    async with client_of(locked) as client:
        for (method, path), access in ACCESS.items():
            for key, scope in ((None, None), (USE, "use"), (ADMIN, "admin"), ("wrong-key-0123456789", None)):
                status = (await send(client, method, path, headers=bearer(key) if key else {})).status_code
                if access == "public" or scope == "admin" or access == scope:
                    assert status not in (401, 403), (method, path, key)
                else:
                    assert status == (403 if scope == "use" else 401), (method, path, key)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_route_that_is_not_in_the_table_is_open_to_nobody(locked, anyio_backend, monkeypatch):
    async def rogue():
        raise AssertionError("reached")

    monkeypatch.setattr(locked.api.router, "routes", [*locked.api.routes])  # the routes are those of every application
    locked.api.add_api_route("/rogue", rogue)
    monkeypatch.setattr(locked._front._app, "_routes", locked.api.routes)
    async with client_of(locked) as client:
        assert (await client.get("/rogue")).status_code == 401
        for key in (USE, ADMIN):
            response = await client.get("/rogue", headers=bearer(key))
            assert response.json()["error"]["code"] == "no_access_rule"
            assert response.status_code == 403


def test_without_keys_everybody_here_may_use_and_nobody_may_administer(ask):
    assert ask("/v1/models").status_code == 200
    assert ask("/metrics").status_code == 200
    error(ask("/admin/adapters"), 403, None, "scope admin")
    error(ask("/admin/adapters/load", {"name": "x"}), 403, None, "--key-file")


@pytest.mark.parametrize(
    "header",
    [
        "", "Bearer", "Bearer ", USE, f"Basic {USE}", f"Bearer {USE}x", f"Bearer {USE[:-1]}", f"Bearer {USE.upper()}",
        f"Bearer {USE} {USE}", "Bearer \xff\xfe",
    ],
)  # fmt: skip
def test_anything_but_the_key_is_401(ask, locked, header):
    response = ask("/v1/models", of=locked, headers={"Authorization": header.encode("latin-1")})
    assert error(response, 401, None, "Authorization: Bearer KEY")["code"] == "invalid_api_key"
    assert response.headers["www-authenticate"] == "Bearer"
    assert USE not in response.text


def test_the_scheme_may_be_written_in_any_case(ask, locked):
    for scheme in ("bearer", "BEARER"):
        assert ask("/v1/models", of=locked, headers={"Authorization": f"{scheme} {USE}"}).status_code == 200


def test_a_stranger_cannot_tell_what_there_is(ask, locked):
    for path in ("/v1/models", "/nothing", "/admin/adapters", "/metrics", "/openapi.json"):
        assert ask(path, of=locked).status_code == 401
    assert ask("/v1/models", {}, of=locked).status_code == 401  # another method


def test_nothing_and_another_method(ask):
    error(ask("/nothing"), 404, None, "openapi.json")
    response = ask("/v1/models", {})
    error(response, 405, None, "GET")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1", "", "0.0.0.0"]
)
def test_names_that_are_not_this_machines_are_not_answered(ask, host):
    assert error(ask("/v1/models", headers={"Host": host}), 421, None, "localhost")["code"] == "wrong_host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "127.0.0.2", "[::1]", "[::1]:80"])
def test_names_that_are(ask, host):
    assert ask("/v1/models", headers={"Host": host}).status_code == 200


def test_beyond_this_machine_any_name_is_answered_with_a_key(ask, engine):
    app = Application({"echo": engine}, keys=KEYS, loopback=False)
    assert ask("/v1/models", of=app, headers={"Host": "models.example", **bearer(USE)}).status_code == 200
    assert ask("/v1/models", of=app, headers={"Host": "models.example"}).status_code == 401


def test_pages_of_others_are_refused_and_told_nothing(ask):
    for origin in ("http://evil.example", "null", "http://localhost:1234", "file://"):
        response = ask("/v1/models", headers={"Origin": origin})
        error(response, 403, None, "other sites")
        assert not [name for name in response.headers if name.startswith("access-control")]
    assert ask("/v1/models", headers={"Origin": "http://localhost"}).status_code == 200


def test_a_header_that_decides_comes_once(ask, locked):
    headers = [("Authorization", "Bearer x"), ("Authorization", f"Bearer {USE}")]
    error(ask("/v1/models", of=locked, headers=headers), 400, None, "once")


def test_headers_are_bounded(ask):
    assert ask("/v1/models", headers={"X": "a" * 40_000}).status_code == 431
    assert ask("/v1/models?" + "a" * 40_000).status_code == 431


@pytest.mark.parametrize(("host", "own"), [("127.0.0.1", True), ("::1", True), ("localhost.", True), ("::", False)])
def test_what_is_this_machines_own(host, own):
    assert is_loopback(host) is own


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_that_others_reach_needs_a_key(host):
    with pytest.raises(RequestError) as caught:
        check_address(host, Keys())
    for word in (f"--host {host}", "--key-file FILE", "TUNESMITH_SERVE_KEY", "secrets.token_urlsafe"):
        assert word in str(caught.value)
    assert check_address(host, KEYS) == host
    assert check_address("localhost", Keys()) in ("127.0.0.1", "::1")


def test_an_address_that_is_none():
    with pytest.raises(RequestError, match="there is no such address to listen on"):
        check_address("no such host", Keys())


def test_the_body_of_an_answer_does_not_wait_for_the_acknowledgement_of_its_head():
    """Without it every answer on an open connection takes 40 ms longer."""
    with (
        _listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
