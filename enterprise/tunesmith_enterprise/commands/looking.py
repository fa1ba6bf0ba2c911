# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license show|status|check|features|simulate-expiry``: what there is, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_enterprise.commands.printing import (
    AsJson,
    date,
    fields,
    limits_text,
    note,
    print_json,
    result,
    state_text,
    table,
    when,
)

if TYPE_CHECKING:
    from tunesmith_enterprise.entitlement.evidence import Evidence

__all__ = ["check", "features", "show", "simulate_expiry", "status"]

_EFFECTS = {"full": "yes", "kept": "what is set up", "off": "no"}


def show(json: AsJson = False) -> None:
    """The licenses that were found. Each with its state and what it says."""
    from tunesmith_enterprise.commands.context import look
    from tunesmith_enterprise.commands.views import license_view, refused_view
    from tunesmith_enterprise.entitlement.merging import count

    evidence = look()
    licenses = [license_view(one) for one in count(evidence)]
    refused = [refused_view(one) for one in evidence.refused]
    if json:
        print_json({"licenses": licenses, "refused": refused, "notes": list(evidence.notes)})
        return
    for at, one in enumerate(licenses):
        if at:
            result()
        _print_license(one, evidence.facts.now)
    _print_refused(refused, blank=bool(licenses))
    if not licenses and not refused:
        result("no license was found; `tunesmith license status --explain` says where one was looked for")
    _print_notes(evidence)


def status(
    explain: Annotated[
        bool, typer.Option("--explain", help="Where licenses were looked for, and how each was judged.")
    ] = False,
    json: AsJson = False,
) -> None:
    """In which state things are. In one word, and for each feature."""
    from tunesmith_enterprise.commands.context import look, searched
    from tunesmith_enterprise.commands.views import status_view

    evidence = look()
    view = status_view(evidence, searched(evidence))
    if json:
        print_json(view)
        return
    _print_status(view, evidence)
    if explain:
        _print_explanation(view, evidence)
    _print_notes(evidence)
    if view["refused"] or (view["state"] in ("none", "invalid", "expired", "revoked")):
        note("`tunesmith license doctor` says what to do")


def check(
    feature: Annotated[str, typer.Argument(metavar="FEATURE", help="Its code: `tunesmith license features`.")],
    processes: Annotated[int | None, typer.Option("--processes", min=1, help="Processes of one job.")] = None,
    nodes: Annotated[int | None, typer.Option("--nodes", min=1, help="Machines of one job.")] = None,
    gpus: Annotated[int | None, typer.Option("--gpus", min=1, help="GPUs of one job.")] = None,
    seats: Annotated[int | None, typer.Option("--seats", min=1, help="People with a key of their own.")] = None,
    json: AsJson = False,
) -> None:
    """Ask as a job would, without beginning one. Exit code 0: granted; 20 and up: refused, each reason its own."""
    from tunesmith_enterprise.commands.context import look
    from tunesmith_enterprise.entitlement.deciding import decide
    from tunesmith_enterprise.errors import LicenseError

    asked = {"processes": processes, "nodes": nodes, "gpus": gpus, "seats": seats}
    quantities = {name: wanted for name, wanted in asked.items() if wanted is not None}
    try:
        grant = decide(feature, quantities, look())
    except LicenseError as error:
        if not json:
            raise
        print_json(
            {
                "granted": False,
                "feature": feature,
                "code": error.code,
                "what": error.what,
                "given": error.given,
                "expected": error.expected,
                "fix": list(error.fix),
                "exit_code": error.exit_code,
            }
        )
        raise typer.Exit(error.exit_code) from None
    if json:
        print_json({"granted": True, **grant.to_json()})
        return
    by = ", ".join(f"{one.id} (serial {one.serial})" for one in grant.basis)
    result(f"{feature} is granted by {by}: {limits_text(grant.limits)}")
    for line in grant.notes:
        note(line)


def features(json: AsJson = False) -> None:
    """What is licensed, and what every state means. For each feature, with its limits here."""
    from tunesmith_enterprise.commands.context import look
    from tunesmith_enterprise.commands.views import features_view, optimizations_view
    from tunesmith_enterprise.entitlement.features import FEATURES, STATES
    from tunesmith_enterprise.entitlement.merging import count

    evidence = look()
    view = features_view(count(evidence), evidence)
    dated = optimizations_view(evidence.facts.now)
    if json:
        for code, one in view.items():
            one["meanings"] = {
                state: {"effect": FEATURES[code].meanings[state].effect, "words": FEATURES[code].meanings[state].words}
                for state in STATES
            }
        print_json({"features": view, "optimizations": dated})
        return
    _print_features(view)
    for code, feature in FEATURES.items():
        result()
        result(f"{code}: {feature.title}")
        for state in STATES:
            meaning = feature.meanings[state]
            mark = ">" if state == view[code]["state"] else " "
            result(f"{mark} {state:<9} {_EFFECTS[meaning.effect]:<14}  {meaning.words}")
    result()
    result("optimizations, and the day from which each needs no license:")
    for code, one in dated.items():
        result(f"  {code:<20}  {'open since' if one['open'] else 'opens on'} {one['opens']}  {one['title']}")


def simulate_expiry(
    at: Annotated[
        str | None, typer.Option("--at", metavar="DATE", help="2027-01-31, or a time 2027-01-31T12:00:00Z.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", min=0, max=36500, help="So many days ahead.")
    ] = None,
    json: AsJson = False,
) -> None:
    """What will change, and when. For each feature, if nothing but time passes; nothing is changed by asking."""
    from tunesmith_enterprise.commands.context import look
    from tunesmith_enterprise.commands.expiry import at_moment, changes
    from tunesmith_enterprise.commands.views import feature_view, moment
    from tunesmith_enterprise.entitlement.features import FEATURES

    evidence = look()
    now = evidence.facts.now
    if at is not None and days is not None:
        raise typer.BadParameter("give --at or --days, not both")
    then = date(at, "--at") if at is not None else now + timedelta(days=days) if days is not None else None
    present = at_moment(evidence, now)
    coming = list(changes(evidence))
    later = None if then is None else at_moment(evidence, then)
    if json:
        print_json(
            {
                "now": moment(now),
                "at": moment(then),
                "features": {
                    code: {
                        "now": feature_view(code, present[code]),
                        "at": later and feature_view(code, later[code]),
                        "changes": [
                            {"at": moment(one.at), **feature_view(code, one.found)}
                            for one in coming
                            if one.feature == code
                        ],
                    }
                    for code in FEATURES
                },
            }
        )
        return
    for number, (code, feature) in enumerate(FEATURES.items()):
        if number:
            result()
        result(f"{code}: {feature.title}")
        lines = [("now", present[code])]
        lines += [(when(one.at, now), one.found) for one in coming if one.feature == code]
        if then is not None and later is not None:
            lines = [*lines[:1], (when(then, now), later[code])]
        for label, found in lines:
            words = FEATURES[code].meanings[found.state].words
            result(f"  {label}: {found.state}: {words}")
        if then is None and len(lines) == 1:
            result("  nothing changes by itself")
    note("jobs that have begun are never stopped, and nothing of the MIT core changes in any state")


def _print_status(view: Mapping[str, Any], evidence: Evidence) -> None:
    now = evidence.facts.now
    first = view["licenses"][0] if view["licenses"] else None
    build, root = view["build"], view["root"]
    fields(
        {
            "state": view["state"] if first is None or view["root"] is None else state_text(first, now),
            "licensee": first and first["licensee"],
            "edition": first and first["edition"],
            "build": f"{build['version'] or 'without a version'}"
            + (f", made on {build['built_at'][:10]}" if build["built_at"] else ""),
            "root": f"version {root['version']}" if root else "none: this build unlocks nothing",
            "installation": view["machine"]["install_id"],
        }
    )
    result()
    _print_features(view["features"])


def _print_features(view: Mapping[str, Mapping[str, Any]]) -> None:
    table(
        ["feature", "state", "new jobs", "limits", "by"],
        [
            [
                code,
                one["state"],
                _EFFECTS[one["effect"]],
                limits_text(one["limits"]) if one["licensed"] else "",
                ", ".join(one["licenses"]) if one["licensed"] else "",
            ]
            for code, one in view.items()
        ],
    )


def _print_explanation(view: Mapping[str, Any], evidence: Evidence) -> None:
    judged = {(one["id"], one["serial"], one["source"]["name"]): one for one in view["licenses"]}
    result()
    result("searched, in this order:")
    for number, source in enumerate(view["sources"], start=1):
        result(f"{number}. {source['name']}")
        for one in source["found"]:
            found = judged.get((one["id"], one["serial"], one["in"]))
            words = "a newer one counts" if found is None else state_text(found, evidence.facts.now)
            where = "" if one["in"] == source["name"] else f" in {one['in']}"
            result(f"   {one['id']}, serial {one['serial']}{where}: {words}")
        for one in source["refused"]:
            result(f"   refused: {one['in']}: {one['what']} ({one['reason']})")
        if not source["found"] and not source["refused"]:
            result("   nothing")
    result("the working folder is never searched")


def _print_license(one: Mapping[str, Any], now: datetime) -> None:
    from tunesmith_enterprise.commands.views import parsed

    fields(
        {
            one["kind"]: f"{one['id']}, serial {one['serial']}",
            "state": state_text(one, now),
            "licensee": one["licensee"],
            "edition": f"{one['edition']}, for {one['environment']}",
            "features": "\n".join(f"{code}: {limits_text(limits)}" for code, limits in one["features"].items()),
            "starts": when(parsed(one["starts_at"]), now),
            "ends": when(parsed(one["expires_at"]), now),
            "grace until": when(parsed(one["grace_until"]), now, never=""),
            "maintenance until": when(parsed(one["maintenance_until"]), now, never=""),
            "bound to": ", ".join(one["binding"]["values"]),
            "under": one["under"],
            "found in": one["source"]["name"],
        }
    )


def _print_refused(refused: list[dict[str, Any]], *, blank: bool) -> None:
    for one in refused:
        if blank:
            result()
        fields(
            {
                "refused": one["source"]["name"],
                "because": one["what"],
                "given": one["given"],
                "expected": one["expected"],
                "to do": "\n".join(one["fix"]),
            }
        )
        blank = True


def _print_notes(evidence: Evidence) -> None:
    for line in evidence.notes:
        note(f"note: {line}")
