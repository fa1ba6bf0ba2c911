# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The roles, and what each may do on a server. This table is the one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

__all__ = ["MEANINGS", "ROLES", "ROUTES", "Role", "highest", "least_role", "may"]

Role = Literal["viewer", "user", "operator", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""Each may do what those before it may."""

MEANINGS: Final[Mapping[Role, str]] = {
    "viewer": "sees which models there are, and the figures",
    "user": "also asks the models",
    "operator": "also loads and unloads adapters",
    "admin": "everything, and what plugins keep for administrators",
}

ROUTES: Final[Mapping[tuple[str, str], Role]] = {
    ("GET", "/v1/models"): "viewer",
    ("GET", "/v1/models/{name:path}"): "viewer",
    ("GET", "/metrics"): "viewer",
    ("GET", "/openapi.json"): "viewer",
    ("POST", "/v1/chat/completions"): "user",
    ("POST", "/v1/completions"): "user",
    ("POST", "/v1/responses"): "user",
    ("POST", "/v1/embeddings"): "user",
    ("POST", "/v1/classify"): "user",
    ("POST", "/v1/score"): "user",
    ("POST", "/v1/rerank"): "user",
    ("POST", "/tokenize"): "user",
    ("POST", "/detokenize"): "user",
    ("GET", "/admin/adapters"): "operator",
    ("POST", "/admin/adapters/load"): "operator",
    ("POST", "/admin/adapters/unload"): "operator",
}
"""The least role that may use a route of the server. What is not here, and is no route of a plugin, takes an admin."""


_OF_ALL: Final = frozenset({"/metrics"})
"""Routes that tell of every tenant: whoever belongs to one needs to be an operator."""


def least_role(method: str, route: str, needs: str, tenant: str = "") -> Role:
    """The least role for a request.

    Args:
        route: as the server names it; "": there is none, which anybody who is known may be told.
        needs: ``use`` or ``admin``, by the server's own rule.
        tenant: whom the caller belongs to; "": nobody.
    """
    if not route:
        return "viewer"
    known = ROUTES.get((method, route))
    if known is not None:
        return highest([known, "operator"]) if tenant and route in _OF_ALL else known
    others = [role for (_, path), role in ROUTES.items() if path == route]
    if others:  # another method: the server says which it takes
        return min(others, key=ROLES.index)
    return "user" if needs == "use" and route.startswith("/plugins/") else "admin"


def may(role: Role, least: Role) -> bool:
    """Whether a role reaches as far as another."""
    return ROLES.index(role) >= ROLES.index(least)


def highest(roles: list[Role]) -> Role:
    """Of at least one."""
    return max(roles, key=ROLES.index)
