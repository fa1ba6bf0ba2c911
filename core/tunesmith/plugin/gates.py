# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What gates are asked, how they say no, and what of a yes is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["ACTIONS", "RECORD_BYTES", "Action", "Allow", "Deny"]

ACTIONS: Mapping[str, str] = {
    "train": "start a job, or go on with one",
    "evaluate": "score a model on rows",
    "open": "open a model to answer requests",
    "serve": "answer over HTTP",
    "export": "write a model for other programs",
}
"""What gates are asked about: the name of each action, and what it is. More may come; a gate lets pass what it does not
know unless its policy says otherwise."""

RECORD_BYTES: Final = 65_536
"""How long the record of an :class:`Allow` may be, in bytes of JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that is about to happen, and has not begun.

    Attributes:
        name: one of :data:`ACTIONS`.
        subject: what it is done to: the run folder, or the model as it was named.
        details: plain data of the action. ``train``: ``recipe`` (resolved as far as it is known), ``resume``,
            ``allowed`` (what gates had recorded in the run that is resumed, by plugin; else empty);
            ``evaluate``: ``data``; ``open``: ``engine``; ``serve``: ``host``, ``port``, ``models``, and ``access``
            where a plugin says who may ask; ``export``: ``to``, ``quantize``, ``output``.
    """

    name: str
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """A gate's no.

    Attributes:
        reason: one line for the person who asked.
        fix: what they can do, a line for each; may be empty.
    """

    reason: str
    fix: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        reason: object = self.reason
        if not isinstance(reason, str) or not reason.strip() or "\n" in reason:
            raise ValueError(f"Deny: the reason must be one line of text, given {self.reason!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """A gate's yes that is to be remembered.

    A job writes the record into its run's manifest, under ``allowed`` and the name of the plugin, and a gate that is
    asked when the run is resumed finds it in ``Action.details["allowed"]``. Actions that make no run keep no record.

    Attributes:
        record: texts, numbers, True, False, None, and lists and dicts of these with texts for keys; as JSON
            :data:`RECORD_BYTES` at most. A copy is kept. Anybody who can read the run reads it: no secrets.
    """

    record: Mapping[str, Any]

    def __post_init__(self) -> None:
        import json  # by the few gates that record something, not by every start of the program

        try:
            text = json.dumps(self.record, allow_nan=False)
            plain = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"Allow: the record is no JSON: {error}") from None
        if not isinstance(plain, dict) or plain != self.record:
            wanted = "a dict, with lists, not tuples, and texts for keys"
            raise ValueError(f"Allow: the record must be {wanted}, given {text[:200]}")
        if len(text) > RECORD_BYTES:
            raise ValueError(f"Allow: the record must be {RECORD_BYTES:,} bytes of JSON at most, given {len(text):,}")
        object.__setattr__(self, "record", plain)
