# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What this package refuses, by names for programs.

::

    TunesmithError
    └── LicenseError        a licensed feature was asked for and is not granted; nothing was begun

A damaged or foreign document is ``tunesmith.errors.SignedDocumentError``. Trouble with a disk, a network or a license
server is neither: see ``entitlement``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Literal, get_args

from tunesmith.errors import TunesmithError

__all__ = ["REFUSALS", "LicenseError", "Refusal"]

Refusal = Literal[
    "unknown-feature",  # no such feature, or quantity of one, in this release
    "no-root",  # this build holds no root: nothing can be unlocked with it
    "no-license",  # nothing was found anywhere
    "invalid",  # something was found, and all of it is refused
    "upcoming",  # it begins later
    "not-included",  # licenses are good, none has the feature
    "limit",  # the quantity is larger than all licenses together allow
    "expired",  # its term and its days of grace are over
    "newer-build",  # maintenance ended before this build was made
    "revoked",
    "binding",  # for another installation, cluster, domain or product
    "environment",  # for another environment
    "no-seat",  # all seats of the pool are taken
    "no-server",  # the license server does not answer, and no lease is open any more
]
REFUSALS: Final[tuple[Refusal, ...]] = get_args(Refusal)


class LicenseError(TunesmithError):
    """A feature is not granted. ``code`` is one of :data:`REFUSALS`, ``feature`` what was asked for."""

    exit_codes: ClassVar[dict[Refusal, int]] = {code: 20 + number for number, code in enumerate(REFUSALS)}

    def __init__(
        self,
        what: str,
        *,
        code: Refusal,
        feature: str,
        given: object = None,
        expected: object = None,
        fix: str | Sequence[str] | None = None,
    ) -> None:
        self.code = code
        self.feature = feature
        super().__init__(what, given=given, expected=expected, fix=fix)

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """20 and up, in the order of :data:`REFUSALS`: scripts can tell them apart."""
        return self.exit_codes[self.code]
