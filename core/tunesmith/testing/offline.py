# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""No network: whoever tries is refused at once, and remembered."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["WentOnlineError", "no_network"]


class WentOnlineError(ConnectionError):
    """Something tried to connect while there was no network. An ``OSError``, as a machine without one gives."""


@contextmanager
def no_network() -> Iterator[list[str]]:
    """Within this block only loopback addresses and socket files can be reached, by this process.

    Programs that it starts are not held back. Not for several threads that enter and leave at different times.

    Yields:
        The hosts that somebody tried to reach, also where the refusal was caught and passed over.
    """
    attempts: list[str] = []
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse(host: Any) -> None:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        attempts.append(name)
        raise WentOnlineError(f"no network in this block: something tried to reach {name!r}; expected loopback only")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not _stays_here(self.family, address):
            refuse(address[0])
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if not _stays_here(self.family, address):
            refuse(address[0])
        return connect_ex(self, address)

    def guarded_resolve(host: Any, *args: Any, **options: Any) -> Any:
        if not _loopback(host):
            refuse(host)
        return resolve(host, *args, **options)

    socket.socket.connect = guarded_connect  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = guarded_resolve
    try:
        yield attempts
    finally:
        socket.socket.connect, socket.socket.connect_ex = connect, connect_ex  # type: ignore[method-assign]
        socket.getaddrinfo = resolve


def _stays_here(family: int, address: Any) -> bool:
    return family not in (socket.AF_INET, socket.AF_INET6) or _loopback(address[0])


def _loopback(host: Any) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
