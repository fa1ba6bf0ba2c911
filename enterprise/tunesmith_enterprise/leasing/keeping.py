# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a node remembers of its leases: the last ones, for the hours in which the server may be away; the highest
serial of each server, so that one that was set back is noticed; and what was taken by hand. All of it best effort."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from tunesmith.errors import SettingsError, SignedDocumentError
from tunesmith.licensing import members, parse_json
from tunesmith.licensing.contents import Lease, Pool
from tunesmith.licensing.contents.parts import identifier
from tunesmith_enterprise.entitlement.state import StateFolder

__all__ = ["NODE_ID", "Keeping", "Kept", "node_id"]

NODE_ID: Final = "TUNESMITH_NODE_ID"
"""Environment variable: the name under which this node asks, where its own does not stay, as in containers."""

_NODE: Final = "node"
_SERIALS: Final = "serials.json"
_MOST: Final = 32
"""Last leases, at most; each is for other features, or another server."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A lease as it is kept: texts to be verified again, whenever they are used.

    Attributes:
        server: whose.
        pool, lease: armored.
        secret: to renew and return it; None: whoever holds it knows.
    """

    server: str
    pool: str
    lease: str
    secret: str | None = None


class Keeping:
    """The folder ``leases`` of the state folder."""

    def __init__(self, state: StateFolder) -> None:
        self.folder = StateFolder(None if state.path is None else state.path / "leases")

    def raise_highest(self, pool: Pool, serial: int) -> None:
        """Remember a serial, if it is higher."""
        with suppress(OSError), self.folder.alone() as alone:
            known = self._serials()
            if alone and serial > known.get(_counter(pool), 0):
                self.folder.write(_SERIALS, json.dumps(known | {_counter(pool): serial}).encode())

    def marks(self) -> Mapping[str, int]:
        """All serials, as they are before a question is asked: the answer has to be above them."""
        return self._serials()

    @staticmethod
    def mark_of(marks: Mapping[str, int], pool: Pool) -> int:
        """The one of a pool's server."""
        return marks.get(_counter(pool), 0)

    def keep_last(self, kept: Kept, lease: Lease) -> None:
        """Keep a lease for the time in which the server may be away, in the place of the last of its kind."""
        what = json.dumps(
            [
                kept.server,
                lease.node,
                lease.pool_id,
                {name: dict(lease.features[name]) for name in sorted(lease.features)},
            ]
        )
        with suppress(OSError):
            self.folder.write(f"last-{hashlib.sha256(what.encode()).hexdigest()[:16]}.json", _written(kept))
            for name in self._names("last-")[:-_MOST]:
                self.folder.remove(name)

    def last(self, server: str) -> list[Kept]:
        """The last leases of a server, the newest first."""
        found = [self._read(name) for name in reversed(self._names("last-"))]
        return [kept for kept in found if kept is not None and kept.server == server]

    def forget_last(self, lease_id: str) -> None:
        """Forget every lease of this id among the last."""
        for name in self._names("last-"):
            kept = self._read(name)
            if kept is not None and lease_id in _ids(kept):
                with suppress(OSError):
                    self.folder.remove(name)

    def keep_by_hand(self, lease_id: str, kept: Kept) -> None:
        """Keep a lease that somebody took with a command.

        Raises:
            OSError: it cannot be kept.
        """
        self.folder.write(f"hand-{lease_id}.json", _written(kept))

    def by_hand(self) -> list[Kept]:
        """All leases that somebody took with a command."""
        found = [self._read(name) for name in self._names("hand-")]
        return [kept for kept in found if kept is not None]

    def forget_by_hand(self, lease_id: str) -> None:
        """It has been given back."""
        with suppress(OSError):
            self.folder.remove(f"hand-{lease_id}.json")

    def node(self) -> str:
        """The name of this node: its host name and four random bytes, made once."""
        with suppress(OSError, SignedDocumentError):
            kept = self.folder.read(_NODE)
            if kept is not None:
                return identifier(kept.decode("ascii", "replace").strip(), "the node")
        host = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower()).strip("-")[:40] or "node"
        made = f"{host}-{secrets.token_hex(4)}"
        with suppress(OSError), self.folder.alone() as alone:
            if alone and self.folder.read(_NODE) is None:
                self.folder.write(_NODE, made.encode())
            elif (kept := self.folder.read(_NODE)) is not None:  # another process was quicker
                return kept.decode("ascii", "replace").strip()
        return made

    def _names(self, beginning: str) -> list[str]:
        """Files of one kind, the oldest first."""
        if self.folder.path is None:
            return []
        try:
            with os.scandir(self.folder.path) as listed:
                found = [(entry.stat().st_mtime_ns, entry.name) for entry in listed if entry.name.startswith(beginning)]
        except OSError:
            return []
        return [name for _, name in sorted(found)]

    def _read(self, name: str) -> Kept | None:
        """What is kept in a file; None: nothing that can be used, and it is as if it were not there."""
        try:
            content = self.folder.read(name)
            if content is None:
                return None
            found = members(
                parse_json(content), "the lease", required=("server", "pool", "lease"), optional=("secret",)
            )
        except SignedDocumentError:
            return None
        texts = [value for value in found.values() if type(value) is str]
        return Kept(**found) if len(texts) == len(found) else None

    def _serials(self) -> dict[str, int]:
        try:
            content = self.folder.read(_SERIALS)
            found: Any = {} if content is None else parse_json(content)
        except SignedDocumentError:
            return {}
        if type(found) is not dict:
            return {}
        return {name: serial for name, serial in found.items() if type(serial) is int}


def node_id(keeping: Keeping, install_id: str | None, environ: Mapping[str, str]) -> str:
    """The name under which this node asks: ``TUNESMITH_NODE_ID``, else the installation's id, else one that is made.

    Raises:
        SettingsError: ``TUNESMITH_NODE_ID`` is no name for programs.
    """
    named = environ.get(NODE_ID, "").strip()
    if not named:
        return install_id or keeping.node()
    try:
        return identifier(named, f"the variable {NODE_ID}")
    except SignedDocumentError as error:
        raise SettingsError(
            error.what, given=repr(named[:80]), expected=error.expected, fix=f"correct {NODE_ID}"
        ) from None


def _counter(pool: Pool) -> str:
    # With the key: a server that was made anew counts from 1 again, and has another one.
    return f"{pool.pool_id}:{pool.server_key.keyid[:32]}"


def _written(kept: Kept) -> bytes:
    return json.dumps({name: value for name, value in asdict(kept).items() if value is not None}).encode()


def _ids(kept: Kept) -> set[str]:
    from tunesmith.licensing import dearmor
    from tunesmith.licensing.contents import parse_lease
    from tunesmith.licensing.envelope import read_envelope

    try:
        return {parse_lease(read_envelope(dearmor(kept.lease, "lease")).payload).lease_id}
    except SignedDocumentError:
        return set()
