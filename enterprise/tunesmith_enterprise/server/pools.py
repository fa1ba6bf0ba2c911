# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which seats the vendor lets this server lend: pools, verified by the root of this build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tunesmith.errors import SettingsError, SignedDocumentError
from tunesmith.licensing import Document, PublicKey, Trust, armor, dearmor_all, format_timestamp, refusal
from tunesmith.licensing.contents import Pool, Revocation, Revocations, parse_pool, parse_revocations
from tunesmith_enterprise.entitlement.build import PRODUCT, Build

__all__ = ["PoolSet", "Served", "newest_revocations", "read_pools", "standing"]

_SIZE = 4 << 20


@dataclass(frozen=True, slots=True)
class Served:
    """A pool that is served.

    Attributes:
        pool: what it says.
        text: armored, as it goes to those who are given a lease: the pool, and before it the roots of its file, from
            which older installations learn who may have signed it.
        revoked: the entry that ended it; None: none did.
        built_at: when this build was made.
    """

    pool: Pool
    text: str
    revoked: Revocation | None
    built_at: datetime | None

    def end(self) -> datetime | None:
        """From then on no new lease is given. None: never; also where the maintenance covers this build, as a license
        goes on for builds that were made in its time."""
        covered = self.pool.maintenance_until
        if covered is not None and self.built_at is not None and self.built_at < covered:
            return None
        return self.pool.grace_until


@dataclass(frozen=True, slots=True)
class PoolSet:
    """All that are served.

    Attributes:
        by_id: in the order of their ids.
        revocations: armored, the newest list that is known; None: none.
        notes: for the log, one sentence each.
    """

    by_id: Mapping[str, Served]
    revocations: str | None
    notes: tuple[str, ...] = ()


def read_pools(
    files: Sequence[Path],
    *,
    key: PublicKey,
    build: Build,
    now: datetime,
    known: str | None = None,
    serials: Mapping[str, int] | None = None,
) -> PoolSet:
    """The pools of files, each with one pool or more, roots that lead to whoever signed it, and revocations.

    Args:
        key: this server's; a pool names the server that may lend it.
        build: whose root is believed.
        now: aware.
        known: armored, the newest revocations seen until now.
        serials: of pools that were served before, the highest serial: none comes back.

    Raises:
        SettingsError: this build has no root; or a file cannot be read, or has no pool for this server.
        SignedDocumentError: a document is damaged, or not signed by whom it should be.
    """
    if build.trust is None:
        raise SettingsError(
            "this build of tunesmith-enterprise has no root and can serve no pool",
            expected="a wheel that the vendor has built",
            fix="install tunesmith-enterprise from the vendor's index",
        )
    documents = [(path, document) for path in files for document in _read(path)]
    chains = {
        path: [one.envelope for where, one in documents if where == path and one.kind == "root"] for path in files
    }
    notes: list[str] = []
    trust = build.trust
    try:
        trust = trust.follow([document.envelope for _, document in documents if document.kind == "root"], now=now)
    except SignedDocumentError as error:
        notes.append(f"newer roots were not taken: {error.what} ({error.reason})")
    lists = [document.envelope for _, document in documents if document.kind == "revocations"]
    revocations = newest_revocations(trust, [known, *map(armor, lists)], build.revocations, notes)
    found: dict[str, Served] = {}
    for path, document in documents:
        if document.kind in ("root", "revocations"):
            continue
        if document.kind != "pool":
            raise SettingsError(
                "this file holds another document than a pool",
                given=f"{path}: a {document.kind}",
                expected="a pool, with roots and revocations if need be",
                fix="give the file that the vendor sent for this server",
            )
        served = _serve(path, document, trust, revocations[0] if revocations else None, key, build, chains[path])
        pool = served.pool
        before = found.get(pool.pool_id)
        least = max(before.pool.serial if before else 0, (serials or {}).get(pool.pool_id, 0))
        if pool.serial < least:
            notes.append(f"{path}: the pool {pool.pool_id} has serial {pool.serial}; {least} was there before")
            continue
        found[pool.pool_id] = served
    if not found:
        raise SettingsError(
            "there is no pool to lend seats of",
            given="; ".join([*map(str, files), *notes]) or "no file",
            expected="at least one pool for this server's key, not older than the one before",
            fix=f"send {key.text} (server.pub) to the vendor, and give the file that comes back with --pool",
        )
    return PoolSet(dict(sorted(found.items())), revocations[1] if revocations else None, tuple(notes))


def newest_revocations(
    trust: Trust, texts: Sequence[str | None], placed: bytes | None, notes: list[str]
) -> tuple[Revocations, str] | None:
    """The list with the highest number, and its text; one that does not verify is noted and left aside."""
    envelopes = [document.envelope for text in texts if text for document in dearmor_all(text)]
    best: tuple[Revocations, str] | None = None
    for envelope in [*([placed] if placed else []), *envelopes]:
        try:
            listed = parse_revocations(trust.verify(envelope, "revocations"))
        except SignedDocumentError as error:
            notes.append(f"a list of revocations was not taken: {error.what} ({error.reason})")
            continue
        if listed.product == PRODUCT and (best is None or listed.number > best[0].number):
            best = (listed, armor(envelope))
    return best


def _serve(
    path: Path,
    document: Document,
    trust: Trust,
    revocations: Revocations | None,
    key: PublicKey,
    build: Build,
    roots: list[bytes],
) -> Served:
    pool = parse_pool(trust.verify(document.envelope, "pool"))
    if pool.product != PRODUCT:
        raise refusal("value", "this pool is for another product", given=f"{path}: {pool.product}", expected=PRODUCT)
    if pool.server_key != key:
        raise refusal(
            "value",
            "this pool is for another license server",
            given=f"{path}: for the key {pool.server_key.keyid[:16]}…",
            expected=f"this server's key {key.keyid[:16]}…",
            fix="send this folder's server.pub to the vendor, or start the server with the folder it was made for",
        )
    revoked = revocations.find("pool", pool.pool_id, pool.serial) if revocations else None
    return Served(pool, "".join(map(armor, [*roots, document.envelope])), revoked, build.built_at)


def _read(path: Path) -> list[Document]:
    try:
        with path.open("rb") as file:
            content = file.read(_SIZE + 1)
    except OSError as error:
        raise SettingsError(
            f"the file of a pool cannot be read: {error.strerror}", given=path, fix="look at --pool"
        ) from None
    try:
        return dearmor_all(content)
    except SignedDocumentError as error:
        raise refusal(
            error.reason,  # type: ignore[arg-type]
            error.what,
            given="; ".join(part for part in (str(path), error.given) if part),
            expected=error.expected,
            fix=error.fix,
        ) from None


def standing(served: Served, now: datetime) -> str:
    """For people, in a log or a list: until when, or why not."""
    if served.revoked is not None:
        return f"revoked on {format_timestamp(served.revoked.at)}: {served.revoked.reason}"
    if now < served.pool.starts_at:
        return f"begins on {format_timestamp(served.pool.starts_at)}"
    end = served.end()
    if end is None:
        return "good, without an end"
    return f"good until {format_timestamp(end)}" if now < end else f"ended on {format_timestamp(end)}"
