# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The newest root: from that of the build, over those that were taken earlier, to those that lie beside licenses.

A chain that cannot be followed is a note, and the root in use stays. If a license then proves to be signed with keys
that nobody here knows, its refusal says that the root is too old.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Final, NamedTuple

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import Trust, armor, dearmor_all, parse_root, read_envelope
from tunesmith_enterprise.entitlement.evidence import Source
from tunesmith_enterprise.entitlement.opening import digest, once
from tunesmith_enterprise.entitlement.state import StateFolder

__all__ = ["Followed", "follow", "keep_roots", "read_roots"]

_FILE: Final = "roots.txt"
_LONG_AGO: Final = datetime.min.replace(tzinfo=timezone.utc)
"""Roots that were taken stay in use when they have expired, so no date is asked of them."""


class Followed(NamedTuple):
    """The newest root.

    Attributes:
        taken: roots that were not known from earlier, in their order: to be kept.
        failures: where chains lie that cannot be followed, and why.
        notes: for people.
    """

    trust: Trust
    taken: tuple[bytes, ...]
    failures: Mapping[Source, SignedDocumentError]
    notes: tuple[str, ...]


def read_roots(state: StateFolder) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """The chain that is kept, not yet followed, and a note if it is of no use."""
    try:
        content = state.read(_FILE)
        return (() if content is None else tuple(one.envelope for one in dearmor_all(content))), ()
    except SignedDocumentError as error:
        return (), (f"the newer roots that were kept cannot be used: {error.what}",)


def follow(trust: Trust, kept: Sequence[bytes], chains: Mapping[Source, Sequence[bytes]], *, now: datetime) -> Followed:
    """Follow what was taken earlier, then every chain; one chain may begin where another ends.

    Args:
        trust: of the build.
        kept: what :func:`read_roots` returned.
        chains: by where they lie.
        now: aware; a root that has expired by then is not newly taken.
    """
    notes = []
    try:
        trust, _ = _step(trust, kept, _LONG_AGO)
    except SignedDocumentError as error:
        notes.append(f"the newer roots that were kept cannot be followed and are not used: {error.what}")
    taken: tuple[bytes, ...] = ()
    pending = dict(chains)
    failures: dict[Source, SignedDocumentError] = {}
    while pending:
        failures = {}
        for source, chain in pending.items():
            try:
                trust, new = _step(trust, chain, now)
            except SignedDocumentError as error:
                failures[source] = error
            else:
                taken += new
        if len(failures) in (0, len(pending)):
            break
        pending = {source: pending[source] for source in failures}
    notes += [
        f"the roots in {source.name} cannot be followed, and root {trust.root.version} stays in use: {error.what}"
        for source, error in failures.items()
    ]
    return Followed(trust, taken, failures, tuple(notes))


def keep_roots(state: StateFolder, first: Trust, followed: Followed) -> None:
    """Keep the roots that were newly taken, unless another process has kept as new ones.

    Args:
        first: of the build.

    Raises:
        OSError: they could not be kept.
    """
    if not followed.taken:
        return
    with state.alone() as alone:
        kept, _ = read_roots(state)
        try:
            known = first.follow(kept, now=_LONG_AGO).root.version
        except SignedDocumentError:
            kept, known = (), first.root.version
        if alone and known < followed.trust.root.version:
            state.write(_FILE, "".join(armor(root) for root in (*kept, *followed.taken)).encode())


def _step(trust: Trust, chain: Sequence[bytes], now: datetime) -> tuple[Trust, tuple[bytes, ...]]:
    """The newest root of a chain, and those of it that were new."""

    def go() -> tuple[Trust, tuple[bytes, ...]]:
        newest = trust.follow(chain, now=now)
        versions = {parse_root(read_envelope(root).payload).version: root for root in reversed(chain)}
        return newest, tuple(versions[one] for one in range(trust.root.version + 1, newest.root.version + 1))

    return once(("follow", digest(trust.envelope), digest(b"", *chain)), go) if chain else (trust, ())
