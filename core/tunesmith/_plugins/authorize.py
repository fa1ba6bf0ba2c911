# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whether something may happen: required plugins have to be there, and gates have to let it pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tunesmith._plugins.host import Host, get_host
from tunesmith._plugins.records import PluginRecord
from tunesmith.errors import DeniedError, SettingsError
from tunesmith.plugin import Action
from tunesmith.settings import Required, required_plugins

__all__ = ["authorize", "unmet"]


def authorize(action: Action, host: Host | None = None) -> dict[str, Mapping[str, Any]]:
    """Called at the edge, before anything of an action is begun.

    Returns:
        What gates want recorded, by plugin. A job writes it into its run; what makes no run drops it.

    Raises:
        DeniedError: a required plugin is missing or not usable, or a gate says no or fails.
        SettingsError: the settings that may require a plugin cannot be read.
    """
    host = host or get_host()
    for required, reason in unmet(host.records, required_plugins()):
        raise DeniedError(
            f"a plugin is required here, and {reason}",
            given=f"{action.name}: {action.subject}",
            expected=f"the plugin {required.text}, as {required.source} requires",
            fix=["see `tunesmith plugins list`", f"or ask whoever wrote {required.source}"],
        )
    return host.authorize(action)


def unmet(records: Iterable[PluginRecord], required: Iterable[Required]) -> list[tuple[Required, str]]:
    """The required plugins that are not there, and what is wrong: ``the plugin 'audit' is broken: …``."""
    known = {record.name: record for record in records}
    reasons = [(one, _unmet(one, known)) for one in required]
    return [(one, reason) for one, reason in reasons if reason]


def _unmet(required: Required, known: dict[str, PluginRecord]) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(required.text)
    except InvalidRequirement:
        raise SettingsError(
            "a required plugin is not named as plugins are",
            given=f"{required.text!r}, in {required.source}",
            expected="a name, with versions where they matter, e.g. audit>=1.2",
            fix="correct it",
        ) from None
    record = known.get(requirement.name)
    if record is None:
        return f"the plugin {requirement.name!r} is not installed"
    if record.status != "ok":
        return f"the plugin {requirement.name!r} is {record.status}: {record.reason}"
    if not requirement.specifier.contains(record.version or "0", prereleases=True):
        return f"the plugin {requirement.name!r} is there in version {record.version or 'unknown'}"
    return ""
