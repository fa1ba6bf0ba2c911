# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Servers that are broken, lie, or are none; and leases that are not what was asked for."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from certificates import Authority
from desk import DAY, NOW, new_key
from lending import DISTRIBUTED, serving

from tunesmith.errors import SettingsError, SignedDocumentError
from tunesmith.licensing import armor, sign
from tunesmith.licensing.contents import Lease
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.leasing import LicenseServer, asking
from tunesmith_enterprise.leasing.asking import Declined, NoAnswer, ask
from tunesmith_enterprise.leasing.checking import covers, read_lease, read_pool
from tunesmith_enterprise.server.running import Listening
from tunesmith_enterprise.server.storage import DATABASE

SECOND = timedelta(seconds=1)


def read_request(connection):
    """All of it: what is left unread when a connection is closed cuts the answer off."""
    content = b""
    while b"\r\n\r\n" not in content:
        content += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = content.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head.lower())
    missing = (int(found[1]) if found else 0) - len(body)
    while missing > 0 and (piece := connection.recv(65536)):
        missing -= len(piece)


@contextmanager
def answering(*pieces, pause=0.0):
    """A server that sends these bytes to whoever connects, whatever is asked; counts who did."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    end = threading.Event()
    asked = []

    def run():
        while not end.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                continue
            asked.append(1)
            with connection:
                connection.settimeout(1)
                try:
                    read_request(connection)
                    for piece in pieces:
                        connection.sendall(piece)
                        if end.wait(pause):
                            break
                except OSError:
                    continue

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        end.set()
        thread.join()
        listener.close()


def http(status, body, *headers):
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


HOSTILE = {
    "garbage": ([b"\x00\xff" * 100], "", 3),
    "nothing": ([b""], "", 3),
    "a web page": ([http("200 OK", b"<html>log in</html>")], "no answer of a license server (HTTP 200", 1),
    "JSON of something else": ([http("200 OK", b'{"hello": 1}')], "has no pool", 1),
    "a list": ([http("200 OK", b"[]")], "no answer of a license server", 1),
    "a name twice": ([http("200 OK", b'{"lease":"a","lease":"b"}')], "no answer of a license server", 1),
    "a redirect": ([http("302 Found", b"", "location: http://127.0.0.1:1/")], "points to another address", 1),
    "a proxy's 403": ([http("403 Forbidden", b"<html>")], "no answer of a license server (HTTP 403", 1),
    "500": ([http("500 Internal Server Error", b"")], "trouble of its own (HTTP 500)", 3),
    "503 in words": (
        [http("503 Unavailable", b'{"error":{"code":"storage","message":"disk \\u001b[31mfull"}}')],
        "trouble of its own (HTTP 503): disk  [31mfull",
        3,
    ),
    "compressed": ([http("200 OK", b"\x1f\x8b" * 50, "content-encoding: gzip")], "compressed", 1),
    "a body that breaks off": ([b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"], "", 3),
    "much too much": (
        [b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n", *[b"x" * 65536] * 40],
        "more than 1,048,576 bytes",
        1,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_server_sends_it_is_no_answer_and_not_an_invalid_license(name, make_node):
    pieces, words, tries = HOSTILE[name]
    with answering(*pieces) as (address, asked), pytest.raises(LicenseError) as caught:
        make_node(address=address).acquire()
    assert caught.value.code == "no-server"
    assert words in caught.value.given
    assert "\x1b" not in str(caught.value)
    assert len(asked) == tries


@pytest.mark.parametrize(
    ("pieces", "pause"),
    [([b""] * 100, 1.0), ([b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n", *[b"x"] * 100], 0.05)],
    ids=["that hangs", "that drips"],
)
def test_a_server_that_hangs_is_left_in_time(make_node, monkeypatch, pieces, pause):
    monkeypatch.setattr(asking, "_READ", 0.2)
    monkeypatch.setattr(asking, "_CONNECT", 0.2)
    with answering(*pieces, pause=pause) as (address, _):
        began = time.monotonic()
        with pytest.raises(LicenseError) as caught:
            make_node(address=address).acquire()
    assert caught.value.code == "no-server"
    assert time.monotonic() - began < 4


def test_the_environments_proxy_does_not_get_to_see_the_secret(site, make_node, monkeypatch, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a-secret-of-the-site\n")
    with answering(http("200 OK", b"{}")) as (proxy, asked):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("ALL_PROXY", proxy)
        with serving(site.service, Listening(port=0, secret="a-secret-of-the-site")) as address:
            assert make_node(address=address, secret_file=secret).acquire().seat.answered
    assert asked == []


def test_a_wrong_secret_is_told_and_is_no_invalid_license(site, make_node, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the-secret-of-another-site")
    listening = Listening(port=0, secret="a-secret-of-the-site")
    with serving(site.service, listening) as address, pytest.raises(LicenseError) as caught:
        make_node(address=address, secret_file=secret).acquire()
    assert caught.value.code == "no-server"
    assert "asks for a shared secret" in caught.value.given
    assert "another-site" not in str(caught.value)


def test_over_tls_the_server_is_known_by_its_authority(site, make_node, tmp_path):
    authority, strangers = Authority(tmp_path / "ca"), Authority(tmp_path / "other", "strangers")
    server, mine = authority.issue("server"), authority.issue("client")
    listening = Listening(
        port=0, certificate=server.certificate, private_key=server.key, client_authority=authority.file
    )
    with serving(site.service, listening) as address:
        own = {"certificate": mine.certificate, "private_key": mine.key}
        with pytest.raises(LicenseError) as caught:
            make_node("node-b", address, authority=strangers.file, **own).acquire()
        assert "TLS" in caught.value.given
        assert "license_server_ca" in caught.value.given
        with pytest.raises(LicenseError) as caught:
            make_node("node-c", address, authority=authority.file).acquire()
        assert caught.value.code == "no-server"
        assert make_node("node-d", address, authority=authority.file, **own).acquire().seat.answered
        missing = replace(make_node("node-e", address).server, authority=tmp_path / "none.pem")
        with pytest.raises(SettingsError, match="license_server_ca"):
            ask(missing, "GET", "/v1/status")


def test_a_secret_file_that_cannot_be_used_is_told(tmp_path):
    for path, content in ((tmp_path / "none", None), (tmp_path / "empty", ""), (tmp_path / "two", "a b")):
        if content is not None:
            path.write_text(content)
        with pytest.raises(SettingsError, match="secret"):
            ask(LicenseServer("http://127.0.0.1:9", secret_file=path), "GET", "/v1/status")


# ---- what a lease says -----------------------------------------------------------------------------------------------


@pytest.fixture
def lease(site):
    """A good lease, to be changed."""
    return Lease(
        pool_id="pool-1",
        lease_id="lease-1",
        serial=7,
        node="node-a",
        nonce="nonce-a",
        features=DISTRIBUTED,
        granted_at=NOW,
        expires_at=NOW + 60 * SECOND,
        open_until=NOW + DAY,
    )


@pytest.fixture
def reading(site, away):
    """Reads a lease as the answer to the question of node-a."""

    def read(lease, *, pool=None, key=None, nonce="nonce-a", first=True, features=DISTRIBUTED):
        text = armor(sign(lease.payload(), "lease", [key or site.key._private]))
        found = read_pool(pool or site.pool_file.read_text(), away.evidence)
        return read_lease(text, found, away.evidence, node="node-a", nonce=nonce, features=features, first=first)

    return read


def test_a_good_lease_is_read(reading, lease):
    assert reading(lease) == lease


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pool_id": "pool-2"}, "another pool"),
        ({"node": "node-b"}, "another node"),
        ({"nonce": "an-old-one"}, "perhaps an old answer was played back"),
        ({"features": {"distributed": {"gpus": 9}}}, "other features than were asked for"),
        ({"granted_at": NOW - 25 * timedelta(hours=1)}, "more than a day apart"),
        ({"granted_at": NOW + DAY + SECOND, "expires_at": NOW + 2 * DAY}, "more than a day apart"),
        ({"expires_at": NOW + 61 * SECOND}, "longer than its pool allows"),
        ({"open_until": NOW + DAY + SECOND}, "longer than its pool allows"),
        ({"borrowed": True, "expires_at": NOW + 31 * DAY, "open_until": NOW}, "longer than its pool allows"),
    ],
)
def test_a_lease_that_is_not_the_answer_to_the_question_is_refused(reading, lease, changes, words):
    with pytest.raises(SignedDocumentError, match=words):
        reading(replace(lease, **changes))


def test_clocks_may_be_a_day_apart(reading, lease):
    for hours in (-23, 23):
        at = NOW + timedelta(hours=hours)
        assert reading(replace(lease, granted_at=at, expires_at=at + 60 * SECOND, open_until=at)).granted_at == at


def test_a_lease_of_another_key_is_refused(reading, lease, site):
    with pytest.raises(SignedDocumentError, match="nobody who may sign a lease"):
        reading(lease, key=new_key())
    with pytest.raises(SignedDocumentError, match="nobody who may sign a lease"):
        reading(lease, key=site.desk.issuer)


def test_a_first_lease_does_not_outlive_its_pool_and_a_renewed_one_may(reading, lease, site):
    site.pool(expires_at=NOW + 30 * SECOND, grace_days=0)
    with pytest.raises(SignedDocumentError, match="longer than its pool"):
        reading(lease)
    assert reading(lease, first=False) == lease
    site.pool(expires_at=NOW + 30 * SECOND, grace_days=0, maintenance_until=NOW)  # this build was made before that
    assert reading(lease) == lease


def test_a_lease_with_a_feature_that_the_pool_has_not_is_refused(reading, lease):
    with pytest.raises(SignedDocumentError, match="a feature that its pool has not"):
        reading(replace(lease, features={"optimizations": {}}), features={"optimizations": {}})


def test_a_pool_of_another_vendor_or_product_is_refused(reading, lease, site):
    with pytest.raises(SignedDocumentError, match="nobody who may sign a pool"):
        reading(lease, pool=armor(sign(b'{"schema":1}', "pool", [new_key()])))
    site.pool(product="something-else")
    with pytest.raises(SignedDocumentError, match="another product"):
        reading(lease)
    with pytest.raises(SignedDocumentError, match="sent no pool"):
        reading(lease, pool=armor(site.desk.license()))


def test_a_lease_is_enough_for_what_it_counts():
    assert covers({"distributed": {"gpus": 4}}, {"distributed": {"gpus": 4}})
    assert covers({"distributed": {"gpus": 4}, "governance": {}}, {"governance": {}})
    assert not covers({"distributed": {"gpus": 4}}, {"distributed": {"gpus": 5}})
    assert not covers({"distributed": {}}, {"distributed": {"gpus": 1}})
    assert not covers({"distributed": {}}, {"governance": {}})


# ---- a server that was set back --------------------------------------------------------------------------------------


def set_back(site):
    """The database as it was before the last claims."""
    site.service.close()
    site.opened.clear()
    site._service = None
    for suffix in ("", "-wal", "-shm"):
        path = site.folder / (DATABASE + suffix)
        path.unlink(missing_ok=True)
        if (old := site.folder / (DATABASE + suffix + ".old")).exists():
            old.rename(path)


def test_a_server_whose_database_was_set_back_is_not_believed(site, make_node):
    site.claim()
    site.service.close()
    site.opened.clear()
    site._service = None
    (site.folder / f"{DATABASE}.old").write_bytes((site.folder / DATABASE).read_bytes())
    with serving(site.service) as address:
        node = make_node(address=address)
        for _ in range(3):
            node.acquire().release()
    set_back(site)
    with serving(site.service) as address:
        node.server = replace(node.server, url=address)
        with pytest.raises(LicenseError) as caught:
            node.acquire()
        assert caught.value.code == "no-server"
        assert "its count of leases has gone back: 2 after 4" in caught.value.given
        assert "replaced by an older one" in caught.value.given
        stranger = make_node("node-z", address)  # who never asked it cannot know
        assert stranger.acquire().seat.answered


def test_answers_that_cross_on_their_way_are_no_sign_of_that(site, node):
    """Two processes of one node: the one that asked first may read its answer last."""
    marks = node.keeping.marks()
    first = node.client.take(DISTRIBUTED)
    second = node.client.take(DISTRIBUTED)
    node.client.remember(second)
    node.client._above(first.lease, first.pool, node.keeping.mark_of(marks, first.pool))
    node.client.remember(first)
    assert node.keeping.mark_of(node.keeping.marks(), first.pool) == second.lease.serial


def test_a_server_with_a_new_key_counts_from_one_again(site, node, tmp_path):
    node.acquire().release()
    pool = read_pool(site.pool_file.read_text(), node.evidence)
    other = read_pool(armor(site.desk.pool(new_key())), node.evidence)
    assert node.keeping.mark_of(node.keeping.marks(), pool) == 1
    assert node.keeping.mark_of(node.keeping.marks(), other) == 0


def test_what_the_server_declines_keeps_its_words_fit_for_a_terminal():
    body = json.dumps(
        {"error": {"code": "no-seat", "message": "none\x1b[2J", "holders": [{"node": "a\x07", "seats": 1}]}}
    )
    with (
        answering(http("409 Conflict", body.encode(), "retry-after: 9")) as (address, _),
        pytest.raises(Declined) as caught,
    ):
        ask(LicenseServer(address), "POST", "/v1/leases", {})
    assert (caught.value.code, caught.value.retry_after) == ("no-seat", 9)
    assert "\x1b" not in caught.value.message


def test_nobody_listening_is_no_answer():
    with pytest.raises(NoAnswer):
        ask(LicenseServer("http://127.0.0.1:9"), "GET", "/v1/status")


def test_without_the_package_that_asks_the_way_to_get_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(SettingsError, match=r"tunesmith-enterprise\[client\]"):
        ask(LicenseServer("http://127.0.0.1:9"), "GET", "/v1/status")


def test_nothing_of_the_network_is_loaded_before_a_server_is_asked():
    program = (
        "import sys, tunesmith_enterprise.leasing, tunesmith_enterprise.commands.lease;"
        "tunesmith_enterprise.leasing.configured({'XDG_CONFIG_HOME': '/nonexistent'});"
        "print([name for name in ('httpx', 'sqlalchemy', 'fastapi', 'torch', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "[]", done.stderr
