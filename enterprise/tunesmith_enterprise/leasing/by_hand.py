# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Leases that somebody takes with a command: to see that it works, for a script, or to take one away from the site.

They are kept with their secret, for their owner only, and belong to no process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunesmith.errors import NotFoundError, OutputError
from tunesmith.licensing import format_timestamp
from tunesmith.licensing.contents import Features
from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.leasing.address import LicenseServer
from tunesmith_enterprise.leasing.asking import Declined, NoAnswer
from tunesmith_enterprise.leasing.checking import plain
from tunesmith_enterprise.leasing.keeping import Keeping, node_id
from tunesmith_enterprise.leasing.taking import Client, Taken, no_server, refused

__all__ = ["ByHand", "borrow", "by_hand", "client_of", "give_back", "renew_by_hand", "take_by_hand"]


@dataclass(frozen=True, slots=True)
class ByHand:
    """A lease that somebody took with a command."""

    taken: Taken

    def to_json(self) -> dict[str, Any]:
        """For programs; no text of the lease and no secret."""
        lease = self.taken.lease
        return {
            "id": lease.lease_id,
            "pool": lease.pool_id,
            "server": self.taken.kept.server,
            "node": lease.node,
            "serial": lease.serial,
            "features": plain(lease.features),
            "borrowed": lease.borrowed,
            "granted_at": format_timestamp(lease.granted_at),
            "expires_at": format_timestamp(lease.expires_at),
            "open_until": format_timestamp(lease.open_until),
        }


def client_of(
    server: LicenseServer, evidence: Evidence, state: StateFolder, environ: Mapping[str, str] | None = None
) -> Client:
    """This node, as it asks the server."""
    keeping = Keeping(state)
    node = node_id(keeping, evidence.facts.install_id, os.environ if environ is None else environ)
    return Client(server, node, evidence, keeping)


def by_hand(client: Client) -> list[ByHand]:
    """Those of this node that have not ended."""
    looked = [client.look(kept) for kept in client.keeping.by_hand()]
    return [
        ByHand(taken) for taken in looked if taken is not None and client.evidence.facts.now < taken.lease.expires_at
    ]


def take_by_hand(client: Client, features: Features) -> ByHand:
    """A lease that nobody renews unless told to.

    Raises:
        LicenseError: the server gives none, or does not answer.
        OutputError: it cannot be kept; it is given back.
    """
    return _take(client, features, None)


def borrow(client: Client, features: Features, days: int) -> ByHand:
    """A lease for some days away from the site. It is used by every job of this node that it is enough for.

    Raises:
        LicenseError: the server gives none, or does not answer.
        OutputError: it cannot be kept; it is given back.
    """
    return _take(client, features, days)


def renew_by_hand(client: Client, lease_id: str) -> ByHand:
    """The lease anew.

    Raises:
        NotFoundError: there is none of this id here.
        LicenseError: the server does not renew it, or does not answer.
        OutputError: it cannot be kept.
    """
    taken = _find(client, lease_id)
    try:
        renewed = client.renew(taken)
    except Declined as declined:
        raise refused(declined, taken.lease.features) from None
    except NoAnswer as error:
        raise no_server(client.server, error, taken.lease.features) from None
    _keep(client, renewed)
    return ByHand(renewed)


def give_back(client: Client, lease_id: str) -> ByHand:
    """Return the lease, before its time if it was borrowed. From then on this node does not use it.

    Raises:
        NotFoundError: there is none of this id here.
        LicenseError: the server does not answer; the lease is still there.
    """
    taken = _find(client, lease_id)
    try:
        client.give_back(taken, tries=3)
    except Declined as declined:
        if declined.code != "gone":
            raise refused(declined, taken.lease.features) from None
    except NoAnswer as error:
        raise no_server(client.server, error, taken.lease.features) from None
    client.keeping.forget_by_hand(lease_id)
    client.keeping.forget_last(lease_id)
    return ByHand(taken)


def _take(client: Client, features: Features, days: int | None) -> ByHand:
    try:
        taken = client.take(features, days)
    except Declined as declined:
        raise refused(declined, features) from None
    except NoAnswer as error:
        raise no_server(client.server, error, features) from None
    try:
        _keep(client, taken)
    except OutputError:
        client.give_back(taken)
        raise
    return ByHand(taken)


def _keep(client: Client, taken: Taken) -> None:
    try:
        client.keeping.keep_by_hand(taken.lease.lease_id, taken.kept)
    except OSError as error:
        raise OutputError(
            f"the lease cannot be kept: {error.strerror or error}",
            given=client.keeping.folder.path,
            fix="set XDG_STATE_HOME to a folder that can be written",
        ) from None
    client.keeping.raise_highest(taken.pool, taken.lease.serial)


def _find(client: Client, lease_id: str) -> Taken:
    for kept in client.keeping.by_hand():
        taken = client.look(kept)
        if taken is not None and taken.lease.lease_id == lease_id and kept.server == client.server.url:
            return taken
    raise NotFoundError(
        "there is no such lease here",
        given=lease_id[:80],
        expected=", ".join(one.taken.lease.lease_id for one in by_hand(client)) or "none: this node has taken none",
        fix="`tunesmith license lease show`",
    )
