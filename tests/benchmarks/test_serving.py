# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Benchmarks of answering run small, so that they cannot rot. No time is judged here."""

import json
import socketserver
import subprocess
import sys
import threading
import time
from typing import ClassVar

import pytest

from tunesmith.testing import tiny_bert


@pytest.fixture
def run(root, tmp_path, forge):
    """Runs a benchmark for two steps; gives what it printed and what it wrote."""

    def ran(name, *arguments):
        out = tmp_path / "result.json"
        done = forge.python(root / "benchmarks" / name, *arguments, "--max-steps", "2", "--out", out)
        assert done.returncode == 0, done.stderr
        return done.stdout, json.loads(out.read_text())

    return ran


def test_the_load_of_clients_is_answered(run):
    arguments = ["--shape", "tiny", "--clients", "2", "--tokens", "6", "--context", "96", "--only", "tunesmith"]
    printed, found = run("serve_load.py", *arguments)
    assert "| tunesmith |" in printed
    figures = found["median"]["tunesmith"]
    assert (figures["whole_2"], figures["failed_2"], figures["refused_2"]) == (4, 0, 0)
    assert figures["events_2"] == 4 * 6
    assert min(figures["tokens_per_second_2"], figures["first_p50_ms_2"]) > 0
    assert figures["between_p99_ms_2"] >= 0  # tokens that are made faster than the server looks come together


def test_a_peer_that_is_not_there_is_left_out_with_a_reason(root):
    command = [sys.executable, str(root / "benchmarks" / "serve_load.py"), "--only", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "llama-server is left out: --llama-server names no program" in done.stderr


class Answers(socketserver.StreamRequestHandler):
    """Refuses the first request, answers the second, breaks the third off."""

    asked = 0
    bodies: ClassVar[list[bytes]] = []

    def handle(self):
        length = 0
        while (line := self.rfile.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.bodies.append(self.rfile.read(length))
        type(self).asked += 1
        if self.asked == 1:
            self.wfile.write(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for event in (b'data: {"text":"a"}\n\nda', b'ta: {"text":"b"}\n\ndata: {"text":"c"'):
            self.wfile.write(event)
            self.wfile.flush()
            time.sleep(0.05)
        if self.asked == 2:
            self.wfile.write(b',"finish_reason":"length"}\n\ndata: [DONE]\n\n')


def test_the_client_counts_what_came_what_was_refused_and_what_failed(root):
    with socketserver.TCPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = {"port": server.server_address[1], "path": "/v1/completions", "body": {"max_tokens": 3}}
        asked |= {"prompts": ["one"], "clients": 1, "answers": 2, "seconds": 30}
        command = [sys.executable, str(root / "benchmarks" / "load_client.py")]
        done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["whole"], found["failed"], found["refused"], found["events"]) == (1, 1, 1, 6)
    assert json.loads(Answers.bodies[0]) == {"max_tokens": 3, "prompt": "one"}
    assert "status b'200', 3 events" in done.stderr
    assert found["between_p99_ms"] > 0


def test_a_shared_prefix_is_timed(run):
    arguments = ["--shape", "tiny", "--shared", "64", "--only", "tunesmith", "transformers"]
    printed, result = run("serve_prefix.py", *arguments)
    assert "| transformers |" in printed
    for figures in result["median"].values():
        assert min(figures["first_ms"], figures["second_ms"], figures["gain"]) > 0


def test_reading_prompts_is_timed(run):
    arguments = ["--shape", "tiny", "--tokens", "32", "--only", "tunesmith", "transformers"]
    _, result = run("serve_prefill.py", *arguments)
    for figures in result["median"].values():
        assert min(figures["tokens_per_second"], figures["ms"]) > 0


def test_classifying_offline_is_timed(run, tmp_path):
    (tmp_path / "test.csv").write_text("text,category\n" + "".join(f"apple {n},fruit\n" for n in range(40)))
    model = tiny_bert(tmp_path / "bert")
    arguments = ["--model", str(model), "--data", str(tmp_path), "--only", "tunesmith", "pipeline, best"]
    _, result = run("serve_classify.py", *arguments)
    assert result["rows"] == 64
    for figures in result["median"].values():
        assert min(figures["rows_per_second"], figures["seconds"]) > 0
