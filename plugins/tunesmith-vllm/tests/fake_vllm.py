# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A stand-in for the command ``vllm``, started as a process: it answers with what it was asked.

``--fake MODE``: ``die`` (it ends at once), ``hang`` (it never listens), ``stubborn`` (it ignores SIGTERM, and has a
child).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

parser = argparse.ArgumentParser()
parser.add_argument("command", choices=["serve"])
parser.add_argument("model")
parser.add_argument("--host", required=True)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--served-model-name", required=True)
parser.add_argument("--generation-config", required=True)
parser.add_argument("--max-num-seqs", type=int, required=True)
parser.add_argument("--fake", default="")
asked = parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200, {})
        elif self.allowed():
            self.answer(200, {"data": [{"id": asked.served_model_name, "max_model_len": 321}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.allowed():
            return
        if "die now" in json.dumps(body):
            print("out of memory, it says", flush=True)
            os._exit(7)
        said = json.dumps({"path": self.path, "body": body, "argv": sys.argv[1:], "env": sorted(os.environ)})
        self.send_response(200)
        self.end_headers()
        for event in (
            {"choices": [{"index": 0, "text": said, "finish_reason": None}]},
            {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
        ):
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def allowed(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {os.environ['VLLM_API_KEY']}":
            return True
        self.answer(401, {"error": {"message": "no key"}})
        return False

    def answer(self, status: int, content: Any) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: Any) -> None:
        return


print("vLLM, or what looks like it", flush=True)
if asked.fake == "die":
    sys.exit("no GPU was found")
if asked.fake == "hang":
    time.sleep(60)
if asked.fake == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print("child", child.pid, flush=True)
ThreadingHTTPServer((asked.host, asked.port), Handler).serve_forever(0.05)
