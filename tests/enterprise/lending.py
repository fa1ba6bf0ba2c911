# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A site with a license server, for tests: a key, a pool, a database, a clock that stands still until it is set."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from desk import NOW, Desk

from tunesmith.licensing import armor, dearmor, verify
from tunesmith.licensing.contents import Lease, Revocation, parse_lease
from tunesmith_enterprise.server.audit import Entry, entries
from tunesmith_enterprise.server.keys import ServerKey, make_key, read_key
from tunesmith_enterprise.server.running import Listening, listen, make_server
from tunesmith_enterprise.server.seats import Claim
from tunesmith_enterprise.server.service import Lent, PoolStatus, Service
from tunesmith_enterprise.server.storage import DATABASE, open_storage

DISTRIBUTED = {"distributed": {}}


@dataclass
class Site:
    """Everything is in one folder."""

    folder: Path
    desk: Desk = field(default_factory=Desk)
    now: datetime = NOW
    database: str | None = None
    key: ServerKey = field(init=False)
    opened: list[Service] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_key(self.folder)
        self.key = read_key(self.folder)
        self._nonces = 0
        self._service: Service | None = None

    @property
    def pool_file(self) -> Path:
        return self.folder / "pool.lic"

    def pool(self, **changes: object) -> None:
        """The pool's file, as the vendor sends it."""
        self.pool_file.write_text(armor(self.desk.pool(self.key._private, **changes)))

    def revoke(self, *, number: int = 1, up_to: int | None = None) -> None:
        """A list of revocations, in the pool's file."""
        entry = Revocation("pool", "pool-1", up_to, self.now, "not paid")
        text = armor(self.desk.revocations(entry, number=number))
        self.pool_file.write_text(self.pool_file.read_text() + text)

    def start(self) -> Service:
        """A server process, as it were: with what is in the folder."""
        database = self.database or self.folder / DATABASE
        build = self.desk.build()
        service = Service(self.key, open_storage(database), [self.pool_file], build=build, now=lambda: self.now)
        self.opened.append(service)
        return service

    @property
    def service(self) -> Service:
        if self._service is None:
            self._service = self.start()
        return self._service

    def restart(self) -> Service:
        if self._service is not None:
            self._service.close()
            self.opened.remove(self._service)
        self._service = None
        return self.service

    def nonce(self) -> str:
        self._nonces += 1
        return f"nonce-{self._nonces}"

    def claim(self, node: str = "node-a", features=DISTRIBUTED, *, nonce=None, borrow_days=None, pool=None) -> Lease:
        asked = Claim(node, nonce or self.nonce(), features, borrow_days)
        return asyncio.run(self.service.claim(asked, pool))

    def renew(self, lease: Lease, features=None, *, nonce=None) -> Lease:
        secret = self.key.secret(lease.lease_id)
        return asyncio.run(self.service.renew(lease.lease_id, secret, nonce or self.nonce(), features))

    def release(self, lease: Lease, secret: str | None = None) -> None:
        asyncio.run(self.service.release(lease.lease_id, secret or self.key.secret(lease.lease_id)))

    def lent(self, lease: Lease) -> Lent:
        return self.service.lent(lease)

    def status(self) -> PoolStatus:
        return asyncio.run(self.service.status())[0]

    @property
    def in_use(self) -> int:
        return self.status().usage.in_use

    def log(self) -> list[Entry]:
        with self.service._storage.transaction() as transaction:
            return list(entries(transaction.connection))

    def events(self) -> list[str]:
        return [entry.event for entry in self.log()]

    def close(self) -> None:
        for service in self.opened:
            service.close()


def read(lent: Lent, site: Site) -> Lease:
    """The lease of a text, if the site's server signed it."""
    return parse_lease(verify(dearmor(lent.lease, "lease"), "lease", [site.key.public]))


@contextmanager
def serving(service: Service, listening: Listening | None = None) -> Iterator[str]:
    """The server over HTTP, in a thread; gives its address."""
    listening = listening or Listening(port=0)
    addresses: list[str] = []
    there = threading.Event()

    def announce(address: str) -> None:
        addresses.append(address)
        there.set()

    server = make_server(service, listening, announce)
    with listen(listening.host, listening.port) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert there.wait(10)
            yield addresses[0]
        finally:
            server.should_exit = True
            thread.join(10)


def together(*calls: Callable[[], object]) -> list[object]:
    """What each gives, or the exception it raises, all at the same time in threads of their own."""
    results: list[object] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def one(number: int, call: Callable[[], object]) -> None:
        start.wait()
        try:
            results[number] = call()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=one, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
