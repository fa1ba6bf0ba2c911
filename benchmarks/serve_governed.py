# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What governance adds to a request: the same server with keys only, and governed, side by side.

    python benchmarks/serve_governed.py [--models none] [--requests 2000] [--json]

Two servers in processes of their own: one with a key file, one with all of governance on: the access
``enterprise/access`` (a file of 1,000 API keys, tokens of an issuer on this machine, seats counted), an audit log with
a record of every request, the count of use, and a policy with roles. One client asks them turn about on open
connections, so that whatever else the machine does befalls all alike, and takes the time of each request: ``GET
/v1/models``, which is nothing but the server's own layers, a chat completion of four tokens, and the embeddings of two
texts. The models are random and tiny, so that what they compute hides as little as can be; ``--models none``: none.

The license is by a vendor that exists for this run only: a copy of the package is given its root.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

KEYS = 1000
WARM_UP = 20
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4, "temperature": 0}
EMBEDDINGS = {"model": "embedding", "input": ["hello", "good morning"]}
ASKED: dict[str, tuple[str, dict[str, Any] | None]] = {
    "models": ("/v1/models", None),
    "chat": ("/v1/chat/completions", CHAT),
    "embeddings": ("/v1/embeddings", EMBEDDINGS),
}
POLICY = """
version = 1
contact = "the administrator"
default = "deny"
[models]
allow = ["MODELS/*"]
[engines]
allow = ["native"]
[serve]
addresses = ["127.0.0.0/8"]
access = true
[roles]
default = "operator"
"""
Times = dict[str, list[float]]


def site(folder: Path) -> None:
    """A copy of the package with a root, a license, settings and keys; the key to ask with in ``key``."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    import tunesmith_enterprise
    from tunesmith.licensing import PublicKey, armor, format_timestamp, sign
    from tunesmith.licensing.contents import License, Licensee
    from tunesmith_enterprise.entitlement.build import BUILD, PRODUCT, ROOT
    from tunesmith_enterprise.governance.access.key_file import change_keys, new_key

    package = folder / "site" / "tunesmith_enterprise"
    source = Path(tunesmith_enterprise.__file__).parent
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    now = datetime.now(timezone.utc).replace(microsecond=0)
    vendor = {name: Ed25519PrivateKey.generate() for name in ("root", "issuer", "revocation")}
    roles = {name: {"threshold": 1, "keys": [PublicKey.of(key).text]} for name, key in vendor.items()}
    root = {"schema": 1, "version": 1, "expires": "2099-01-01T00:00:00Z", "roles": roles}
    (package / "placed" / ROOT).write_text(armor(sign(json.dumps(root).encode(), "root", [vendor["root"]])))
    stamp = {"schema": 1, "built_at": format_timestamp(now), "version": "0.1.0"}
    (package / "placed" / BUILD).write_text(json.dumps(stamp))
    terms = License(
        product=PRODUCT,
        license_id="benchmark",
        serial=1,
        licensee=Licensee("Benchmark", "benchmark"),
        edition="Enterprise",
        environment="production",
        features={"governance": {"seats": 2 * KEYS}},
        issued_at=now,
        starts_at=now - timedelta(days=1),
        expires_at=now + timedelta(days=1),
    )
    config = folder / "config" / "tunesmith"
    (config / "licenses.d").mkdir(parents=True)
    license_text = armor(sign(terms.payload(), "license", [vendor["issuer"]]))
    (config / "licenses.d" / "own.lic").write_text(license_text)
    made = [new_key(now, role="user", tenant=f"tenant-{number % 10}") for number in range(KEYS)]
    change_keys(folder / "keys.json", lambda keys: [key for _, key in made])
    (folder / "key").write_text(made[KEYS // 2][0])


def settings(folder: Path, issuer: str) -> None:
    """What the governed server is told: all of governance."""
    (folder / "usage").mkdir()
    (folder / "policy.toml").write_text(POLICY.replace("MODELS", (folder / "models").resolve().as_posix()))
    (folder / "config" / "tunesmith" / "tunesmith.toml").write_text(
        f"""
[plugins.enterprise]
audit_log = "{(folder / "audit.jsonl").as_posix()}"
policy = "{(folder / "policy.toml").as_posix()}"
usage = "{(folder / "usage").as_posix()}"
[plugins.enterprise.access]
keys = "{(folder / "keys.json").as_posix()}"
[plugins.enterprise.access.oidc]
issuer = "{issuer}"
audience = "benchmark"
roles = {{staff = "user"}}
"""
    )


@contextmanager
def an_issuer() -> Iterator[tuple[str, str]]:
    """The address of an issuer on this machine, and a token of it."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(65537, 2048)
    public = {**jwt.get_algorithm_by_name("RS256").to_jwk(private.public_key(), as_dict=True), "kid": "one"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {"issuer": url, "jwks_uri": f"{url}/keys", "keys": [public]}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    claims = {"iss": url, "aud": "benchmark", "sub": "ana", "roles": ["staff"], "exp": int(time.time()) + 3600}
    try:
        yield url, jwt.encode(claims, private, "RS256", {"kid": "one"})
    finally:
        server.shutdown()
        server.server_close()


def make_models(folder: Path) -> None:
    """One that chats and one that gives vectors, both tiny."""
    from tunesmith.recipe import parse_recipe
    from tunesmith.testing import tiny_bert, tiny_llama
    from tunesmith.training import train

    tiny_llama(folder / "models" / "chat")
    tiny_bert(folder / "bert")
    pairs = [{"anchor": f"What is {one}?", "positive": f"It is {one} indeed."} for one in ("red", "green", "blue")]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    job = {
        "task": "embedding",
        "model": str(folder / "bert"),
        "data": {"train": [str(folder / "pairs.jsonl")]},
        "train": {"max_steps": 1, "device": "cpu", "precision": "fp32"},
        "output": str(folder / "models" / "embedding"),
    }
    train(parse_recipe(job))


def serve(models: str, key_file: str) -> None:
    """In a process of its own: a server; with a key file or, without, governed."""
    from tunesmith.serve import Keys
    from tunesmith.serve import serve as run

    engines = {}
    if models != "none":
        from tunesmith.engine import open_engine

        engines = {name: open_engine(Path(models, name), name=name) for name in ("chat", "embedding")}
    told: dict[str, Any] = {"keys": Keys.read(Path(key_file))} if key_file else {"access": "enterprise/access"}
    run(engines, port=0, announce=lambda address: print(address, flush=True), **told)


@contextmanager
def started(folder: Path, models: str, key_file: str = "") -> Iterator[int]:
    """The port of such a server."""
    environment = os.environ | {
        "PYTHONPATH": str(folder / "site"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "TUNESMITH_PLUGINS": "enterprise" if not key_file else "",
    }
    with (folder / "log").open("ab") as log:
        command = [sys.executable, __file__, "--serve", "--models", models, "--key-file", key_file]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder, env=environment)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"a server did not start:\n{(folder / 'log').read_text()[-3000:]}")
        yield int(address.rpartition(":")[2])
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def ask(connection: http.client.HTTPConnection, token: str, path: str, body: bytes | None) -> float:
    """Seconds that one request takes."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    begun = time.perf_counter()
    connection.request("GET" if body is None else "POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    spent = time.perf_counter() - begun
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {content[:300]!r}")
    return spent


def measure(models: str, requests: int) -> dict[str, dict[str, Any]]:
    """Figures in milliseconds, by request and by who asked whom; and that all of it was written down."""
    with tempfile.TemporaryDirectory() as name, an_issuer() as (issuer, token):
        folder = Path(name)
        site(folder)
        if models != "none":
            make_models(folder)
            models = str(folder / "models")
        settings(folder, issuer)
        key = secrets.token_urlsafe(32)
        (folder / "keys").write_text(f"use {key}\n")
        with started(folder, models, str(folder / "keys")) as plain, started(folder, models) as governed:
            callers = {
                "keys only": (plain, key),
                "governed, API key": (governed, (folder / "key").read_text()),
                "governed, token": (governed, token),
            }
            connections = {who: http.client.HTTPConnection("127.0.0.1", port) for who, (port, _) in callers.items()}
            found = {}
            for what, (path, asked) in ASKED.items():
                if asked is not None and models == "none":
                    continue
                body = None if asked is None else json.dumps(asked).encode()
                times: Times = {who: [] for who in callers}
                for number in range(requests + WARM_UP):
                    turn = number % len(callers)  # each of them is the first, the second and the third as often
                    for who in [*list(callers)[turn:], *list(callers)[:turn]]:
                        spent = ask(connections[who], callers[who][1], path, body)
                        if number >= WARM_UP:
                            times[who].append(spent * 1000)
                found[what] = figures(times)
            for connection in connections.values():
                connection.close()
        log = (folder / "audit.jsonl").read_text()
        written = {
            "records": log.count('"event":"request-served"'),
            "opened": log.count('"event":"open"'),
            "counted": counted(folder / "usage"),
        }
        return {**found, "written": written}


def counted(folder: Path) -> int:
    """Requests in the count of use."""
    found = 0
    for file in folder.glob("*.sqlite"):
        with closing(sqlite3.connect(file)) as month:
            found += month.execute("SELECT coalesce(sum(requests), 0) FROM used").fetchone()[0]
    return found


def figures(times: Times) -> dict[str, Any]:
    """Medians and 99th percentiles; and what was added, request by request in the order in which they were asked."""
    before = times["keys only"]
    told = {}
    for who, spent in times.items():
        ordered = sorted(spent)
        one = {
            "p50_ms": statistics.median(ordered),
            "p99_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        }
        if who != "keys only":
            one["added_p50_ms"] = statistics.median(a - b for a, b in zip(spent, before, strict=True))
            one["ratio_p50"] = one["p50_ms"] / statistics.median(before)
        told[who] = {name: round(value, 4) for name, value in one.items()}
    for who, one in told.items():
        if who != "keys only":
            one["added_p99_ms"] = round(one["p99_ms"] - told["keys only"]["p99_ms"], 4)
    return told


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="tiny", help="tiny, or none: no model is served")
    parser.add_argument("--requests", type=int, default=2000, help="of each kind, to each server")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--key-file", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.models, options.key_file)
        return
    found = measure(options.models, options.requests)
    if options.json:
        print(json.dumps(found))
        return
    for what, told in found.items():
        for who, one in told.items():
            values = one.items() if isinstance(one, dict) else [("", one)]
            print(f"{what:11} {who:18} " + "  ".join(f"{name} {value}" for name, value in values))


if __name__ == "__main__":
    main()
