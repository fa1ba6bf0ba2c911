# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A machine with a license and a file of keys; an issuer of tokens, with keys made here; requests without a socket."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from licensed import Machine, a_machine
from typer.testing import CliRunner

from tunesmith.serve import Application
from tunesmith_enterprise.governance.access.commands import app as commands
from tunesmith_enterprise.governance.access.settings import OidcSettings

SETTINGS = """[plugins.enterprise]
audit_log = "{audit}"

[plugins.enterprise.access]
keys = "{keys}"
"""


__all__ = ["URL", "Issuer", "Site", "ask", "issuer", "jwk", "listening", "oidc_settings", "private", "sign", "site"]


@dataclass
class Site:
    """A machine whose keys and servers these tests look at."""

    machine: Machine

    @property
    def keys(self) -> Path:
        return self.machine.folder / "access" / "keys.json"

    def settings(self, more: str = "") -> None:
        paths = {"audit": self.machine.log.path.as_posix(), "keys": self.keys.as_posix()}
        self.machine.settings(SETTINGS.format(**paths) + more)

    def run(self, *args: str) -> tuple[str, str]:
        """Output and errors of a command of ``tunesmith access``; what it raises is raised."""
        done = CliRunner().invoke(commands, [*args])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout, done.stderr

    def key(self, role: str = "user", *args: str) -> str:
        """A new key."""
        return self.run("key", "create", "--role", role, *args)[0].strip()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(a_machine(tmp_path, monkeypatch))
    made.settings()
    return made


def ask(app: Application, method: str, path: str, token: str = "", **kwargs: Any) -> Any:
    """The answer of an application."""

    async def go() -> Any:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers, **kwargs)

    return asyncio.run(go())


# ---- an issuer -------------------------------------------------------------------------------------------------------


URL = "https://login.example.org/realm"


def oidc_settings(**changes: Any) -> OidcSettings:
    """Of an issuer at :data:`URL`."""
    given = {
        "issuer": URL,
        "audience": "tunesmith",
        "role_claim": "groups",
        "roles": {"staff": "user", "heads": "admin", "watch": "viewer"},
        **changes,
    }
    return OidcSettings.model_validate(given)


@cache
def private(kind: str) -> Any:
    """A key of the tests; made once in a process."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind.partition("-")[2] or 2048))
    if kind.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


ALGORITHMS = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}


def jwk(kind: str, kid: str, **changes: Any) -> dict[str, Any]:
    """The public half, as an issuer shows it."""
    algorithm = jwt.get_algorithm_by_name(ALGORITHMS[kind.partition("-")[0]])
    told: dict[str, Any] = algorithm.to_jwk(private(kind).public_key(), as_dict=True)  # type: ignore[attr-defined]
    told |= {"kid": kid, "use": "sig", **changes}
    return {name: value for name, value in told.items() if value is not None}


def sign(claims: Mapping[str, Any], kind: str = "rsa", kid: str | None = "first", **head: Any) -> str:
    """A token."""
    headers = {**({"kid": kid} if kid is not None else {}), **head}
    return jwt.encode(dict(claims), private(kind), ALGORITHMS[kind.partition("-")[0]], headers=headers)


@dataclass
class Issuer:
    """A server on this machine that shows keys.

    Attributes:
        keys: that it shows.
        status: 200, or how it fails.
        asked: the paths that were asked for.
        changes: of its own document.
    """

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    asked: list[str] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Of a good token."""
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": "tunesmith", "sub": "ana", "iat": now, "exp": now + 600, "groups": ["staff"],
            "org": "red",
        }  # fmt: skip
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def table(self, **changes: str) -> str:
        """Of the settings."""
        values = {
            "issuer": f'"{self.url}"', "audience": '"tunesmith"', "role_claim": '"groups"', "tenant_claim": '"org"',
            "roles": '{staff = "user", heads = "admin", watch = "viewer"}', **changes,
        }  # fmt: skip
        return "[plugins.enterprise.access.oidc]\n" + "".join(f"{k} = {v}\n" for k, v in values.items() if v)


@pytest.fixture(scope="session")
def listening() -> Iterator[tuple[HTTPServer, dict[str, Issuer]]]:
    shared: dict[str, Issuer] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer = shared["issuer"]
            issuer.asked.append(self.path)
            if self.path == "/.well-known/openid-configuration":
                told: Any = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys", **issuer.changes}
            else:
                told = {"keys": issuer.keys}
            body = json.dumps(told).encode() if issuer.body is None else issuer.body
            self.send_response(issuer.status)
            if 300 <= issuer.status < 400:
                self.send_header("Location", f"{issuer.url}/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server, shared
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def issuer(listening: Any) -> Issuer:
    server, shared = listening
    made = Issuer(url=f"http://127.0.0.1:{server.server_address[1]}", keys=[jwk("rsa", "first")])
    shared["issuer"] = made
    return made
