# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The plugin under test: found, loaded into a host of its own, and remembered as it was."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, reduce
from typing import Any

from tunesmith._plugins import Host, PluginRecord, Provided
from tunesmith._plugins.discover import BUILTIN, LIMIT, Candidate
from tunesmith._plugins.examined import plain_spec
from tunesmith._plugins.kinds import KINDS
from tunesmith._plugins.target_sorts import wrong_sort
from tunesmith.errors import NotFoundError
from tunesmith.plugin import Spec
from tunesmith.testing.findings import Finding, one_line
from tunesmith.testing.installed import candidates, in_memory, use_host

__all__ = ["Subject", "load_target"]


class Subject:
    """A plugin by name.

    Attributes:
        name: of its entry point.
        candidate: the entry point.
        installed: it is a package's, and no object of this process.

    Raises:
        NotFoundError: nothing has this name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        found = candidates()
        mine = [one for one in found if one.name == name]
        if not mine or name == BUILTIN:
            others = ", ".join(sorted({one.name for one in found})) or "none"
            raise NotFoundError(
                "no plugin of this name is installed",
                given=name,
                expected=f"the name of an entry point of the group tunesmith.plugins.v1: {others}",
                fix=["install the package first: pip install -e .", "or open plugin_installed(…) around"],
            )
        self.candidate: Candidate = mine[0]
        self.installed = not in_memory(name)
        self._found = found
        self._wrong: dict[str, str] = {}

    @cached_property
    def host(self) -> Host:
        """With every plugin that is there; this one may be broken in it."""
        environ = {key: value for key, value in os.environ.items() if key != LIMIT}
        return Host(self._found, environ=environ)

    @cached_property
    def record(self) -> PluginRecord:
        return next(one for one in self.host.records if one.name == self.name)

    @cached_property
    def provided(self) -> tuple[Provided, ...]:
        """What it provides; nothing where it is not usable."""
        found = tuple(one for kind in KINDS for one in self.host.specs(kind) if one.plugin == self.name)
        self._before = self.snapshot([one.spec for one in found])
        return found

    @cached_property
    def distribution(self) -> importlib.metadata.Distribution:
        """The package with its entry point."""
        wanted = _normal(self.candidate.distribution)
        return next(one for one in importlib.metadata.distributions() if _normal(one.metadata["Name"] or "") == wanted)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        with use_host(self.host):
            yield

    @staticmethod
    def snapshot(specs: list[Spec]) -> list[dict[str, Any]]:
        """Plain data of specs, in the order of kinds."""
        return [plain_spec(spec) for spec in specs]

    def wrong(self, provided: Provided) -> str:
        """Why the target is not what its kind needs; empty where it is."""
        key = f"{provided.spec.kind} {provided.spec.name}"
        if key not in self._wrong:
            try:
                self._wrong[key] = wrong_sort(provided.spec.kind, load_target(provided.spec.target))
            except (Exception, SystemExit) as error:
                self._wrong[key] = f"importing it failed: {one_line(error)}"
        return self._wrong[key]

    def harm(self) -> Iterator[Finding]:
        """What has been done to specs since they were handed over."""
        now = self.snapshot([one.spec for one in self.provided])
        for before, after in zip(self._before, now, strict=True):
            for key in before:
                if before[key] != after[key]:
                    kind = after["kind"].replace("_", " ")
                    yield Finding(
                        problem=f"the spec of the {kind} {before['name']} was changed in use",
                        given=f"{key} is {after[key]!r} now",
                        expected=f"{before[key]!r}, as the hook gave it",
                        fix="leave specs alone: they are shared by everybody in the process",
                    )


def load_target(target: str) -> Any:
    """The object behind ``module:attribute``."""
    module, _, path = target.partition(":")
    return reduce(getattr, path.split("."), importlib.import_module(module))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
