# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A real server on loopback, and clients that mean it no good. After each of them it answers as before."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve")
httpx = pytest.importorskip("httpx2", reason="needs the extra test")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "core" / "serve"))
from server_process import Process, eventually, metric  # noqa: E402 -- the line above makes it findable

LIMITS = {
    "body_bytes": 65536,
    "body_seconds": 0.5,
    "header_seconds": 0.5,
    "header_bytes": 8192,
    "idle_seconds": 1,
    "write_seconds": 0.5,
    "connections": 40,
    "requests": 16,
}
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def served():
    process = Process(limits=LIMITS)
    yield process
    process.end()


@pytest.fixture
def server(served):
    """The server; afterwards nothing is under way, and it answers."""
    yield served
    assert served.running()
    eventually(lambda: idle(served))
    assert not [line for line in served.log if line["event"] == "not json"]
    assert post(served, "still there").json()["choices"][0]["message"]["content"] == "still there"


def body(text, **more):
    return {"model": "echo", "messages": [{"role": "user", "content": text}], **more}


def post(server, text, **more):
    return httpx.post(server.url + CHAT, json=body(text, **more), timeout=10)


def figures(server):
    return httpx.get(server.url + "/metrics", timeout=10).text


def idle(server):
    text = figures(server)
    names = (
        "http_requests_in_flight",
        "engine_running",
        "engine_waiting",
        "engine_slots_used",
        "engine_cache_tokens_used",
    )
    return all(metric(text, f"tunesmith_{name}") == 0 for name in names)


def head(path=CHAT, length=None, method="POST", more=""):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n" + more + "\r\n").encode()


def request(text, **more):
    content = json.dumps(body(text, **more)).encode()
    return head(length=len(content)) + content


def everything(connection):
    """What comes until the server closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def until(connection, *words):
    """What comes until all of it is there."""
    found = b""
    while not all(word in found for word in words):
        part = connection.recv(65536)
        assert part, found
        found += part
    return found


def status(connection):
    return int(everything(connection).split(b" ", 2)[1])


# ---- what is sent ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET  /  HTTP/9.9\r\n\r\n",
        b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
        b"G" * 20000,
    ],
    ids=[
        "binary",
        "two hosts",
        "version",
        "two lengths",
        "negative",
        "encoding",
        "no host",
        "long header",
        "long line",
    ],
)
def test_what_is_no_http_is_refused(server, garbage):
    with server.connect() as connection:
        connection.sendall(garbage)
        assert 400 <= status(connection) < 500


def test_a_length_and_chunks_at_once_are_not_read_in_two_ways(server):
    with server.connect() as connection:
        smuggled = b"5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n"
        connection.sendall(head(length=4, more="Transfer-Encoding: chunked\r\nConnection: close\r\n") + smuggled)
        answer = everything(connection)
    assert answer.count(b"HTTP/1.1") <= 1


def test_a_body_over_the_limit_is_refused_before_it_is_read(server):
    with server.connect() as connection:
        connection.sendall(head(length=10**12))
        assert status(connection) == 413


def test_a_body_over_the_limit_in_chunks_is_refused(server):
    with server.connect() as connection:
        connection.sendall(head(more="Transfer-Encoding: chunked\r\n"))
        try:
            for _ in range(100):
                connection.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = everything(connection)
    assert not answer or b" 413 " in answer.split(b"\r\n")[0]  # closed while it was still sending: a reset is fine


def test_a_compressed_body_is_refused_unread(server):
    with server.connect() as connection:
        connection.sendall(head(length=100, more="Content-Encoding: gzip\r\n"))
        assert status(connection) == 415


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models/..%2f..%2f..%2fetc%2fpasswd", 404),
        ("/v1/models/../../../etc/passwd", 404),
        ("/v1/models/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/v1/models//etc/passwd", 404),
        ("/v1/models/%00", 404),
        ("/v1/models/echo%00", 404),
        ("/page.html", 404),
        ("//etc/passwd", 404),
        ("/..%5c..%5cwindows", 404),
    ],
)
def test_no_path_leads_to_a_file(server, path, expected):
    with server.connect() as connection:
        connection.sendall(head(path, method="GET", more="Connection: close\r\n"))
        answer = everything(connection)
    assert int(answer.split(b" ", 2)[1]) == expected
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "model", ["../../etc/passwd", "/etc/passwd", "echo\u0000", "echo/../echo", "https://hub/x", "echo:x/../y"]
)
def test_no_model_name_leads_to_a_file(server, model):
    response = httpx.post(server.url + CHAT, json=body("hi") | {"model": model})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


def test_a_foreign_name_for_this_machine_is_refused(server):
    for host, expected in (
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost", 200),
        ("[::1]:80", 200),
    ):
        response = httpx.get(server.url + "/health/live", headers={"Host": host})
        assert response.status_code == expected, host


def test_websockets_and_upgrades_are_not_taken(server):
    more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
    with server.connect() as connection:
        connection.sendall(head("/v1/models", method="GET", more=more))
        assert b" 200 " in connection.recv(65536).split(b"\r\n")[0]


# ---- how slowly it is sent, and read -----------------------------------------------------------


def test_headers_that_do_not_come_end_the_connection(server):
    with server.connect() as silent, server.connect() as slow, server.connect() as half:
        slow.sendall(b"POST /tokenize HTTP/1.1\r\nHost: loc")
        half.sendall(head(length=2) + b"{}")  # a whole request first, then half of another
        assert until(half, b"}}").startswith(b"HTTP/1.1 400")
        half.sendall(b"GET / HT")
        start = time.monotonic()
        for connection in (silent, slow, half):
            assert everything(connection) == b""
        assert time.monotonic() - start < 3


def test_a_header_now_and_then_does_not_buy_time(server):
    with server.connect() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n")
        start = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - start < 5:
                time.sleep(0.1)
                connection.sendall(b"X: y\r\n")
        assert time.monotonic() - start < 3


def test_a_body_that_trickles_is_408(server):
    with server.connect() as connection:
        connection.sendall(head(length=1000))
        start = time.monotonic()
        for _ in range(3):
            connection.sendall(b" ")
            time.sleep(0.1)
        assert status(connection) == 408
        assert time.monotonic() - start < 3


def test_a_body_that_is_never_finished_is_no_request(server):
    with server.connect() as connection:
        connection.sendall(head(length=1000) + b"{")


def test_a_reader_that_does_not_read_is_cut(server):
    before = metric(figures(server), 'tunesmith_engine_requests_total{model="echo",outcome="cancelled"}')
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request("/count 4000 0.0005", stream=True, n=8, logprobs=True, top_logprobs=20))
        eventually(lambda: metric(figures(server), "tunesmith_engine_running") == 1)
        eventually(lambda: metric(figures(server), "tunesmith_engine_running") == 0, 15)
    after = metric(figures(server), 'tunesmith_engine_requests_total{model="echo",outcome="cancelled"}')
    assert after == before + 1


# ---- who goes away -----------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ["/hold 0", "/hold 3"], ids=["before the first token", "between tokens"])
def test_a_client_that_goes_frees_what_it_held(server, text, stream):
    before = metric(figures(server), 'tunesmith_engine_requests_total{model="echo",outcome="cancelled"}')
    with server.connect() as connection:
        connection.sendall(request(text, stream=stream))
        eventually(lambda: metric(figures(server), "tunesmith_engine_running") == 1)
        if stream and text == "/hold 3":
            until(connection, b"w2")
    eventually(lambda: metric(figures(server), "tunesmith_engine_running") == 0)
    after = metric(figures(server), 'tunesmith_engine_requests_total{model="echo",outcome="cancelled"}')
    assert after == before + 1


def test_a_client_that_goes_while_it_waits_leaves_the_queue(server):
    connections = [server.connect() for _ in range(6)]  # four slots, two in the queue
    for connection in connections:
        connection.sendall(request("/hold 0"))
    eventually(lambda: metric(figures(server), "tunesmith_engine_waiting") == 2)
    for connection in reversed(connections):
        connection.close()
    eventually(lambda: idle(server))


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/classify"])
def test_a_client_that_goes_cancels_other_requests_too(server, path):
    content = json.dumps({"model": "echo", "input": "/hold"}).encode()
    with server.connect() as connection:
        connection.sendall(head(path, len(content)) + content)
        eventually(lambda: metric(figures(server), "tunesmith_engine_running") == 1)
    eventually(lambda: idle(server))


def test_a_client_that_closes_its_half_is_gone(server):
    with server.connect() as connection:
        connection.sendall(request("/hold 0"))
        eventually(lambda: metric(figures(server), "tunesmith_engine_running") == 1)
        connection.shutdown(socket.SHUT_WR)
        eventually(lambda: idle(server))


def test_a_reset_is_a_client_that_goes(server):
    connection = server.connect()
    connection.sendall(request("/hold 2", stream=True))
    eventually(lambda: metric(figures(server), "tunesmith_engine_running") == 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()
    eventually(lambda: idle(server))


def test_pipelined_requests_are_answered_in_their_order(server):
    with server.connect() as connection:
        connection.sendall(request("one") + request("two"))
        answers = until(connection, b'"one"', b'"two"')
    assert answers.index(b'"one"') < answers.index(b'"two"')


# ---- how many there are ------------------------------------------------------------------------


def test_too_many_at_once_are_told_to_come_again(server):
    connections = [server.connect() for _ in range(8)]
    for connection in connections:
        connection.sendall(request("/hold 0"))
    eventually(lambda: metric(figures(server), "tunesmith_engine_waiting") == 4)
    response = post(server, "one more")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert response.json()["error"]["code"] == "busy"
    assert httpx.get(server.url + "/health/ready").status_code == 200
    for connection in connections:
        connection.close()


def test_too_many_connections_are_sent_away(server):
    connections = [server.connect() for _ in range(60)]
    try:
        away = [connection for connection in connections[-10:] if connection.recv(65536).startswith(b"HTTP/1.1 503")]
        assert len(away) == 10
    finally:
        for connection in connections:
            connection.close()


def test_one_that_fails_hurts_nobody_else(server):
    with server.connect() as connection:
        connection.sendall(request("/count 20 0.02"))
        assert post(server, "/fail 1").status_code == 500
        assert post(server, "/large").status_code == 422
        until(connection, b'"w0 w1 ', b" w19 ")


def test_the_log_is_json_and_has_no_prompt_and_no_line_of_a_clients_own(server):
    evil = '\n{"event": "forged"}\x1b[2J'
    httpx.post(server.url + CHAT, json=body("a-secret-prompt") | {"model": "echo" + evil})
    httpx.get(server.url + "/v1/models/x%0a%7b%22event%22%3a%22forged%22%7d")
    with server.connect() as connection:
        connection.sendall(
            head("/health/live", method="GET", more="X-Request-Id: a\x1b[31m b\r\nConnection: close\r\n")
        )
        everything(connection)
    assert post(server, "/fail 1").status_code == 500
    eventually(lambda: any(line["event"] == "failure" for line in server.log))
    text = "".join(server.raw_log)
    assert "a-secret-prompt" not in text
    assert "/srv/models/secret-path" not in text
    assert "\x1b" not in text
    assert all(line["event"] != "forged" for line in server.log)
    (failure,) = [line for line in server.log if line["event"] == "failure"][-1:]
    assert failure["error"] == "RuntimeError"
    assert any("echo.py" in place for place in failure["places"])


# ---- keys --------------------------------------------------------------------------------------


def test_a_key_is_in_no_log_and_no_answer():
    key = "sk-0123456789abcdefghij"
    process = Process(environment={"TUNESMITH_SERVE_KEY": key})
    try:
        with httpx.Client(base_url=process.url) as client:
            for given in (key, key[:-1], key + "x", key.upper(), ""):
                response = client.get("/v1/models", headers={"Authorization": f"Bearer {given}"} if given else {})
                assert response.status_code == (200 if given == key else 401), given
                assert key not in response.text
            assert client.get("/metrics").status_code == 401
            assert client.get("/health/ready").status_code == 200
    finally:
        process.end()
    text = "".join(process.raw_log)
    assert key[:8] not in text
    assert [line["status"] for line in process.log if line["event"] == "request"] == [200, 401, 401, 401, 401, 401, 200]
    assert process.log[0]["caller"] == "TUNESMITH_SERVE_KEY"


# ---- the end -----------------------------------------------------------------------------------


def test_the_first_signal_drains():
    process = Process(drain_seconds=10)
    try:
        with httpx.Client(base_url=process.url, timeout=10) as client, process.connect() as running:
            running.sendall(request("/count 60 0.02", stream=True))
            eventually(lambda: metric(figures(process), "tunesmith_engine_running") == 1)
            assert client.get("/health/ready").status_code == 200
            process.signal()
            eventually(lambda: client.get("/health/ready").status_code == 503)
            assert client.get("/health/live").status_code == 200
            refused = client.post(CHAT, json=body("new"))
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "draining"
            assert "retry-after" in refused.headers
            answer = everything(running)
        assert b"w59 " in answer
        assert b"data: [DONE]" in answer
        assert process.wait() == 0
        told = process.figures()
        assert (told["done"], told["cancelled"], told["running"], told["closed"]) == (1, 0, 0, True)
    finally:
        process.end()


def test_what_does_not_end_in_time_is_cut():
    process = Process(drain_seconds=0.3)
    try:
        with process.connect() as running:
            running.sendall(request("/hold 1", stream=True))
            eventually(lambda: metric(figures(process), "tunesmith_engine_running") == 1)
            start = time.monotonic()
            process.signal(signal.SIGINT)
            assert process.wait() == 0
            assert time.monotonic() - start < 5
        told = process.figures()
        assert (told["running"], told["cancelled"]) == (0, 1)
    finally:
        process.end()


def test_the_second_signal_cuts():
    process = Process(drain_seconds=60)
    try:
        with process.connect() as running:
            running.sendall(request("/hold 1"))
            eventually(lambda: metric(figures(process), "tunesmith_engine_running") == 1)
            process.signal()
            eventually(lambda: any(line["event"] == "draining" for line in process.log))
            start = time.monotonic()
            process.signal()
            assert process.wait() == 0
            assert time.monotonic() - start < 4
        assert process.figures()["closed"] is True
    finally:
        process.end()


def test_a_mixed_crowd_leaves_nothing_behind(server):
    """Everything at once, for two seconds or as many as SERVE_SOAK_SECONDS says; nothing is held afterwards."""
    seconds = float(os.environ.get("SERVE_SOAK_SECONDS", "2"))
    client(server, 0, time.monotonic() + 0.5)  # what is made on first use is there from now on
    eventually(lambda: idle(server))
    before = server.held()
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=client, args=(server, number, until)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: idle(server), 10)
    if before is not None:
        eventually(lambda: server.held()[0] <= before[0] + 2, 10)  # descriptors; two of the looks themselves
        assert server.held()[1] < before[1] + 64 * 2**20  # bytes


def client(server, number, until):
    """Streams and goes, is answered, sends half, waits for ever, floods; in turn."""
    turn = number
    while time.monotonic() < until:
        turn += 1
        with suppress(OSError), server.connect() as connection:
            if turn % 5 == 0:
                connection.sendall(request(f"/count {turn % 50}1 0.001", stream=True))
                connection.recv(100)
            elif turn % 5 == 1:
                connection.sendall(request("a b c"))
                connection.recv(65536)
            elif turn % 5 == 2:
                connection.sendall(request("/fail 1", stream=True)[:-3])
            elif turn % 5 == 3:
                connection.sendall(request("/hold 1"))
                time.sleep(0.01)
            else:
                connection.sendall(request("x " * 10000) * 3)
