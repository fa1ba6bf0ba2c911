# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Why a document is refused: every reason has a name for programs and its own words for people.

No text of a document gets into an error: errors end up in logs and bug reports, and a license is for its owner only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal, get_args

from tunesmith.errors import SignedDocumentError

__all__ = ["REASONS", "Reason", "about", "refusal", "shown"]

Reason = Literal[
    # the file
    "no-file",
    "not-a-file",
    "unreadable",
    "too-large",
    "empty",
    # the text
    "not-text",
    "byte-order-mark",
    "compressed",
    "address",
    "path",
    "web-page",
    "bare-envelope",
    "typography",
    "mail-quote",
    "other-pem",
    "frame",
    "text-around",
    "two-documents",
    "truncated",
    "unrecognized",
    "wrong-kind",
    # base64
    "alphabet",
    "url-safe",
    "padding",
    "trailing-bits",
    # JSON
    "json",
    "depth",
    "duplicate-name",
    "number",
    "surrogate",
    # fields
    "missing-field",
    "unknown-field",
    "type",
    "value",
    "characters",
    "timestamp",
    "newer-format",
    # the envelope and its signatures
    "not-canonical",
    "signature-order",
    "unsigned",
    "signature",
    "untrusted",
    "other-key",
    "threshold",
    # keys
    "key",
    "key-encoding",
    "key-order",
    # roots
    "root-threshold",
    "root-shared-key",
    "root-rollback",
    "root-gap",
    "root-old-keys",
    "root-new-keys",
    "root-expired",
    # what a document says
    "other-product",
    "no-granting-license",
    "beyond-grant",
]

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
"""All of them; docs/reference/signed-documents.md says what each means."""


def refusal(
    reason: Reason,
    what: str,
    *,
    given: object = None,
    expected: object = None,
    fix: str | Sequence[str] | None = None,
) -> SignedDocumentError:
    """The error to raise: ``SignedDocumentError`` with a reason that the type checker knows."""
    return SignedDocumentError(what, reason=reason, given=given, expected=expected, fix=fix)


def shown(text: str) -> str:
    """A name or a character of a stranger's document, safe for a terminal: ASCII, and at most 40 characters of it."""
    return ascii(text if len(text) <= 40 else text[:40] + "…")


@contextmanager
def about(name: str) -> Iterator[None]:
    """Around work with a document that people know by a name, such as that of its file: refusals say which it was."""
    try:
        yield
    except SignedDocumentError as error:
        if name in str(error):
            raise
        raise SignedDocumentError(
            f"{name}: {error.what}", reason=error.reason, given=error.given, expected=error.expected, fix=error.fix
        ) from error.__cause__
