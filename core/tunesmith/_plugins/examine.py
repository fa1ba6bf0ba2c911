# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Load plugins in processes of their own, so that whatever they do is done to nobody else.

A plugin may hang, exit or crash the interpreter while it is imported. One child is one plugin; it writes a line as
each step is done, and when it ends early, the step without a line is the one to blame.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from tunesmith._plugins.children import TIME_LIMIT, Children, End
from tunesmith._plugins.discover import Candidate, judge, scan
from tunesmith._plugins.examined import plain_spec
from tunesmith._plugins.host import Host
from tunesmith._plugins.kinds import KINDS
from tunesmith._plugins.records import PluginRecord

__all__ = ["LOOK", "Examination", "Target", "candidates", "examine", "look"]

LOOK = 10.0
"""Seconds a plugin may take to be imported and asked when somebody only looks at what is installed."""

_QUICK = 4.0  # seconds for all plugins together; what takes longer is looked at one by one
_AT_ONCE = min(4, max(2, os.cpu_count() or 1))
_GIVE_UP = 2  # targets of one plugin that may use up the time limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How importing one target went.

    Attributes:
        spec: the fields of what names it, and its ``kind``.
        ok: it is there, and of the right sort as far as that can be said.
        seconds: importing it took, without what earlier targets of the plugin had imported already.
        reason: one line; empty when ok.
        traceback: or what the child said before it died; empty when ok.
        ended: how the child ended, if it did: ``crash`` or ``time limit``.
    """

    spec: Mapping[str, Any]
    ok: bool
    seconds: float
    reason: str = ""
    traceback: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was seen of one plugin.

    Attributes:
        record: as the host makes it; ``broken`` also where the child did not survive.
        specs: the fields of what it provides, each with its ``kind``; empty unless ``ok``.
        noise: what it printed while it was imported and asked.
        heavy: modules that take long to import, and that came with it.
        threads: names of threads it started that keep a program from ending.
        ended: how the child ended while the plugin was imported, if it did: ``crash`` or ``time limit``.
        unstable: how its answers differ when it is asked again.
        targets: one for each spec; empty unless they were to be imported.
    """

    record: PluginRecord
    specs: tuple[Mapping[str, Any], ...] = ()
    noise: str = ""
    heavy: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    ended: str = ""
    unstable: str = ""
    targets: tuple[Target, ...] = ()


def candidates() -> list[tuple[Candidate, PluginRecord | None]]:
    """Every installed plugin, with the record that settles it where it may not be imported. Nothing is imported."""
    return list(judge(scan(importlib.metadata.distributions()), os.environ))


def look() -> list[Examination]:
    """Every plugin as the host finds it, the built-ins first: the quick way, which says nothing of noise.

    One child loads them all, as every process does, since a child costs 0.2 s, whatever a plugin costs. Where that
    child does not come through, each plugin is examined in a child of its own, to find out which it is.
    """
    with Children() as children:
        end = children.run("", "look", _QUICK)
    if not end.kind:
        return [_seen(one, end) for one in end.of("load")]
    return list(examine())


def examine(
    names: Sequence[str] | None = None, *, targets: bool = False, timeout: float = LOOK
) -> Iterator[Examination]:
    """Look at the built-ins and every plugin, in this order, or at those of some names.

    Args:
        names: plugins to look at; None for all. A name that nothing has gives nothing.
        targets: also ask each plugin a second time and import all of its targets.
        timeout: seconds one child may take.
    """
    if names is None or "tunesmith" in names:
        yield _built_in(targets, timeout)
    found = [(one, settled) for one, settled in candidates() if names is None or one.name in names]
    with Children() as children, ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            waiting = [
                Examination(record=settled) if settled else pool.submit(_examine, children, one, targets, timeout)
                for one, settled in found
            ]
            for one in waiting:
                yield one if isinstance(one, Examination) else one.result()
        except BaseException:  # Ctrl-C, or whoever asked wants no more: the pool would wait for every child
            pool.shutdown(wait=False, cancel_futures=True)
            children.stop()
            raise


def _built_in(targets: bool, timeout: float) -> Examination:
    """The built-ins, in this process: they are no stranger's, and nobody can take their place."""
    host = Host([], environ={})
    record = host.records[0]
    if not targets:
        return Examination(
            record=record, specs=tuple(plain_spec(one.spec) for kind in KINDS for one in host.specs(kind))
        )
    with Children() as children:
        return _of_child(children, record, targets, timeout)


def _examine(children: Children, candidate: Candidate, targets: bool, timeout: float) -> Examination:
    return _of_child(children, candidate.record("ok"), targets, timeout)


def _of_child(children: Children, record: PluginRecord, targets: bool, timeout: float) -> Examination:
    end = children.run(record.name, "all" if targets else "load", timeout)
    loaded = next(iter(end.of("load")), None)
    if loaded is None:
        broken = replace(record, status="broken", reason=f"importing {record.target}: {end.how}", traceback=end.tail)
        return Examination(record=broken, ended=end.kind)
    seen = _seen(loaded, end)
    if not targets or seen.record.status != "ok":
        return seen
    again = next(iter(end.of("again")), None)
    unstable = f"asked a second time, {end.how}" if again is None else again["unstable"]
    return replace(seen, unstable=unstable, targets=_targets(children, seen, end, timeout, began=again is not None))


def _targets(children: Children, seen: Examination, end: End, timeout: float, *, began: bool) -> tuple[Target, ...]:
    """One for each spec. A target that ends the child is blamed, and the next are tried in a new one."""
    specs = seen.specs
    found: list[Target] = []

    def take(end: End) -> None:
        found.extend(
            Target(spec=spec, **line) for spec, line in zip(specs[len(found) :], end.of("target"), strict=False)
        )

    def fail(reason: str, trace: str = "", ended: str = "") -> None:
        found.append(Target(spec=specs[len(found)], ok=False, seconds=0.0, reason=reason, traceback=trace, ended=ended))

    take(end)
    while len(found) < len(specs):
        if began:
            fail(end.how or "another process was not told of it: the plugin's answers differ", end.tail, end.kind)
        began = True
        if sum(one.ended == TIME_LIMIT for one in found) >= _GIVE_UP:
            while len(found) < len(specs):
                fail(f"not tried: {_GIVE_UP} others of this plugin took longer than {timeout:g} s")
        elif len(found) < len(specs):
            end = children.run(seen.record.name, "targets", timeout, start=len(found))
            take(end)
    return tuple(found)


def _seen(loaded: Mapping[str, Any], end: End) -> Examination:
    facts = loaded["record"]
    provides = {kind: tuple(names) for kind, names in facts["provides"].items()}
    begin, stop = loaded["noise"]
    return Examination(
        record=PluginRecord(**{**facts, "provides": provides, "observes": tuple(facts["observes"])}),
        specs=tuple(loaded["specs"]),
        noise=end.output[begin:stop].decode("utf-8", "replace").strip(),
        heavy=tuple(loaded["heavy"]),
        threads=tuple(loaded["threads"]),
    )
