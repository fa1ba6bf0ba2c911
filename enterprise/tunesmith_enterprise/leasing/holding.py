# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A seat while a job runs: taken once, renewed by a thread, given back at the end.

Nothing that happens to the lease later reaches the job: a server that goes away, a seat that was lost, a pool that
ends. It is noted in the log, and the thread tries again.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import TracebackType

from tunesmith.errors import SettingsError
from tunesmith.licensing.contents import Features
from tunesmith_enterprise.entitlement.evidence import Evidence, Seat
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.leasing.address import LicenseServer
from tunesmith_enterprise.leasing.asking import Declined, NoAnswer
from tunesmith_enterprise.leasing.checking import covers, plain
from tunesmith_enterprise.leasing.keeping import Keeping, node_id
from tunesmith_enterprise.leasing.taking import Client, Taken, no_server, offline_note, refused

__all__ = ["Holding", "acquire"]

LOGGER = logging.getLogger("tunesmith.leasing")

_PATIENCE = 3.0
"""Seconds that the end of a job waits for a renewal under way."""

_held: dict[tuple[str, str], Holding] = {}
_lock = threading.RLock()


def acquire(
    server: LicenseServer,
    features: Features,
    evidence: Evidence,
    *,
    state: StateFolder,
    environ: Mapping[str, str] | None = None,
) -> Holding:
    """A seat for this process; call it on the main process of a job only.

    A process holds one seat of a server. Asked again, its lease gets the further features. A lease that was borrowed is
    used without asking anybody; one from before, if the server does not answer.

    Args:
        features: with quantities, e.g. ``{"distributed": {"gpus": 4}}``.
        evidence: whose root is believed, and what time it is.
        state: where leases are remembered.
        environ: default: ``os.environ``.

    Returns:
        The seat, and notes for people. Use it as a context, or let it end with the process.

    Raises:
        LicenseError: ``no-seat``, ``limit``, ``not-included``, ``expired``, ``revoked`` or ``upcoming``: the server
            says so; ``no-server``: it does not answer, and no lease from before is open; ``no-root``: this build has
            none.
        SettingsError: the secret or a certificate of the server's settings cannot be read.
    """
    if evidence.trust is None:
        raise LicenseError(
            "seats of a license server cannot be used: this build holds no root of trust",
            code="no-root",
            feature=next(iter(features)),
            fix="install tunesmith-enterprise from the vendor's package index",
        )
    keeping = Keeping(state)
    node = node_id(keeping, evidence.facts.install_id, os.environ if environ is None else environ)
    client = Client(server, node, evidence, keeping)
    with _lock:
        present = _held.get((server.url, node))
        if present is not None and present.is_ours() and present.seat.answered:
            if covers(present.seat.lease.features, features):
                return present
            features = _together(present.seat.lease.features, features)
            return present.change(client, features)
        holding = _borrowed(client, features) or _new(client, features)
        if holding.seat.answered:
            _held[server.url, node] = holding
        return holding


def _new(client: Client, features: Features) -> Holding:
    try:
        return Holding(client, client.take(features))
    except Declined as declined:
        raise refused(declined, features) from None
    except NoAnswer as error:
        return _from_before(client, features, error)


def _from_before(client: Client, features: Features, error: NoAnswer) -> Holding:
    before = client.before(features)
    if before is None:
        raise no_server(client.server, error, features) from None
    return Holding(client, before, (offline_note(client.server, before, error),))


def _borrowed(client: Client, features: Features) -> Holding | None:
    now = client.evidence.facts.now
    for kept in client.keeping.by_hand():
        taken = client.look(kept) if kept.server == client.server.url else None
        if taken is None or not taken.lease.borrowed or now >= taken.lease.expires_at:
            continue
        if covers(taken.lease.features, features):
            return Holding(client, taken)
    return None


def _together(held: Features, wanted: Features) -> Features:
    """What both need: of each quantity the larger, as it is one job that uses it."""
    found = plain(held)
    for code, quantities in wanted.items():
        mine = found.setdefault(code, {})
        mine.update({name: max(most, mine.get(name, 0)) for name, most in quantities.items()})
    return found


class Holding:
    """A seat that is held.

    Attributes:
        notes: for people, when it was taken.
    """

    def __init__(self, client: Client, taken: Taken, notes: tuple[str, ...] = ()) -> None:
        self.notes = notes
        self._client = client
        self._taken = taken
        self._process = os.getpid()
        self._since = time.monotonic()
        self._end = threading.Event()
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        if taken.answered:
            client.remember(taken)
            self._thread = threading.Thread(target=self._renew, name="license-lease", daemon=True)
            self._thread.start()
            atexit.register(self.release)

    @property
    def seat(self) -> Seat:
        """As it is now."""
        return self._taken.seat()

    def is_ours(self) -> bool:
        """Whether this process holds it: not in one that was forked off, and not after the end."""
        return self._process == os.getpid() and not self._end.is_set()

    def change(self, client: Client, features: Features) -> Holding:
        """The same seat with other features.

        Raises:
            LicenseError: as ``acquire``.
        """
        with self._changing:
            try:
                self._renewed(client.renew(self._taken, features))
                return self
            except Declined as declined:
                if declined.code != "gone":
                    raise refused(declined, features) from None
            except NoAnswer as error:
                return _from_before(client, features, error)
            try:
                self._renewed(client.take(features))
                return self
            except Declined as declined:
                raise refused(declined, features) from None
            except NoAnswer as error:
                return _from_before(client, features, error)

    def release(self) -> None:
        """Give the seat back, once. What goes wrong with it is no matter of the job: the seat comes back by itself."""
        if not self.is_ours():
            return
        self._end.set()
        atexit.unregister(self.release)
        with _lock:
            if _held.get((self._client.server.url, self._client.node)) is self:
                del _held[self._client.server.url, self._client.node]
        if self._thread is None:
            return
        if not self._changing.acquire(timeout=_PATIENCE):  # the thread waits for a server that hangs
            return
        try:
            self._client.give_back(self._taken)
        except (NoAnswer, Declined, SettingsError) as error:
            LOGGER.info("the seat was not given back (%s); it comes back when its lease ends", _told(error))
        finally:
            self._changing.release()

    def __enter__(self) -> Holding:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _renew(self) -> None:
        """The thread. It raises nothing, as nobody would hear it."""
        told = ""
        while not self._end.wait(self._pause(bool(told))):
            with self._changing:
                if self._end.is_set():
                    return
                try:
                    self._again()
                    told = ""
                except (NoAnswer, Declined, SettingsError) as error:
                    if not told:
                        LOGGER.warning("the lease was not renewed (%s); the job goes on", _told(error))
                    told = _told(error)
                except Exception as error:
                    LOGGER.warning("the lease was not renewed (%s); the job goes on", type(error).__name__)
                    told = type(error).__name__

    def _again(self) -> None:
        client = replace(self._client, evidence=self._now())
        try:
            self._renewed(client.renew(self._taken, tries=1))  # this thread comes again by itself
        except Declined as declined:
            if declined.code != "gone":
                raise
            self._renewed(client.take(self._taken.lease.features))

    def _renewed(self, taken: Taken) -> None:
        self._taken = taken
        self._client.remember(taken)

    def _now(self) -> Evidence:
        """The evidence of the start, with the time that has passed since: by the clock that nobody sets."""
        evidence = self._client.evidence
        passed = timedelta(seconds=time.monotonic() - self._since)
        return replace(evidence, facts=replace(evidence.facts, now=evidence.facts.now + passed))

    def _pause(self, in_trouble: bool) -> float:
        lease = self._taken.lease
        seconds = (lease.expires_at - lease.granted_at).total_seconds()
        # Nodes that began together do not all ask together.
        return seconds / (9 if in_trouble else 3) * random.uniform(0.8, 1.0)


def _told(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
