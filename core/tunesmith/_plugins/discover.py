# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Find plugins and decide which may be imported, without importing any of them."""

from __future__ import annotations

import difflib
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint
from itertools import chain

import tunesmith
from tunesmith._plugins.fitting import misfit
from tunesmith._plugins.records import PluginRecord, Status
from tunesmith.plugin.specs import NAME_FORM

__all__ = ["BUILTIN", "GROUP", "LIMIT", "Candidate", "judge", "scan"]

GROUP = "tunesmith.plugins.v1"
"""The entry-point group. It carries the major version of the hooks: a wheel may publish v1 and v2 side by side."""

BUILTIN = "tunesmith"
"""Name of the plugin that holds the built-ins; nobody else may have it."""

LIMIT = "TUNESMITH_PLUGINS"
"""Environment variable: the only plugins to load, separated by commas; empty for none. Built-ins always load."""

_log = logging.getLogger("tunesmith.plugins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An entry point that says it is a plugin. Nothing of it has been imported.

    Attributes:
        name: of the entry point.
        distribution: that declares it.
        version: of the distribution.
        target: what the entry point names.
        load: imports and gives the plugin object.
        requires: the distribution's ``Requires-Dist`` lines.
        unreadable: why its metadata cannot be read; empty when it can.
    """

    name: str
    distribution: str
    version: str
    target: str
    load: Callable[[], object]
    requires: tuple[str, ...] = ()
    unreadable: str = ""

    def record(self, status: Status, reason: str = "", traceback: str = "") -> PluginRecord:
        """This candidate as a record that provides nothing."""
        return PluginRecord(
            name=self.name,
            distribution=self.distribution,
            version=self.version,
            target=self.target,
            status=status,
            reason=reason,
            traceback=traceback,
        )


def scan(distributions: Iterable[Distribution]) -> list[Candidate]:
    """Every entry point of the group, sorted by plugin name.

    Of two distributions with the same name the first counts, as it does for ``import``. Only the
    metadata of distributions that have plugins is parsed, so the others cost one small file each.
    """
    found: dict[str, list[Candidate]] = {}
    for distribution in distributions:
        if candidates := _candidates(distribution):
            first = candidates[0]
            key = f"({len(found)})" if first.unreadable else re.sub(r"[-_.]+", "-", first.distribution).lower()
            found.setdefault(key, candidates)
    return sorted(chain.from_iterable(found.values()), key=lambda candidate: (candidate.name, candidate.distribution))


def judge(found: Iterable[Candidate], environ: Mapping[str, str]) -> Iterator[tuple[Candidate, PluginRecord | None]]:
    """Each candidate with the record that settles it, or with ``None`` when it may be imported."""
    found = list(found)
    wanted = _wanted(found, environ.get(LIMIT))
    owners = Counter(candidate.name for candidate in found)
    for candidate in found:
        if candidate.name == BUILTIN:
            settled = candidate.record("conflict", f"the name {BUILTIN!r} belongs to the built-ins")
        elif owners[candidate.name] > 1:
            settled = candidate.record("conflict", _rivals(candidate.name, found))
        elif wanted is not None and candidate.name not in wanted:
            settled = candidate.record("disabled", f"{LIMIT} does not name it")
        elif candidate.unreadable:
            settled = candidate.record("broken", candidate.unreadable)
        elif not NAME_FORM.match(candidate.name):
            settled = candidate.record(
                "broken",
                f"the entry point's name must be lower-case letters, digits, '-', '_' or '.', given {candidate.name!r}",
            )
        elif reason := misfit(candidate.requires, tunesmith.__version__):
            settled = candidate.record("incompatible", reason)
        else:
            settled = None
        yield candidate, settled


def _candidates(distribution: Distribution) -> list[Candidate]:
    """The plugins one distribution declares. Whatever is installed is here, so nothing is trusted to be whole."""
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except Exception as error:
        _log.warning("an installed entry_points.txt cannot be read (%s); plugins it may declare are not loaded", error)
        return []
    if GROUP not in text:
        return []
    entries: list[EntryPoint] = []
    name, version, unreadable = "(unnamed)", "", ""
    requires: tuple[str, ...] = ()
    try:
        entries = [entry for entry in distribution.entry_points if entry.group == GROUP]
        name, version, requires = _metadata(distribution)
    except Exception as error:
        unreadable = f"the metadata of its distribution cannot be read: {type(error).__name__}: {error}"
        entries = entries or [EntryPoint(name=name, value="", group=GROUP)]
    return [
        Candidate(
            name=entry.name,
            distribution=name,
            version=version,
            target=entry.value,
            load=entry.load,
            requires=requires,
            unreadable=unreadable,
        )
        for entry in entries
    ]


def _metadata(distribution: Distribution) -> tuple[str, str, tuple[str, ...]]:
    """Its name, its version and what it requires: fields of one line each.

    ``Distribution.metadata`` parses everything as an e-mail, the README at its end included, and this is done at every
    start for every plugin.
    """
    text = distribution.read_text("METADATA")
    if text is None:  # an egg-info, which has its requirements in a file of their own
        fields = distribution.metadata
        return fields["Name"] or "(unnamed)", fields["Version"] or "", tuple(distribution.requires or ())
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        found.setdefault(key.lower(), []).append(value.strip())
    name, version = (found.get(key, [""])[0] for key in ("name", "version"))
    return name or "(unnamed)", version, tuple(found.get("requires-dist", ()))


def _wanted(found: list[Candidate], limit: str | None) -> frozenset[str] | None:
    if limit is None:
        return None
    wanted = frozenset(name.strip() for name in limit.split(",") if name.strip())
    names = sorted({candidate.name for candidate in found})
    for missing in sorted(wanted.difference(names, [BUILTIN])):
        near = difflib.get_close_matches(missing, names, n=1)
        _log.warning(
            "%s names the plugin %r, which is not installed%s",
            LIMIT,
            missing,
            f"; did you mean {near[0]!r}?" if near else "",
        )
    return wanted


def _rivals(name: str, found: list[Candidate]) -> str:
    owners = " and ".join(f"{rival.distribution} {rival.version}" for rival in found if rival.name == name)
    return f"the name {name!r} is declared twice, by {owners}; uninstall one"
