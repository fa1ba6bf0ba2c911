# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""By which network interface a job's processes talk to those on other machines."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Final

from tunesmith.errors import TrainingError

__all__ = ["LOOPBACK", "interface_towards", "use_interface"]

LOOPBACK: Final = "lo0" if sys.platform == "darwin" else "lo"
_GET_ADDRESS: Final = 0x8915  # SIOCGIFADDR, <linux/sockios.h>


def use_interface(name: str) -> None:
    """Of the processes that are started from now on; what the environment already says is left alone.

    Raises:
        TrainingError: this machine has no such interface.
    """
    known = [known for _, known in socket.if_nameindex()]
    if name not in known:
        raise TrainingError(
            f"this machine ({socket.gethostname()}) has no network interface {name}",
            given=f"--interface {name}",
            expected=f"one of {', '.join(known)}",
            fix="see `ip address`",
        )
    os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    os.environ.setdefault("NCCL_SOCKET_IFNAME", name)


def interface_towards(host: str, port: int) -> str | None:
    """The interface that packets to an address leave by; None where the system does not tell.

    What gloo takes on its own is where the machine's own name leads, which is often an address that no other machine
    can reach.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)  # sends nothing
            ours = probe.getsockname()[0]
            if family != socket.AF_INET or not sys.platform.startswith("linux"):
                return None
            return next((name for _, name in socket.if_nameindex() if _address_of(probe, name) == ours), None)
    except OSError:
        return None


def _address_of(probe: socket.socket, name: str) -> str | None:
    import fcntl  # only where the caller has made sure of Linux

    try:
        found = fcntl.ioctl(probe, _GET_ADDRESS, struct.pack("256s", name.encode()[:15]))
    except OSError:  # an interface without an address
        return None
    return socket.inet_ntoa(found[20:24])
