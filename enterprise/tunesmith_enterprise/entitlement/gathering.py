# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Everything that there is to decide by, gathered once, at the start of a job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import get_args

from tunesmith_enterprise.entitlement.build import Build, this_build
from tunesmith_enterprise.entitlement.clock import Moment, keep_mark, present, read_mark
from tunesmith_enterprise.entitlement.evidence import Evidence, Facts, Place, Refused, Source
from tunesmith_enterprise.entitlement.facts import cluster_of, domain_of, runs_in_ci
from tunesmith_enterprise.entitlement.following import follow, keep_roots, read_roots
from tunesmith_enterprise.entitlement.install import known_install_id
from tunesmith_enterprise.entitlement.opening import Opened, open_texts
from tunesmith_enterprise.entitlement.places import NOWHERE, Places
from tunesmith_enterprise.entitlement.preferences import Preferences, read_preferences
from tunesmith_enterprise.entitlement.reading import read_licenses
from tunesmith_enterprise.entitlement.revoking import keep_list, newest_list, read_list
from tunesmith_enterprise.entitlement.sources import Argument, find_texts
from tunesmith_enterprise.entitlement.state import StateFolder

__all__ = ["gather", "present_moment"]


def gather(
    argument: Argument = None,
    *,
    environ: Mapping[str, str] | None = None,
    places: Places | None = None,
    build: Build | None = None,
    product: str | None = None,
    now: datetime | None = None,
) -> Evidence:
    """Look everywhere, verify what is found, and learn what time it is.

    What can go wrong with a place, a file or a disk is a note or a refusal within the evidence; this raises nothing of
    its own. It keeps newer roots, lists of revocations and the mark of the clock in the state folder, as far as that
    can be written.

    Args:
        argument: of the program: what is in a license file (bytes, text), or a path.
        environ: default: ``os.environ``.
        places: default: ``Places.of(environ)``.
        build: default: that of the package.
        product: the product that all this runs inside of, for licenses that are bound to one.
        now: what the system's clock says, aware; default: it is asked.

    Raises:
        SignedDocumentError: the files of the package itself are damaged.
    """
    environ = os.environ if environ is None else environ
    places = Places.of(environ) if places is None else places
    build = this_build() if build is None else build
    system = (datetime.now(timezone.utc) if now is None else now).replace(microsecond=0)
    state = StateFolder(places.state)

    preferences, notes = (Preferences(), ()) if places == NOWHERE else read_preferences(environ)
    found = find_texts(argument, environ=environ, places=places, license_files=preferences.license_files)
    opened, refused = open_texts(found.texts)
    mark, about_mark = read_mark(state)
    install_id, about_id = known_install_id(state, environ)
    notes = (*notes, *found.notes, *about_mark, *about_id)

    def facts(moment: datetime) -> Facts:
        return Facts(
            now=moment,
            built_at=build.built_at,
            install_id=install_id,
            cluster_id=cluster_of(environ, preferences),
            domain=domain_of(environ, preferences),
            product=product,
            ci=runs_in_ci(environ),
        )

    known = [Moment(build.built_at, "this build was made")] if build.built_at else []
    if build.trust is None:
        # Nothing can be believed here, and nothing is kept: another build of this machine may know better.
        return Evidence(
            build=build,
            facts=facts(present(mark, system, known)[0]),
            refused=_in_order(*found.refused, *refused),
            notes=tuple(dict.fromkeys(notes)),
        )

    kept_roots, about_roots = read_roots(state)
    before, _ = present(mark, system, known)
    followed = follow(build.trust, kept_roots, _chains(opened), now=before)
    kept_list, about_list = read_list(state)
    newest = newest_list(followed.trust, build.revocations, kept_list, opened)
    licenses = read_licenses(followed.trust, opened, first=build.trust, failures=followed.failures)

    known += [Moment(one.issued_at, f"the license {one.license_id} was issued") for one in licenses.issued]
    if newest.revocations is not None:
        known.append(Moment(newest.revocations.issued_at, "the list of revocations was issued"))
    moment, about_clock = present(mark, system, known)
    kept = (
        []
        if places == NOWHERE
        else [
            _keep(state, lambda: keep_roots(state, build.trust or followed.trust, followed)),
            _keep(state, lambda: keep_list(state, followed.trust, newest)),
            _keep(state, lambda: keep_mark(state, mark, system, known)),
        ]
    )
    return Evidence(
        build=build,
        facts=facts(moment),
        trust=followed.trust,
        held=licenses.held,
        refused=_in_order(*found.refused, *refused, *newest.refused, *licenses.refused),
        revocations=newest.revocations,
        notes=tuple(
            dict.fromkeys(
                (
                    *about_clock,
                    *notes,
                    *about_roots,
                    *followed.notes,
                    *about_list,
                    *newest.notes,
                    *licenses.notes,
                    *filter(None, kept),
                )
            )
        ),
    )


def present_moment() -> datetime:
    """What time it is on this machine, aware: never before this build was made nor before the mark of the clock.

    Nothing is looked for, verified or kept: this is for what depends on a day and on no license.

    Raises:
        SignedDocumentError: the files of the package itself are damaged.
    """
    build = this_build()
    mark, _ = read_mark(StateFolder(Places.of(os.environ).state))
    known = [Moment(build.built_at, "this build was made")] if build.built_at else []
    return present(mark, datetime.now(timezone.utc).replace(microsecond=0), known)[0]


def _chains(opened: list[Opened]) -> dict[Source, list[bytes]]:
    chains: dict[Source, list[bytes]] = {}
    for document in opened:
        if document.kind == "root":
            chains.setdefault(document.source, []).append(document.envelope)
    return chains


def _in_order(*refused: Refused) -> tuple[Refused, ...]:
    places = get_args(Place)
    return tuple(sorted(refused, key=lambda one: places.index(one.source.place)))


def _keep(state: StateFolder, keep: Callable[[], None]) -> str:
    """A note if it could not be kept."""
    try:
        keep()
    except OSError as error:
        return state.trouble(error)
    return ""
