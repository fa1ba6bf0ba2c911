# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The process: what has to be there before anybody can connect, the socket, signals."""

from __future__ import annotations

import ipaddress
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from tunesmith.errors import SettingsError
from tunesmith.serve.connection import connection_with
from tunesmith.serve.limits import Limits
from tunesmith.serve.logs import JsonLines
from tunesmith_enterprise.server.app import BODY_BYTES, BODY_SECONDS, make_app
from tunesmith_enterprise.server.service import LOGGER, Service

__all__ = ["SECRET_LENGTH", "Listening", "Server", "listen", "log_to_stderr", "make_server", "read_secret", "run"]

SECRET_LENGTH = 16
_LIMITS = Limits(connections=4096, body_bytes=BODY_BYTES, body_seconds=BODY_SECONDS, header_bytes=16 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where the server listens, and who may ask.

    Attributes:
        host, port: of this machine; port 0: any that is free.
        certificate, private_key: PEM files, for TLS.
        client_authority: PEM file; only clients with a certificate of it are let in.
        secret: shared by everybody who may ask.

    Raises:
        SettingsError: others could reach the server, and it would not be safe.
    """

    host: str = "127.0.0.1"
    port: int = 8470
    certificate: Path | None = None
    private_key: Path | None = None
    client_authority: Path | None = None
    secret: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.private_key is None):
            raise SettingsError(
                "TLS needs a certificate and its key",
                given="one of --tls-cert and --tls-key",
                expected="both",
            )
        if self.client_authority is not None and self.certificate is None:
            raise SettingsError("--client-ca needs TLS", fix="give --tls-cert and --tls-key as well")
        if _is_loopback(self.host):
            return
        if self.certificate is None:
            raise SettingsError(
                "a license server that others can reach needs TLS",
                given=f"--host {self.host} without --tls-cert",
                expected="--tls-cert and --tls-key, or --host 127.0.0.1",
                fix="make a certificate for this machine's name with the authority of your site",
            )
        if self.secret is None and self.client_authority is None:
            raise SettingsError(
                "a license server that others can reach has to know who may ask",
                given=f"--host {self.host} without --secret-file and --client-ca",
                expected="one of them",
                fix="python -c 'import secrets; print(secrets.token_urlsafe(32))' > secret.txt makes a good secret",
            )


def read_secret(path: Path) -> str:
    """The secret in a file: its first line.

    Raises:
        SettingsError: it cannot be read, or is shorter than 16 characters.
    """
    try:
        lines = path.read_text(encoding="utf-8").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"the file with the shared secret cannot be read: {reason}", given=path) from None
    if len(lines) != 1 or len(lines[0].strip()) < SECRET_LENGTH or not lines[0].isascii():
        raise SettingsError(
            "the file with the shared secret does not hold one",  # what it holds is not shown
            given=path,
            expected=f"one line of at least {SECRET_LENGTH} plain characters",
            fix="python -c 'import secrets; print(secrets.token_urlsafe(32))' makes a good one",
        )
    return lines[0].strip()


class Server(uvicorn.Server):
    """Uvicorn, which says where it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            name = f"[{host}]" if ":" in host else host
            self._announce(f"{'https' if self.config.is_ssl else 'http'}://{name}:{port}")


def make_server(service: Service, listening: Listening, announce: Callable[[str], None]) -> Server:
    """The server of a service, not yet running.

    Raises:
        SettingsError: a certificate or a key cannot be used.
    """
    config = uvicorn.Config(
        make_app(service, listening.secret),
        http=connection_with(_LIMITS),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=_LIMITS.header_bytes,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=5,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.private_key,
        ssl_ca_certs=None if listening.client_authority is None else str(listening.client_authority),
        ssl_cert_reqs=ssl.CERT_NONE if listening.client_authority is None else ssl.CERT_REQUIRED,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"the certificate, its key or the authority of clients cannot be used: {error.strerror or error}",
            given=", ".join(
                str(path) for path in (listening.certificate, listening.private_key, listening.client_authority) if path
            ),
            expected="PEM files; the key of the certificate, without a passphrase",
        ) from None
    return Server(config, announce)


def run(service: Service, listening: Listening, announce: Callable[[str], None] = lambda address: None) -> None:
    """Lend seats until SIGTERM or SIGINT comes. SIGHUP reads the pools again. Blocks.

    Raises:
        SettingsError: the address cannot be listened on, or TLS cannot be set up.
    """
    log_to_stderr()
    server = make_server(service, listening, announce)
    with listen(listening.host, listening.port) as listener, _reloading(service):
        server.run([listener])


@contextmanager
def _reloading(service: Service) -> Iterator[None]:
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        yield
        return
    # In a thread: reading waits for the database, and a signal's handler must not.
    before = signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=service.reload).start())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def log_to_stderr() -> None:
    """One JSON object a line. No lease, no secret and no pool's text is ever in it."""
    import logging

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in ((LOGGER.name, logging.INFO), ("uvicorn.error", logging.WARNING), ("asyncio", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    try:
        address: Any = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[4][:2], family=address[0], backlog=256)
    except OSError as error:
        raise SettingsError(
            f"the address cannot be listened on: {error.strerror}",
            given=f"{host}, port {port}",
            expected="a port that is free, and an address of this machine",
            fix="choose another --port or --host",
        ) from None
    # Connections inherit it. asyncio sets it only on sockets that say IPPROTO_TCP, which these do not; and without it
    # the body of an answer waits for the acknowledgement of its head, which the other side puts off for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
