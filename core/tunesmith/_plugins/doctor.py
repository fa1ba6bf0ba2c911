# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is wrong with plugins, and what to type: every plugin is examined in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tunesmith._plugins.authorize import unmet
from tunesmith._plugins.children import CRASH, TIME_LIMIT
from tunesmith._plugins.examine import Examination, Target, candidates, examine
from tunesmith._plugins.records import PluginRecord
from tunesmith._plugins.remedies import Remedies, missing_module
from tunesmith.errors import SettingsError
from tunesmith.settings import required_plugins

__all__ = ["CODES", "SLOW", "TIMEOUT", "Checkup", "Finding", "advice", "check_required", "check_up"]

TIMEOUT = 60.0
"""Seconds one plugin may take: to be imported and asked, and again for whatever comes after something that hung."""

SLOW = 0.1
"""Seconds of import from which a plugin is called slow: every command waits for it."""

CODES: Mapping[str, bool] = {
    "import": True,
    "missing-module": True,
    "exit": True,
    "crash": True,
    "time-limit": True,
    "hook": True,
    "answer": True,
    "incompatible": True,
    "conflict": True,
    "changing-answers": True,
    "target": True,
    "target-sort": True,
    "required": True,
    "settings": True,
    "disabled": False,
    "noise": False,
    "slow-import": False,
    "heavy-import": False,
    "threads": False,
    "shared-name": False,
}
"""Every sort of finding, and whether it means that something is not usable; the others are hints."""

_NOISE = 2000  # characters of what a plugin printed that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: one of :data:`CODES`.
        problem: what is wrong, in one line.
        fix: what to type or do; one or more lines.
        traceback: of the failure, or what was printed; may be empty.
    """

    code: str
    problem: str
    fix: tuple[str, ...] = ()
    traceback: str = ""

    @property
    def broken(self) -> bool:
        """Something is not usable."""
        return CODES[self.code]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """A plugin, what was seen of it, and what is wrong with it."""

    seen: Examination
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Everything of it is usable."""
        return not any(finding.broken for finding in self.findings)


def check_up(
    names: Sequence[str] | None = None,
    *,
    timeout: float = TIMEOUT,
    commands: Iterable[str] = (),
    open_groups: Collection[str] = (),
    seen: Callable[[str], None] = lambda name: None,
    remedies: Remedies | None = None,
) -> list[Checkup]:
    """Examine all plugins, or those of some names.

    Args:
        names: plugins to look at; None for all, the built-ins too.
        timeout: seconds for each.
        commands: names of the program's own commands, which no plugin's command can have.
        open_groups: those of them that plugins' commands of the same name join.
        seen: told the name of each plugin that is done, in order.
        remedies: where advice comes from. Default: for the installation there is.
    """
    remedies = remedies or Remedies()
    examined = []
    for one in examine(names, targets=True, timeout=timeout):
        examined.append(one)
        seen(one.record.name)
    owners = _owners(examined, commands)
    rivals = [candidate for candidate, settled in candidates() if settled and settled.status == "conflict"]

    def findings(one: Examination) -> Iterator[Finding]:
        same_name = [each.distribution for each in rivals if each.name == one.record.name]
        yield from _of_plugin(one, remedies, same_name)
        yield from _of_answers(one, remedies)
        for target in one.targets:
            yield from _of_target(one.record, target, remedies)
        yield from _of_names(one, owners, open_groups)

    return [Checkup(seen=one, findings=tuple(findings(one))) for one in examined]


def advice(one: Examination) -> tuple[str, ...]:
    """What to do about a plugin that is not ``ok``; empty for one that is."""
    if one.record.status == "ok":
        return ()
    same_name = [each.distribution for each, _ in candidates() if each.name == one.record.name]
    return _told_apart(one, Remedies(), same_name)[1]


def check_required(records: Iterable[PluginRecord]) -> list[Finding]:
    """Plugins that settings require and that are not there, or not usable."""
    try:
        missing = unmet(records, required_plugins())
    except SettingsError as error:
        return [Finding(code="settings", problem=error.what, fix=error.fix, traceback=str(error))]
    return [
        Finding(
            code="required",
            problem=f"{required.source} requires {required.text}, and {reason}",
            fix=(
                "install the package that has it, or see what is said of it",
                f"or ask whoever wrote {required.source}",
            ),
        )
        for required, reason in missing
    ]


def _of_plugin(one: Examination, remedies: Remedies, rivals: list[str]) -> Iterator[Finding]:
    record = one.record
    if record.status == "ok":
        return
    code, fix = _told_apart(one, remedies, rivals)
    yield Finding(code=code, problem=record.reason, fix=fix, traceback=record.traceback)


def _told_apart(one: Examination, remedies: Remedies, rivals: list[str]) -> tuple[str, tuple[str, ...]]:
    record = one.record
    if record.status == "disabled":
        return "disabled", ("leave out --no-plugins, or name it in TUNESMITH_PLUGINS, which is empty or names others",)
    if record.status == "incompatible":
        return "incompatible", remedies.fit(record)
    if record.status == "conflict":
        return "conflict", remedies.apart(record, rivals)
    if module := missing_module(record.reason):
        return "missing-module", remedies.missing(record, module)
    exchange = remedies.exchange(record)
    if one.ended:
        without = "until then start with `tunesmith --no-plugins`: whatever loads this plugin ends or hangs as it does"
        return {CRASH: "crash", TIME_LIMIT: "time-limit"}[one.ended], (*exchange, without)
    if "SystemExit" in record.reason:
        return "exit", exchange
    if record.reason.startswith("importing "):
        return "import", exchange
    if record.traceback or " returned " in record.reason or "may name one section" in record.reason:
        return "answer", exchange
    return "hook", exchange


def _of_answers(one: Examination, remedies: Remedies) -> Iterator[Finding]:
    record = one.record
    if one.unstable:
        yield Finding(
            code="changing-answers",
            problem=f"it does not answer the same each time: {one.unstable}",
            fix=remedies.exchange(record),
        )
    if one.noise:
        yield Finding(
            code="noise",
            problem=f"it prints {len(one.noise)} characters while it is imported, into output that programs may read",
            fix=(f"ask its authors to print nothing there: {remedies.home(record)}",),
            traceback=one.noise[:_NOISE],
        )
    if record.seconds > SLOW:
        yield Finding(
            code="slow-import",
            problem=f"importing and asking it took {record.seconds:.2f} s, and every command waits for it",
            fix=(f"ask its authors to import what takes long where it is used: {remedies.home(record)}",),
        )
    if one.heavy:
        yield Finding(
            code="heavy-import",
            problem=f"its module alone imports {', '.join(one.heavy)}, which every command waits for",
            fix=(f"ask its authors to import them where they are used: {remedies.home(record)}",),
        )
    if one.threads:
        yield Finding(
            code="threads",
            problem=f"importing it starts threads that keep a program from ending: {', '.join(one.threads)}",
            fix=(f"ask its authors to start them where they are used: {remedies.home(record)}",),
        )


def _of_target(record: PluginRecord, target: Target, remedies: Remedies) -> Iterator[Finding]:
    if target.ok:
        return
    spec = target.spec
    problem = f"{_word(spec['kind'])} {spec['name']} ({spec['target']}): {target.reason}"
    module = missing_module(target.reason)
    todo = remedies.missing(record, module) if module else remedies.exchange(record)
    wrong = not target.traceback and not target.ended and "; expected " in target.reason
    yield Finding(code="target-sort" if wrong else "target", problem=problem, fix=todo, traceback=target.traceback)


def _owners(examined: Sequence[Examination], commands: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    owners: dict[tuple[str, str], list[str]] = {("command", name): ["tunesmith"] for name in commands}
    for one in examined:
        for spec in one.specs:
            owners.setdefault((spec["kind"], spec["name"]), []).append(one.record.name)
    return owners


def _of_names(
    one: Examination, owners: Mapping[tuple[str, str], Sequence[str]], open_groups: Collection[str]
) -> Iterator[Finding]:
    """Not broken: the full name always resolves. The built-ins are told of by the plugins that have their names."""
    me = one.record.name
    for spec in one.specs if me != "tunesmith" else ():
        if spec["kind"] == "command" and spec["name"] in open_groups:
            continue
        others = [plugin for plugin in owners[spec["kind"], spec["name"]] if plugin != me]
        if others:
            yield Finding(
                code="shared-name",
                problem=f"the {_word(spec['kind'])} {spec['name']} is also of {' and '.join(others)}",
                fix=(f"write the full name: {me}/{spec['name']}",),
            )


def _word(kind: str) -> str:
    return kind.replace("_", " ")
