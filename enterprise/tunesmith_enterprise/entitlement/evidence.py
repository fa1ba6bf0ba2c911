# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What there is to decide by: documents that were found and verified, and facts about this machine and this moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import Trust
from tunesmith_enterprise.entitlement.build import Build

if TYPE_CHECKING:
    from tunesmith.licensing.contents import Lease, License, Pool, Revocations

__all__ = ["Evidence", "Facts", "Held", "Place", "Refused", "Seat", "Source"]

Place = Literal["argument", "environment", "settings", "user", "system", "secrets", "server"]


class Source(NamedTuple):
    """Where a text was found.

    Attributes:
        place: by which rule.
        name: for people: a path, or the name of a variable; never any of the text.
        path: the file, if it is one.
    """

    place: Place
    name: str
    path: Path | None = None


class Held(NamedTuple):
    """A license whose signatures fit.

    Attributes:
        license: what it says. Whether it counts now is judged elsewhere.
        source: where it was found.
        sha256: of its envelope, in hexadecimal.
        granting: the license of the sub-issuer that signed it; None: the vendor did.
    """

    license: License
    source: Source
    sha256: str
    granting: License | None = None


class Seat(NamedTuple):
    """A lease of a pool, both verified, that this machine holds.

    Attributes:
        answered: the server has confirmed it now; False: it does not answer, and the lease is from before.
    """

    pool: Pool
    lease: Lease
    source: Source
    sha256: str
    answered: bool


class Refused(NamedTuple):
    """A source, or a document of one, of which nothing is used, and why."""

    source: Source
    error: SignedDocumentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """This machine and this moment.

    Attributes:
        now: aware, UTC; never before the latest moment that is known to have been.
        built_at: when the package was built; None: it does not say.
        install_id: of this installation; None: it was never activated.
        cluster_id: what the administrator calls this cluster; None: nothing.
        domain: of this machine; empty: none.
        product: inside which product this runs; None: on its own.
        ci: this runs in a continuous integration, as the variable ``CI`` says.
    """

    now: datetime
    built_at: datetime | None = None
    install_id: str | None = None
    cluster_id: str | None = None
    domain: str = ""
    product: str | None = None
    ci: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it.

    Attributes:
        trust: the newest root that could be followed to; None: this build has none.
        held: newest serial only, each license once.
        seats: leases.
        refused: what was found and is of no use.
        revocations: the list with the highest number that is known; None: there never was one.
        notes: for people, one sentence each: the clock, a folder that cannot be written, a root that was not taken.
    """

    build: Build
    facts: Facts
    trust: Trust | None = None
    held: tuple[Held, ...] = ()
    seats: tuple[Seat, ...] = ()
    refused: tuple[Refused, ...] = ()
    revocations: Revocations | None = None
    notes: tuple[str, ...] = ()
