# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Row 25, seen from a client: leases that are not its own, and a server that is not what it should be."""

import gzip
import json
import threading
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from desk import DAY, NOW, a_pool, new_key

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import armor, sign
from tunesmith.licensing.contents import Lease
from tunesmith_enterprise.entitlement.evidence import Evidence, Facts
from tunesmith_enterprise.leasing.address import LicenseServer
from tunesmith_enterprise.leasing.asking import Declined, NoAnswer, ask
from tunesmith_enterprise.leasing.checking import read_lease, read_pool

SERVER = new_key()
POOL = a_pool(SERVER, features={"distributed": {"gpus": 16}}, offline_hours=24, lease_seconds=60, borrow_days=30)


def lease(*, signer=SERVER, kind="lease", **changes):
    fields = {
        "pool_id": "pool-1",
        "lease_id": "lease-1",
        "serial": 7,
        "node": "node-1",
        "nonce": "n-1",
        "features": {"distributed": {"gpus": 4}},
        "granted_at": NOW,
        "expires_at": NOW + timedelta(seconds=60),
        "open_until": NOW + timedelta(hours=24),
    }
    return armor(sign(Lease(**(fields | changes)).payload(), kind, [signer]))


def read(desk, text, **changes):
    evidence = Evidence(build=desk.build(), facts=Facts(now=NOW), trust=desk.build().trust)
    asked = {"node": "node-1", "nonce": "n-1", "features": {"distributed": {"gpus": 4}}, "first": True}
    return read_lease(text, POOL, evidence, **(asked | changes))


def test_row_25_the_lease_that_was_asked_for_is_taken(desk):
    assert read(desk, lease()).serial == 7


@pytest.mark.parametrize(("changes", "words"), [
    ({"node": "node-2"}, "another node"),
    ({"nonce": "n-0"}, "an old answer was played back"),
    ({"pool_id": "pool-2"}, "another pool"),
    ({"features": {"distributed": {"gpus": 400}}}, "other features than were asked for"),
    ({"features": {"governance": {}}}, "other features than were asked for"),
    ({"expires_at": NOW + timedelta(seconds=61)}, "longer than its pool allows"),
    ({"open_until": NOW + timedelta(hours=25)}, "longer than its pool allows"),
    ({"borrowed": True, "expires_at": NOW + 31 * DAY}, "longer than its pool allows"),
    ({"granted_at": NOW - 2 * DAY, "expires_at": NOW - 2 * DAY + timedelta(seconds=9)}, "more than a day apart"),
    ({"granted_at": NOW + 2 * DAY, "expires_at": NOW + 2 * DAY + timedelta(seconds=9)}, "more than a day apart"),
    ({"signer": new_key()}, "nobody who may sign a lease"),
    ({"kind": "license"}, "another kind of document than a lease"),
])  # fmt: skip
def test_row_25_a_lease_for_something_else_is_refused_by_what_is_wrong(desk, changes, words):
    with pytest.raises(SignedDocumentError, match=words):
        read(desk, lease(**changes))


def test_row_25_a_lease_holds_no_more_than_its_pool_whatever_its_server_signs(desk):
    """The server is the customer's; the pool is the vendor's, and its limits hold for a server that was changed too."""
    asked = {"distributed": {"gpus": 17}}
    with pytest.raises(SignedDocumentError, match="more gpus of the feature distributed than its pool has"):
        read(desk, lease(features=asked), features=asked)
    asked = {"distributed": {"gpus": 16}}
    assert read(desk, lease(features=asked), features=asked).features == asked
    other = {"governance": {}}
    with pytest.raises(SignedDocumentError, match="a feature that its pool has not"):
        read(desk, lease(features=other), features=other)


def test_row_25_a_pool_is_the_vendors_or_none(desk):
    evidence = Evidence(build=desk.build(), facts=Facts(now=NOW), trust=desk.build().trust)
    assert read_pool(armor(desk.pool(SERVER)), evidence).pool_id == "pool-1"
    for signer in (SERVER, desk.revoker, new_key()):
        with pytest.raises(SignedDocumentError, match=r"nobody who may|do not count here"):
            read_pool(armor(sign(POOL.payload(), "pool", [signer])), evidence)
    with pytest.raises(SignedDocumentError, match="no pool"):
        read_pool(armor(desk.license()), evidence)


class Hostile(BaseHTTPRequestHandler):
    """Answers what its server says, whatever it is asked."""

    def do_GET(self):
        self.server.asked.append(dict(self.headers))
        status, headers, body = self.server.answer
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def serving(status, headers, body):
    with ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as server:
        server.answer, server.asked = (status, headers, body), []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server, LicenseServer(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()


@pytest.mark.parametrize(("status", "headers", "body", "words"), [
    (200, {}, b"<html>log in</html>", "no answer of a license server"),
    (200, {}, b'{"lease":1,"lease":2}', "no answer of a license server"),
    (200, {}, b"[" * 100_000, "no answer of a license server"),
    (200, {}, b"\xff\xfe\x00", "no answer of a license server"),
    (200, {}, b"x" * (2 << 20), "more than 1,048,576 bytes"),
    (200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 1000, mtime=0), "compressed"),
    (418, {}, b"teapot", "no answer of a license server"),
    (500, {}, b"Traceback", "trouble of its own"),
    (503, {}, b"", "trouble of its own"),
    (302, {"Location": "http://example.com/"}, b"", "points to another address"),
])  # fmt: skip
def test_row_25_whatever_a_server_sends_is_no_answer_and_no_invalid_license(status, headers, body, words):
    with serving(status, headers, body) as (server, where), pytest.raises(NoAnswer, match=words):
        ask(where, "GET", "/v1/pools", tries=1)
    assert len(server.asked) == 1


def test_row_25_what_a_server_declines_with_cannot_command_a_terminal():
    said = {"error": {"code": "no-seat\x1b[2J", "message": "\x1b]0;x\x07" + "m" * 9000, "fix": "wait\nand\u202esee"}}
    with serving(409, {}, json.dumps(said).encode()) as (_, where), pytest.raises(Declined) as caught:
        ask(where, "GET", "/v1/pools", tries=1)
    told = caught.value
    for text in (told.code, told.message, told.fix):
        assert text.isprintable()
        assert len(text) <= 300


def test_row_25_a_secret_goes_to_the_license_server_alone(tmp_path):
    """Not along a redirect, and not to a proxy of the environment."""
    secret = tmp_path / "secret"
    secret.write_text("correct-horse-battery-staple-0123456789\n")
    secret.chmod(0o600)
    with serving(200, {}, b"{}") as (other, there):
        headers = {"Location": there.url + "/v1/pools"}
        with serving(307, headers, b"") as (server, where), pytest.MonkeyPatch.context() as monkeypatch:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
                monkeypatch.setenv(name, there.url)
            with pytest.raises(NoAnswer, match="points to another address"):
                ask(LicenseServer(where.url, secret_file=secret), "GET", "/v1/pools", tries=1)
        assert "correct-horse" in str(server.asked)
        assert other.asked == []
