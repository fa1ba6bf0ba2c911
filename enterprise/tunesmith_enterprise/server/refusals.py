# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the server does not do, and the trouble it may have itself. The two are never mixed up."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from tunesmith.errors import TunesmithError

__all__ = ["CODES", "Code", "Declined", "StorageError"]

Code = Literal[
    "bad-request",  # 400: no JSON, a field that nobody knows, a value out of range
    "secret",  # 401: the shared secret is missing or wrong
    "not-yours",  # 403: the lease's own secret is wrong
    "upcoming",  # 403: the pool begins later
    "expired",  # 403: the pool's term and grace are over; running leases are renewed all the same
    "revoked",  # 403: the vendor has revoked the pool; likewise
    "not-included",  # 403: no pool has the feature
    "no-borrowing",  # 403: leases of this pool do not leave the site, or not for so long
    "no-pool",  # 404: no such pool
    "too-slow",  # 408: the body did not come in time
    "no-seat",  # 409: all seats are taken
    "limit",  # 409: the quantity is more than is left, or than there is
    "nonce-used",  # 409: the same nonce asked for something else, or for a lease that has been returned
    "borrowed",  # 409: a borrowed lease is not renewed
    "gone",  # 410: the lease was returned, or is not known here
    "too-large",  # 413: the body
    "storage",  # 503: the database cannot be used; nothing was granted
]
CODES: Final[tuple[Code, ...]] = get_args(Code)


class Declined(Exception):  # noqa: N818 -- not an error of anything: an answer
    """An answer that is no lease. What was written before it stays: the audit log holds it.

    Attributes:
        status: of HTTP.
        code: for programs.
        message, fix: for people.
        retry_after: seconds after which it may go better; None: nobody knows.
        facts: more for programs, plain JSON.
    """

    def __init__(
        self,
        status: int,
        code: Code,
        message: str,
        *,
        fix: str | None = None,
        retry_after: int | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fix = fix
        self.retry_after = retry_after
        self.facts = facts

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.fix is not None:
            error["fix"] = self.fix
        return {"error": error | self.facts}


class StorageError(TunesmithError):
    """The database cannot be read or written: full, damaged, locked, out of reach. Nothing was granted."""
