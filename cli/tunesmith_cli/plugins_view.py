# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plugins as people and programs read them: `tunesmith plugins show` and `doctor`."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.errors import SettingsError

if TYPE_CHECKING:
    from tunesmith._plugins.doctor import Checkup, Finding
    from tunesmith._plugins.examine import Examination
    from tunesmith_cli.screen import Screen

__all__ = ["checkup_facts", "details", "finding_facts", "show_checkups", "show_details"]


def details(seen: Examination) -> dict[str, Any]:
    """Everything that is known of a plugin, as ``show --json`` says it."""
    from tunesmith._plugins.doctor import advice

    record = seen.record
    return {
        "name": record.name,
        "status": record.status,
        "reason": record.reason,
        "fix": advice(seen),
        "distribution": record.distribution,
        "version": record.version,
        **_metadata(record.distribution),
        "entry_point": record.target,
        "provides": [_provided(record.name, spec) for spec in seen.specs],
        "observes": record.observes,
        "gate": record.gate,
        "required_by": _required_by(record.name),
        "seconds": record.seconds,
        "traceback": record.traceback,
    }


def show_details(screen: Screen, one: Mapping[str, Any]) -> None:
    """Print them."""
    fields = {
        "plugin": one["name"],
        "status": one["status"],
        "reason": one["reason"],
        "to do": "\n".join(one["fix"]),
        "distribution": f"{one['distribution']} {one['version']}".rstrip(),
        "summary": one["summary"],
        "home page": one["home_page"],
        "license": one["license"],
        "needs": ", ".join(one["needs"]),
        "entry point": one["entry_point"],
        "observes": ", ".join(one["observes"]),
        "gate": "yes: it is asked before things happen" if one["gate"] else "no",
        "required by": ", ".join(one["required_by"]),
        "import": f"{one['seconds']:.2f} s" if one["seconds"] else "",
    }
    screen.fields({name: value for name, value in fields.items() if value})
    if one["provides"]:
        screen.result()
        rows = [
            [each["kind"].replace("_", " "), each["full_name"], each["summary"], each["target"]]
            for each in one["provides"]
        ]
        screen.table(["kind", "full name", "summary", "target"], rows)
    if one["traceback"]:
        screen.result(f"\n{one['traceback'].rstrip()}")


def checkup_facts(one: Checkup) -> dict[str, Any]:
    """A plugin and what is wrong with it, as ``doctor --json`` says it."""
    record = one.seen.record
    return {
        "name": record.name,
        "distribution": record.distribution,
        "version": record.version,
        "status": record.status,
        "ok": one.ok,
        "seconds": record.seconds,
        "targets": [
            {
                "kind": target.spec["kind"],
                "name": target.spec["name"],
                "target": target.spec["target"],
                "ok": target.ok,
                "seconds": target.seconds,
            }
            for target in one.seen.targets
        ],
        "findings": [finding_facts(finding) for finding in one.findings],
    }


def finding_facts(finding: Finding) -> dict[str, Any]:
    """One thing that is wrong, as ``doctor --json`` says it."""
    return {
        "code": finding.code,
        "broken": finding.broken,
        "problem": finding.problem,
        "fix": finding.fix,
        "traceback": finding.traceback,
    }


def show_checkups(screen: Screen, checkups: Sequence[Checkup], required: Sequence[Finding] = ()) -> None:
    """Print what was looked at, what is wrong, and what to do about it."""
    rows = []
    for one in checkups:
        record, targets = one.seen.record, one.seen.targets
        usable = sum(target.ok for target in targets)
        state = "ok" if one.ok and record.status == "ok" else record.status if record.status != "ok" else "broken"
        hints = sum(not finding.broken for finding in one.findings)
        rows.append(
            [
                record.name,
                f"{record.distribution} {record.version}".rstrip(),
                state,
                f"{record.seconds:.2f} s",
                f"{usable} of {len(targets)}" if targets else "",
                f"{sum(target.seconds for target in targets):.1f} s" if targets else "",
                str(hints or ""),
            ]
        )
    screen.table(["plugin", "distribution", "status", "import", "targets", "their import", "hints"], rows)
    for one in checkups:
        for finding in one.findings:
            _show_finding(screen, one.seen.record.name, finding)
    for finding in required:
        _show_finding(screen, "settings", finding)
    bad = [one.seen.record.name for one in checkups if not one.ok] + ["settings" for one in required if one.broken][:1]
    screen.result()
    screen.result(f"not usable as it is: {', '.join(bad)}" if bad else "everything is usable")


def _show_finding(screen: Screen, name: str, finding: Finding) -> None:
    mark = "" if finding.broken else "hint: "
    screen.result(f"\n{name}: {mark}{finding.problem}")
    for at, line in enumerate(finding.fix):
        screen.result(f"  {'to do:' if at == 0 else '':<8}{line}")
    for line in finding.traceback.rstrip().splitlines():
        screen.result(f"    {line}".rstrip())


def _metadata(distribution: str) -> dict[str, Any]:
    """What the distribution says of itself; whatever is installed is here, so nothing is trusted to be whole."""
    from tunesmith._plugins.remedies import home_page, metadata_field

    facts: dict[str, Any] = {"summary": "", "home_page": "", "license": "", "needs": []}
    try:
        held = importlib.metadata.distribution(distribution)
        metadata = held.metadata
        facts["summary"] = metadata_field(metadata, "Summary")
        facts["home_page"] = home_page(metadata.get_all("Project-URL") or [], metadata_field(metadata, "Home-page"))
        facts["license"] = metadata_field(metadata, "License-Expression") or next(
            iter((metadata_field(metadata, "License")).splitlines()), ""
        )
        facts["needs"] = [line for line in held.requires or [] if _about_us(line)]
    except Exception as error:
        facts["summary"] = f"(its metadata cannot be read: {type(error).__name__})"
    return facts


def _about_us(line: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(line).name.lower() == "tunesmith"
    except InvalidRequirement:
        return line.lower().startswith("tunesmith")


def _required_by(name: str) -> list[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    from tunesmith.settings import required_plugins

    try:
        required = required_plugins()
    except SettingsError as error:
        return [f"unknown: {error.what}"]
    found = []
    for one in required:
        try:
            if Requirement(one.text).name == name:
                found.append(f"{one.source} ({one.text})")
        except InvalidRequirement:
            continue  # `tunesmith plugins doctor` says so
    return found


def _provided(plugin: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    named = {"kind": spec["kind"], "name": spec["name"], "full_name": f"{plugin}/{spec['name']}"}
    return {**named, **{key: value for key, value in spec.items() if key not in named}}
