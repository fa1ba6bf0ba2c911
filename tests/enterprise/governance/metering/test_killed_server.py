# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A server that is ended with kill -9 under load: every answer that a client has whole is counted, and none twice."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from licensed import Machine, a_machine

pytest.importorskip("fastapi", reason="needs the extra serve")

from tunesmith_enterprise.governance.metering.counting import Sum, summed
from tunesmith_enterprise.governance.metering.store import months

CLIENTS = 4
BODY = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "one two three"}]})
HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> Machine:
    machine = a_machine(tmp_path, monkeypatch)
    (tmp_path / "usage").mkdir()
    machine.settings(f'[plugins.enterprise]\nusage = "{(tmp_path / "usage").as_posix()}"\n')
    monkeypatch.syspath_prepend(str(root / "tests" / "core" / "serve"))
    return machine


def serving(port: int) -> int:
    """A server in a process of its own: forked, so that it sees the license of this test. Gives its number."""
    child = os.fork()
    if child:
        return child
    try:
        with open("server.log", "wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        from echo import Echo

        from tunesmith.serve import serve

        serve({"echo": Echo()}, port=port)
    finally:
        sys.stderr.flush()
        os._exit(1)


def test_a_killed_server_has_counted_every_whole_answer_and_none_twice(machine: Machine) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = serving(port)
    answers = [0] * CLIENTS
    try:
        until = time.monotonic() + 30
        while not _ready(port):
            assert time.monotonic() < until, Path("server.log").read_text()
            time.sleep(0.02)
        clients = [threading.Thread(target=_asking, args=(port, answers, number)) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        while sum(answers) < 150:
            assert time.monotonic() < until, Path("server.log").read_text()
            time.sleep(0.005)
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
    for client in clients:
        client.join()
    (found,) = [one.counts for month in months(machine.folder / "usage") for one in _sums(machine, month)]
    # A request under way may be counted without its last byte having come; no client has more than one.
    assert sum(answers) <= found["requests"] <= sum(answers) + CLIENTS
    assert found["refused"] == 0
    assert found["completion_tokens"] > 0
    assert found["completion_tokens"] % found["requests"] == 0  # all answers are alike
    assert machine.asked == []  # the license was asked for by the server, once, and not by this process


def _sums(machine: Machine, month: str) -> list[Sum]:
    return summed(machine.folder / "usage", month, [])


def _ready(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _asking(port: int, answers: list[int], number: int) -> None:
    """Ask on one connection until the server is gone, and count the answers that came whole."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        while True:
            connection.request("POST", "/v1/chat/completions", BODY, HEADERS)
            answer = connection.getresponse()
            assert json.loads(answer.read())["choices"]
            answers[number] += 1
    except (OSError, http.client.HTTPException, ValueError):
        return
    finally:
        connection.close()
