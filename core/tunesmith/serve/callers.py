# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Who may ask a server, where a plugin says it: what it is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from tunesmith.errors import RequestError, TunesmithError
from tunesmith.serve.keys import ADMIN_VARIABLE, USE_VARIABLE, Caller, Keys

__all__ = ["Access", "AccessError", "Asked", "Rule", "check_one"]

Rule: TypeAlias = Literal["public", "use", "admin"]
"""What a route needs: nothing, somebody who may use the models, or an administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request of which nothing but its head has been read.

    Attributes:
        method: of HTTP.
        route: its path with the names of its parameters, e.g. ``/v1/models/{name:path}``; "" where there is no route:
            whoever is known is then told so.
        needs: what the route needs. ``admin`` is given to callers of the scope ``admin`` only.
        token: of the header ``Authorization: Bearer TOKEN``; "": none.
        headers: by their names in lower-case letters; of those that came more than once all values, with ", " between.
    """

    method: str
    route: str
    needs: Literal["use", "admin"]
    token: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class AccessError(TunesmithError):
    """Who asks is not known, or may not do this. Its words are sent to whoever asked: no key may be in them.

    Args:
        status: of HTTP: 401 (not known), 403 (not allowed), 429 (too often) or 503 (cannot be said now).
        code: one word for programs.
        caller: who it is, where that is known: for the log and the figures.
        retry_after: seconds after which it may go better; None: it will not.

    Raises:
        ValueError: another status.
    """

    def __init__(
        self,
        what: str,
        *,
        status: Literal[401, 403, 429, 503] = 401,
        code: str = "no_access",
        caller: Caller | None = None,
        retry_after: float | None = None,
        given: object = None,
        expected: object = None,
        fix: str | Sequence[str] | None = None,
    ) -> None:
        if status not in (401, 403, 429, 503):
            raise ValueError(f"AccessError: the status must be 401, 403, 429 or 503, given {status!r}")
        self.status = status
        self.code = code
        self.caller = caller
        self.retry_after = retry_after
        super().__init__(what, given=given, expected=expected, fix=fix)


class Access(Protocol):
    """Says who asks: an object for the whole life of a server, in place of its keys."""

    async def identify(self, asked: Asked) -> Caller:
        """Who asks, if they may use this route.

        Called once for every request to a route that is not public, in the server's event loop and before the body is
        read: it must be quick, and hand to a thread what takes long.

        Raises:
            AccessError: they are not known, or may not use it. Its words are sent to them.
        """
        ...


def check_one(keys: Keys | None, access: object) -> None:
    """See that who may ask is said in one place.

    Raises:
        RequestError: there are keys, and an access as well.
    """
    if keys and access:
        raise RequestError(
            "a server takes keys or an access, and not both: who may ask is said in one place",
            parameter="access",
            given=f"{keys!r}, and an access",
            expected="one of them",
            fix=f"leave out --key-file, {USE_VARIABLE} and {ADMIN_VARIABLE}; or leave out --access",
        )
