# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the host knows about a plugin and about each thing a plugin provides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tunesmith.plugin import Spec

__all__ = ["PluginRecord", "Provided", "Status"]

Status = Literal["ok", "broken", "incompatible", "disabled", "conflict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRecord:
    """One plugin, whether it works or not.

    Attributes:
        name: of its entry point; the first part of the full names of what it provides.
        distribution: the installed distribution it belongs to, as ``pip`` names it.
        version: of the distribution; empty when its metadata does not say.
        target: what the entry point names, ``package.module`` or ``package.module:attribute``.
        status: ``ok``; ``broken`` (failed while importing, registering or providing); ``incompatible``
            (asks for another tunesmith; never imported); ``disabled`` (left out by ``TUNESMITH_PLUGINS``);
            ``conflict`` (its name is taken; never imported).
        reason: one line: why the status is not ``ok``.
        traceback: of the failure, where there was an exception.
        provides: kind to the short names, e.g. ``{"task": ("stance",)}``; empty unless ``ok``.
        observes: the observe hooks it implements; empty unless ``ok``.
        gate: it is asked before things happen; False unless ``ok``.
        seconds: that importing and asking it took; 0 where it was not imported.
    """

    name: str
    distribution: str
    version: str
    target: str
    status: Status
    reason: str = ""
    traceback: str = ""
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    observes: tuple[str, ...] = ()
    gate: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Provided:
    """A spec and who it comes from."""

    spec: Spec
    plugin: str
    distribution: str
    version: str

    @property
    def full_name(self) -> str:
        """``plugin/name``: always resolves, whatever else is installed."""
        return f"{self.plugin}/{self.spec.name}"

    def __str__(self) -> str:
        return f"{self.full_name} ({self.distribution} {self.version})".replace(" )", ")")
