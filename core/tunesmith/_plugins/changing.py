# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Add plugins, remove them, bring them back: a plan, which is a command to look at, and then its execution.

No plugin is imported here, so a broken one can be removed with the tool that it broke.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tunesmith._plugins.discover import GROUP
from tunesmith._plugins.installing import Installation, detect
from tunesmith._plugins.known import distribution_of
from tunesmith._plugins.recorded import Recorded, change_recorded, environment, read_recorded, replaced
from tunesmith._plugins.requested import Requested, request, same
from tunesmith.errors import NotFoundError, PluginError

__all__ = ["Plan", "add", "plan_add", "plan_remove", "plan_restore", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        installation: how tunesmith is installed.
        command: to run, as a list of arguments; empty where nothing needs to be run.
        requested: what it adds.
        removed: the distributions it removes.
        missing: recorded and not installed.
        there: recorded and installed.
    """

    installation: Installation
    command: tuple[str, ...] = ()
    requested: tuple[Requested, ...] = ()
    removed: tuple[str, ...] = ()
    missing: tuple[Recorded, ...] = ()
    there: tuple[Recorded, ...] = ()


def plan_add(texts: Sequence[str]) -> Plan:
    """The command that adds packages.

    Raises:
        PluginError: one of them is nothing that can be installed, or nothing can be installed here.
        SettingsError: the list of what was added cannot be used; then nothing may be added to it.
    """
    requested = tuple(map(request, texts))
    read_recorded()
    installation = detect()
    return Plan(installation=installation, command=tuple(installation.add(requested)), requested=requested)


def plan_remove(texts: Sequence[str]) -> Plan:
    """The command that removes plugins, by their names or those of their packages.

    Raises:
        NotFoundError: there is none of such a name.
        PluginError: it is tunesmith itself, the name of two, or nothing can be removed here.
        SettingsError: the list of what was added cannot be used.
    """
    held = [one.name for one in read_recorded() if one.environment == environment()]
    names = tuple(dict.fromkeys(distribution_of(text, held) for text in texts))
    installation = detect()
    here = _snapshot()
    installed = [name for name in names if _key(name) in here]
    return Plan(
        installation=installation, command=tuple(installation.remove(installed)) if installed else (), removed=names
    )


def plan_restore(of: str | None = None) -> Plan:
    """The command that brings back what is recorded and missing.

    Args:
        of: the environment it is recorded for. Default: this one.

    Raises:
        NotFoundError: nothing is recorded for it.
        PluginError: something recorded cannot be installed any more, or nothing can be installed here.
        SettingsError: the list of what was added cannot be used.
    """
    everything = read_recorded()
    of = environment() if of is None else str(Path(of).absolute())
    held = [one for one in everything if one.environment == of]
    if not held:
        others = list(dict.fromkeys(one.environment for one in everything))
        advice = [f"`tunesmith plugins restore --from {other}`" for other in others]
        raise NotFoundError(
            "no plugins are recorded for this environment",
            given=of,
            expected="plugins that were added by `tunesmith plugins add`",
            fix=advice or "add them: `tunesmith plugins add PACKAGE`",
        )
    here = _snapshot()
    missing = tuple(one for one in held if _key(one.name) not in here)
    there = tuple(one for one in held if _key(one.name) in here)
    requested = tuple(request(one.requirement) for one in missing)
    installation = detect()
    command = tuple(installation.add(requested)) if requested else ()
    return Plan(installation=installation, command=command, requested=requested, missing=missing, there=there)


def add(plan: Plan, output: IO[str] | int) -> list[Recorded]:
    """Run the command of a plan that adds something, and record what came of it.

    Args:
        plan: of :func:`plan_add` or :func:`plan_restore`.
        output: where the installer says what it does.

    Raises:
        PluginError: the command failed, or what it installed is not found; then nothing of it is recorded.
        OutputError: it cannot be recorded.
    """
    before = _snapshot()
    _run(plan.command, output)
    after = _snapshot()
    added = [_recognized(one, before, after) for one in plan.requested]
    change_recorded(lambda held: replaced(held, added))
    return added


def remove(plan: Plan, output: IO[str] | int) -> list[str]:
    """Run the command of a plan that removes something, and forget it.

    Returns:
        The distributions that are gone.

    Raises:
        PluginError: the command failed, or what it removed is still there.
        OutputError: the list of what was added cannot be written.
    """
    if plan.command:
        _run(plan.command, output)
    after = _snapshot()
    gone = [name for name in plan.removed if _key(name) not in after]
    here = environment()

    def forget(held: list[Recorded]) -> list[Recorded]:
        return [one for one in held if one.environment != here or not any(same(one.name, name) for name in gone)]

    if any(one.environment == here and any(same(one.name, name) for name in gone) for one in read_recorded()):
        change_recorded(forget)
    if still := [name for name in plan.removed if name not in gone]:
        raise PluginError(
            f"the command was run, and {', '.join(still)} is still there",
            given=" ".join(plan.command),
            expected="a package of this environment",
            fix=[f"it is at {after[_key(name)].place}: remove it from there" for name in still],
        )
    return gone


@dataclass(frozen=True, slots=True)
class _Installed:
    name: str
    version: str
    origin: str
    place: str
    plugins: bool


def _snapshot() -> dict[str, _Installed]:
    """Every installed distribution by its name, as it is on the disk now."""
    importlib.invalidate_caches()
    found: dict[str, _Installed] = {}
    for one in importlib.metadata.distributions():
        try:
            name = one.metadata["Name"]
            origin = one.read_text("direct_url.json") or ""
            plugins = GROUP in (one.read_text("entry_points.txt") or "")
            facts = _Installed(name, one.version or "", origin, str(one.locate_file("")), plugins)
        except Exception:
            continue
        if isinstance(name, str):
            found.setdefault(_key(name), facts)
    return found


def _recognized(one: Requested, before: Mapping[str, _Installed], after: Mapping[str, _Installed]) -> Recorded:
    """What came of a request: by its name, by where it came from, or since it was not there before."""
    if one.name:
        named: Iterable[_Installed] = [after[key] for key in [_key(one.name)] if key in after]
    else:
        named = [facts for facts in after.values() if _came_from(facts.origin, one.text)]
        named = named or [facts for key, facts in after.items() if facts.plugins and before.get(key) != facts]
    found = next(iter(named), None)
    if found is None:
        raise PluginError(
            "the installer says that it is done, and nothing new is found in this environment",
            given=one.text,
            expected=f"a package in {environment()}",
            fix="see above what the installer says; nothing was recorded",
        )
    return Recorded(environment=environment(), requirement=one.text, name=found.name, version=found.version)


def _came_from(origin: str, text: str) -> bool:
    try:
        url = json.loads(origin)["url"] if origin else ""
    except (ValueError, KeyError, TypeError):
        return False
    if not isinstance(url, str) or not url:
        return False
    return url.rstrip("/") == Path(text).as_uri() if Path(text).is_absolute() else url in text


def _key(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


def _run(command: Sequence[str], output: IO[str] | int) -> None:
    """Run an installer; no shell has a part in it."""
    import shlex

    line = shlex.join(command)
    try:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode
    except OSError as error:
        raise PluginError(
            f"{command[0]} cannot be started: {error.strerror}",
            given=line,
            fix=f"install {command[0]}, or make it be found (PATH)",
        ) from error
    if code != 0:
        raise PluginError(
            f"the installer failed with exit code {code}",
            given=line,
            expected="exit code 0; nothing was recorded",
            fix="see above what it says",
        )
