# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What several kinds of payload have in common: names, features with their limits, and how a payload is written."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from tunesmith.licensing.fields import integer, items, members, text
from tunesmith.licensing.reasons import refusal
from tunesmith.licensing.strict_json import parse_json
from tunesmith.licensing.timestamps import format_timestamp, parse_timestamp

__all__ = [
    "LIMIT",
    "Features",
    "Licensee",
    "begin",
    "features",
    "grace_until",
    "identifier",
    "in_order",
    "licensee",
    "moment",
    "names",
    "of_product",
    "one_of",
    "point",
    "written",
]

LIMIT: Final = 1_000_000_000
"""The largest limit; who needs more leaves the limit out."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

Features = Mapping[str, Mapping[str, int]]
"""From the code of a feature to its limits by their names (``processes``, ``nodes``, ``gpus``, ``seats``); a limit
that is not there is none."""


@dataclass(frozen=True, slots=True)
class Licensee:
    """Whom a document is for: a name to show, and an id that stays."""

    name: str
    id: str


def begin(
    payload: bytes, what: str, *, required: Collection[str], optional: Collection[str] = (), lenient: bool = False
) -> dict[str, Any]:
    """The fields of a payload that begins with ``schema`` 1.

    Args:
        lenient: fields that nobody here knows are taken, at most 64 of them, unless the payload itself lists them
            under ``critical``: so that a newer vendor can tell older readers more, and say what they must not pass
            over. Their names are identifiers, so that no twin in other letters passes for a field that is known.

    Raises:
        SignedDocumentError: ``newer-format``: another schema, or a critical field that is not known here; or whatever
            is wrong with the JSON and its fields.
    """
    value = parse_json(payload)
    if (
        type(value) is dict
        and "schema" in value
        and integer(value["schema"], f"the schema of {what}", least=1, most=LIMIT) != 1
    ):
        raise refusal(
            "newer-format",
            f"{what} is written in a newer format",
            given=f"schema {value['schema']}",
            expected="schema 1",
            fix="install a newer release of the product",
        )
    fields = ("schema", *required)
    if not lenient or type(value) is not dict:
        return members(value, what, required=fields, optional=optional)
    more = (*optional, "critical")
    known = {*fields, *more}
    # Only the fields that are known go on: errors list what is expected, and nothing of the document's own names.
    members({name: value[name] for name in (*fields, *more) if name in value}, what, required=fields, optional=more)
    listed = names(value["critical"], f"the critical fields of {what}", least=1) if "critical" in value else ()
    unmet = next((name for name in listed if name not in known), None)
    if unmet is not None:
        raise refusal(
            "newer-format",
            f"{what} has a field that must not be passed over, and nobody here knows it",
            given=unmet,
            expected=", ".join(sorted(known)),
            fix="install a newer release of the product",
        )
    names([name for name in value if name not in known], f"the fields of {what} that are not known here")
    return value


def identifier(value: object, where: str) -> str:
    """A name that programs use: 1 to 64 of ``a-z 0-9 . _ -``, of which the first is a letter or a digit.

    Raises:
        SignedDocumentError: ``type`` or ``value``.
    """
    found = text(value, where)
    if not _NAME.fullmatch(found):
        raise refusal(
            "value",
            f"{where} is no name for programs",
            given=f"{len(found):,} characters",
            expected="1 to 64 of a-z 0-9 . _ - and of these first a letter or a digit",
        )
    return found


def names(value: object, where: str, *, least: int = 0, most: int = 64) -> tuple[str, ...]:
    """Several identifiers, none of them twice.

    Raises:
        SignedDocumentError: ``type`` or ``value``.
    """
    found = tuple(identifier(item, f"one of {where}") for item in items(value, where, least=least, most=most))
    if len(set(found)) != len(found):
        raise refusal("value", f"{where} has a name twice", expected="each once")
    return found


def one_of(value: object, allowed: tuple[Any, ...], where: str) -> Any:
    """One of the texts that there are.

    Raises:
        SignedDocumentError: ``type`` or ``value``.
    """
    if type(value) is not str or value not in allowed:
        raise refusal(
            "type" if type(value) is not str else "value", f"{where} is not one of those", expected=", ".join(allowed)
        )
    return value


def licensee(value: object) -> Licensee:
    """Whom the document is for."""
    found = members(value, "the licensee", required=("name", "id"))
    return Licensee(text(found["name"], "the licensee's name"), identifier(found["id"], "the licensee's id"))


def features(value: object) -> Features:
    """Features and their limits. Features and limits that are not known here are kept: the vendor may be newer.

    Raises:
        SignedDocumentError: ``type`` or ``value``: there is no feature, or a limit is none of 1 to 1,000,000,000.
    """
    if type(value) is not dict or not 1 <= len(value) <= 64:
        raise refusal(
            "type" if type(value) is not dict else "value",
            "the features are not listed as they should be",
            expected='an object of 1 to 64 features, each with its limits: {"distributed": {"nodes": 2}}',
        )
    found: dict[str, Mapping[str, int]] = {}
    for code, limits in value.items():
        identifier(code, "the code of a feature")
        if type(limits) is not dict or len(limits) > 16:
            raise refusal(
                "type" if type(limits) is not dict else "value",
                f"the limits of the feature {code} are not listed as they should be",
                expected='an object of at most 16 limits, e.g. {"nodes": 2}; {} is none',
            )
        found[code] = MappingProxyType(
            {
                identifier(name, f"a limit of the feature {code}"): integer(
                    most, f"the limit {name} of the feature {code}", least=1, most=LIMIT
                )
                for name, most in limits.items()
            }
        )
    return MappingProxyType(found)


def point(value: object, where: str) -> datetime:
    """A point in time with room around it: days of grace can be added and warnings taken off without an overflow.

    Raises:
        SignedDocumentError: ``timestamp``, or ``value``: before the year 2000 or after 9000.
    """
    found = parse_timestamp(value, where)
    if not 2000 <= found.year <= 9000:
        raise refusal(
            "value",
            f"{where} is too far away",
            given=format_timestamp(found),
            expected="the years 2000 to 9000",
            fix="what has no end has no such field",
        )
    return found


def of_product(given: str, expected: str, what: str) -> None:
    """Nothing, if a document is for the product that reads it.

    Raises:
        SignedDocumentError: ``other-product``.
    """
    if given != expected:
        raise refusal(
            "other-product",
            f"{what} is for another product",
            given=given,
            expected=expected,
            fix=f"give it to {given}, and look for the one that the vendor sent for {expected}",
        )


def moment(value: Mapping[str, Any], name: str, what: str) -> datetime | None:
    """The point in time of a field that may be missing or null."""
    found = value.get(name)
    return None if found is None else point(found, f"{name} of {what}")


def grace_until(expires_at: datetime | None, grace_days: int) -> datetime | None:
    """The end of the days of grace; None: the term has no end. Not after the year 9999, which Python cannot count."""
    if expires_at is None:
        return None
    try:
        return expires_at + timedelta(days=grace_days)
    except OverflowError:
        return datetime.max.replace(microsecond=0, tzinfo=expires_at.tzinfo)


def in_order(what: str, **moments: datetime | None) -> None:
    """Points in time that follow each other, those that are there.

    Raises:
        SignedDocumentError: ``value``: one is not after the one before it.
    """
    given = [(name, at) for name, at in moments.items() if at is not None]
    for (earlier, first), (later, second) in pairwise(given):
        if first >= second:
            raise refusal(
                "value",
                f"{what} ends before it begins",
                given=f"{earlier} {format_timestamp(first)}, {later} {format_timestamp(second)}",
                expected=f"{earlier} before {later}",
            )


def written(value: Mapping[str, Any]) -> bytes:
    """The bytes of a payload: UTF-8 JSON without spaces, points in time as the format has them; what is None is left
    out. It has no canonical form and needs none: what is signed is these bytes."""
    return json.dumps(
        {name: _plain(item) for name, item in value.items() if item is not None},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
