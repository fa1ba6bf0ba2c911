# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The protocol, over real connections."""

import json
import socket
import ssl
import time

import httpx
import pytest
from certificates import Authority
from desk import NOW
from lending import Site, serving

from tunesmith.errors import SettingsError
from tunesmith.licensing import dearmor, parse_json, verify
from tunesmith_enterprise.server import app as application
from tunesmith_enterprise.server.refusals import StorageError
from tunesmith_enterprise.server.running import Listening, listen, read_secret

CLAIM = {"node": "node-a", "nonce": "nonce-a", "features": {"distributed": {}}}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server for the tests that leave it as it was."""
    site = Site(tmp_path_factory.mktemp("http") / "site")
    site.pool(seats=1000)
    with serving(site.service) as address, httpx.Client(base_url=address) as client:
        yield site, client
    site.close()


def error(response):
    return response.json()["error"]


def test_a_lease_is_taken_renewed_and_returned(site):
    with serving(site.service) as address, httpx.Client(base_url=address) as client:
        taken = client.post("/v1/leases", json=CLAIM)
        assert taken.status_code == 201
        body = taken.json()
        assert sorted(body) == ["id", "lease", "pool", "secret"]
        lease = parse_json(verify(dearmor(body["lease"], "lease"), "lease", [site.key.public]))
        assert (lease["lease_id"], lease["nonce"]) == (body["id"], "nonce-a")
        dearmor(body["pool"], "pool")
        own = {"tunesmith-lease-secret": body["secret"]}
        renewed = client.post(f"/v1/leases/{body['id']}/renew", json={"nonce": "nonce-b"}, headers=own)
        assert renewed.status_code == 200
        assert sorted(renewed.json()) == ["id", "lease"]
        assert client.delete(f"/v1/leases/{body['id']}", headers=own).status_code == 204
        assert client.get("/v1/status").json()["pools"][0]["in_use"] == 0


def test_no_seat_is_told_with_the_time_to_come_again(site):
    with serving(site.service) as address, httpx.Client(base_url=address) as client:
        answers = [client.post("/v1/leases", json=CLAIM | {"nonce": f"n{number}"}) for number in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 409]
    assert answers[3].headers["retry-after"] == "60"
    assert error(answers[3])["code"] == "no-seat"
    assert error(answers[3])["holders"] == [{"node": "node-a", "seats": 3}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"[]", "valid dictionary"),
        (b'{"node":"a","node":"b","nonce":"n","features":{"distributed":{}}}', "comes twice"),
        (b"\xff", "not UTF-8"),
        (json.dumps(CLAIM | {"alg": "none"}).encode(), "alg: Extra inputs are not permitted"),
        (json.dumps(CLAIM | {"node": "../../etc"}).encode(), "node: String should match"),
        (json.dumps(CLAIM | {"node": 5}).encode(), "node: Input should be a valid string"),
        (json.dumps(CLAIM | {"features": {}}).encode(), "features"),
        (json.dumps(CLAIM | {"features": {"distributed": {"gpus": -1}}}).encode(), "greater than or equal to 1"),
        (json.dumps(CLAIM | {"features": {"distributed": {"gpus": True}}}).encode(), "valid integer"),
        (json.dumps(CLAIM | {"features": {"distributed": {"gpus": 1.5}}}).encode(), "valid integer"),
        (json.dumps(CLAIM | {"borrow_days": 0}).encode(), "greater than or equal to 1"),
        (b"[" * 5000, "nested too deep"),
    ],
)
def test_a_body_that_is_not_exactly_as_it_should_be_is_refused_and_takes_no_seat(shared, body, words):
    site, client = shared
    answer = client.post("/v1/leases", content=body)
    assert answer.status_code == 400
    assert words in error(answer)["message"]
    assert site.in_use == 0


def test_a_body_that_is_too_large_is_refused_before_it_is_whole(shared):
    _, client = shared
    answer = client.post("/v1/leases", content=b" " * 20_000)
    assert (answer.status_code, error(answer)["code"]) == (413, "too-large")


def test_a_body_that_never_comes_is_given_up(shared, monkeypatch):
    _, client = shared
    monkeypatch.setattr(application, "BODY_SECONDS", 0.2)
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=5) as connection:
        connection.sendall(b"POST /v1/leases HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{")
        began = time.monotonic()
        answer = connection.recv(4096)
    assert b"408" in answer.split(b"\r\n")[0]
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/leases"), ("POST", "/health"), ("GET", "/openapi.json"), ("GET", "/docs")]
)
def test_there_is_nothing_else_than_the_protocol(shared, method, path):
    _, client = shared
    assert client.request(method, path).status_code in (404, 405)


def test_metrics_tell_seats_and_the_end_of_the_pool(shared):
    _, client = shared
    lines = client.get("/metrics").text.splitlines()
    assert 'tunesmith_license_pool_seats{pool="pool-1"} 1000' in lines
    assert 'tunesmith_license_pool_in_use{pool="pool-1"} 0' in lines
    assert f'tunesmith_license_pool_expires_in_seconds{{pool="pool-1"}} {349 * 86400}' in lines


def test_the_server_is_well_while_it_can_write(site, monkeypatch):
    with serving(site.service) as address, httpx.Client(base_url=address) as client:
        assert client.get("/health").json() == {"status": "ok"}

        def broken(*_arguments, **_named):
            raise StorageError("the disk is gone", given="/secret/place")

        monkeypatch.setattr(site.service._storage, "transaction", broken)
        for answer in (client.get("/health"), client.post("/v1/leases", json=CLAIM)):
            assert (answer.status_code, error(answer)["code"], answer.headers["retry-after"]) == (503, "storage", "5")
            assert "/secret/place" not in answer.text


def test_a_mistake_of_ours_is_a_500_without_a_word_of_it(site, monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(site.service, "status", broken)
    with serving(site.service) as address:
        answer = httpx.get(f"{address}/v1/status")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text


def test_without_the_shared_secret_nothing_is_told_and_nothing_given(site):
    listening = Listening(port=0, secret="s3cret-of-the-site")
    with serving(site.service, listening) as address, httpx.Client(base_url=address) as client:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic s3cret-of-the-site"}):
            for answer in (
                client.post("/v1/leases", json=CLAIM, headers=headers),
                client.get("/v1/status", headers=headers),
                client.get("/metrics", headers=headers),
                client.delete("/v1/leases/abc", headers=headers),
                client.post("/v1/leases/abc/renew", json={"nonce": "n"}, headers=headers),
            ):
                assert (answer.status_code, error(answer)["code"]) == (401, "secret")
        assert client.get("/health").status_code == 200
        right = {"authorization": "Bearer s3cret-of-the-site"}
        assert client.post("/v1/leases", json=CLAIM, headers=right).status_code == 201


def test_over_tls_only_clients_of_the_authority_are_let_in(site, tmp_path):
    authority, strangers = Authority(tmp_path / "ca"), Authority(tmp_path / "others", "strangers")
    ours, theirs = authority.issue("server"), strangers.issue("client")
    mine = authority.issue("client")
    listening = Listening(port=0, certificate=ours.certificate, private_key=ours.key, client_authority=authority.file)
    with serving(site.service, listening) as address:
        assert address.startswith("https://")
        for client in (None, theirs):
            context = ssl.create_default_context(cafile=str(authority.file))
            if client is not None:
                context.load_cert_chain(client.certificate, client.key)
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{address}/v1/status", verify=context)
        context = ssl.create_default_context(cafile=str(authority.file))
        context.load_cert_chain(mine.certificate, mine.key)
        assert httpx.get(f"{address}/v1/status", verify=context).status_code == 200


def refused(**named):
    with pytest.raises(SettingsError) as caught:
        Listening(**named)
    return str(caught.value)


def test_a_server_that_others_can_reach_needs_tls_and_has_to_know_who_may_ask(tmp_path):
    files = {"certificate": tmp_path / "c", "private_key": tmp_path / "k"}
    assert "needs TLS" in refused(host="0.0.0.0")
    assert "needs TLS" in refused(host="0.0.0.0", secret="x" * 20)
    assert "needs TLS" in refused(host="license.example.com", secret="x" * 20)
    assert "who may ask" in refused(host="0.0.0.0", **files)
    assert "both" in refused(certificate=tmp_path / "c")
    assert "--client-ca needs TLS" in refused(client_authority=tmp_path / "a")
    Listening(host="0.0.0.0", secret="x" * 20, **files)
    Listening(host="::", client_authority=tmp_path / "a", **files)
    for host in ("127.0.0.1", "::1", "localhost"):
        Listening(host=host)


def test_a_certificate_that_cannot_be_used_is_told(site, tmp_path):
    listening = Listening(port=0, certificate=tmp_path / "none.pem", private_key=tmp_path / "none.key")
    with pytest.raises(SettingsError, match="cannot be used"), serving(site.service, listening):
        pass


@pytest.mark.parametrize(
    "content", ["", "short", "two lines of a secret\nand another one", "ünicode-secret-of-the-site"]
)
def test_a_file_without_a_good_secret_is_refused_without_showing_it(tmp_path, content):
    path = tmp_path / "secret.txt"
    path.write_text(content)
    with pytest.raises(SettingsError, match="does not hold one") as caught:
        read_secret(path)
    assert not content or content not in str(caught.value)


def test_the_secret_is_the_one_line_of_its_file(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text("  a-good-secret-of-the-site\r\n")
    assert read_secret(path) == "a-good-secret-of-the-site"
    with pytest.raises(SettingsError, match="cannot be read"):
        read_secret(tmp_path / "none")


def test_status_tells_pools_and_who_has_their_seats(site):
    site.claim("node-a")
    site.claim("laptop", borrow_days=2)
    shown = site.status().to_json(NOW)
    assert (shown["in_use"], shown["borrowed"], shown["seats"]) == (2, 1, 3)
    assert shown["standing"] == "good until 2027-11-10T12:00:00Z"
    assert {"node": "laptop", "seats": 1} in shown["holders"]
    assert "lease" not in json.dumps(shown).replace("lease_seconds", "")


def test_the_body_of_an_answer_does_not_wait_for_the_acknowledgement_of_its_head():
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_an_address_that_is_taken_is_told():
    with listen("127.0.0.1", 0) as listener, pytest.raises(SettingsError, match="cannot be listened on"):
        listen("127.0.0.1", listener.getsockname()[1])
