# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One function for each parser of signed documents: it takes any bytes, and raises if the parser does what it must not.

A parser may answer, or raise ``SignedDocumentError``; every other exception goes through and is a finding. Where it
answers, the answer has to be the same after writing and reading it once more. Where it refuses, the error has to be
short and safe for a terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from tunesmith.licensing import (
    REASONS,
    SignedDocumentError,
    armor,
    armor_line,
    dearmor,
    dearmor_all,
    parse_json,
    parse_root,
    read_envelope,
)
from tunesmith.licensing.contents import (
    parse_activation_request,
    parse_activation_response,
    parse_lease,
    parse_license,
    parse_pool,
    parse_revocations,
    parse_usage_report,
)

__all__ = ["CONTENTS", "HARNESSES"]

LONGEST_ERROR = 1000
"""Characters: the list of a license's fields is the longest thing that an error says."""


def _answer(parse: Callable[..., Any], *arguments: Any) -> Any:
    """What the parser answers; None: it refused, as it should."""
    try:
        return parse(*arguments)
    except SignedDocumentError as error:
        _look_at(error)
        return None


def _look_at(error: SignedDocumentError) -> None:
    said = str(error)
    assert error.reason in REASONS, error.reason
    assert len(said) <= LONGEST_ERROR, len(said)
    strange = [letter for letter in said if unicodedata.category(letter) in ("Cc", "Cf", "Cs") and letter != "\n"]
    assert not strange, strange


def _dearmor_all(data: bytes) -> None:
    documents = _answer(dearmor_all, data)
    if documents is None:
        return
    assert documents
    for document in documents:
        assert read_envelope(document.envelope).kind == document.kind
        assert dearmor_all(armor(document.envelope)) == [document] == dearmor_all(armor_line(document.envelope))


def _dearmor(data: bytes) -> None:
    envelope = _answer(dearmor, data, "license")
    if envelope is not None:
        assert dearmor(armor(envelope), "license") == envelope
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    assert _answer(dearmor, text, "license") == envelope  # text and bytes are one


def _read_envelope(data: bytes) -> None:
    envelope = _answer(read_envelope, data)
    if envelope is not None:
        assert dearmor(armor_line(data), envelope.kind) == data


def _parse_json(data: bytes) -> None:
    _answer(parse_json, data)


def _parse_root(data: bytes) -> None:
    root = _answer(parse_root, data)
    if root is not None:
        assert all(1 <= role.threshold <= len(set(role.keys)) for role in root.roles.values())


def _contents(parse: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    def harness(data: bytes) -> None:
        found = _answer(parse, data)
        if found is not None:
            _ = getattr(found, "grace_until", None)  # arithmetic with dates must not overflow
            if "extra" not in dir(found) or None not in _leaves(found.extra):  # what is null is left out when written
                assert parse(found.payload()) == found

    return harness


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


CONTENTS: dict[str, Callable[[bytes], Any]] = {
    "license": parse_license,
    "pool": parse_pool,
    "lease": parse_lease,
    "revocations": parse_revocations,
    "activation-request": parse_activation_request,
    "activation-response": parse_activation_response,
    "usage-report": parse_usage_report,
}
"""From the kind of a document to what reads its payload."""

HARNESSES: dict[str, Callable[[bytes], None]] = {
    "dearmor": _dearmor,
    "dearmor-all": _dearmor_all,
    "read-envelope": _read_envelope,
    "parse-json": _parse_json,
    "parse-root": _parse_root,
    **{f"parse-{kind}": _contents(parse) for kind, parse in CONTENTS.items()},
}
"""From the name of a harness to the function."""
