# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What gates are asked, and how they say no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ACTIONS", "Action", "Deny"]

ACTIONS: Mapping[str, str] = {
    "train": "start a job, or go on with one",
    "evaluate": "score a model on rows",
    "open": "open a model to answer requests",
    "serve": "answer over HTTP",
    "export": "write a model for other programs",
}
"""What gates are asked about: the name of each action, and what it is. More may come; a gate lets pass what it does not
know unless its policy says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that is about to happen, and has not begun.

    Attributes:
        name: one of :data:`ACTIONS`.
        subject: what it is done to: the run folder, or the model as it was named.
        details: plain data of the action. ``train``: ``recipe`` (resolved as far as it is known), ``resume``;
            ``evaluate``: ``data``; ``open``: ``engine``; ``serve``: ``host``, ``port``, ``models``; ``export``: ``to``,
            ``quantize``, ``output``.
    """

    name: str
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """A gate's no.

    Attributes:
        reason: one line for the person who asked.
        fix: what they can do; may be empty.
    """

    reason: str
    fix: str = ""

    def __post_init__(self) -> None:
        reason: object = self.reason
        if not isinstance(reason, str) or not reason.strip() or "\n" in reason:
            raise ValueError(f"Deny: the reason must be one line of text, given {self.reason!r}")
