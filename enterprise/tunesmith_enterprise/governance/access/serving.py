# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The access ``enterprise/access`` of ``tunesmith serve``: keys and tokens, and what their roles may do.

The license is asked for once, when the server starts, and never again: a server that runs goes on, and one that starts
after the term keeps the keys and roles that are set up.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from tunesmith.errors import SettingsError
from tunesmith.serve import AccessError, Asked, Caller
from tunesmith_enterprise.entitlement.places import Places
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.governance.access.key_file import PREFIX
from tunesmith_enterprise.governance.access.keyring import Keyring
from tunesmith_enterprise.governance.access.people import People
from tunesmith_enterprise.governance.access.roles import MEANINGS, Role, least_role, may
from tunesmith_enterprise.governance.access.settings import AccessSettings, OidcSettings, access_settings

if TYPE_CHECKING:
    from tunesmith_enterprise.entitlement.grant import Grant
    from tunesmith_enterprise.governance.access.tokens import Tokens

__all__ = ["RoleAccess", "open_access"]

_FEATURE: Final = "governance"

_log = logging.getLogger("tunesmith.enterprise.access")


class _Known(NamedTuple):
    """Somebody who asks."""

    name: str
    role: Role
    tenant: str
    classes: tuple[str, ...]
    models: tuple[str, ...]


class RoleAccess:
    """Who asks, by an API key or a token, and whether their role may use the route.

    Args:
        keyring: None: no keys count.
        tokens: None: no tokens count.
        oidc: what callers with a token may use.
        people: counts callers with a token; None: they are not counted.
    """

    def __init__(
        self,
        keyring: Keyring | None,
        tokens: Tokens | None,
        oidc: OidcSettings | None = None,
        people: People | None = None,
    ) -> None:
        self._keyring = keyring
        self._tokens = tokens
        self._people = people
        self._classes = oidc.classes if oidc else ()
        self._models = oidc.models if oidc else ()

    async def identify(self, asked: Asked) -> Caller:
        """Who asks; see :class:`tunesmith.serve.Access`.

        Raises:
            AccessError: 401, not known; 403, the role does not reach so far, or all seats are taken; 503, a token
                cannot be checked now.
        """
        known = await self._known(asked.token)
        least = least_role(asked.method, asked.route, asked.needs, known.tenant)
        allowed = may(known.role, least)
        admin = allowed and (asked.needs == "admin" or known.role == "admin")
        caller = Caller(known.name, "admin" if admin else "use", known.tenant, known.classes, known.models)
        if not allowed:
            raise AccessError(
                "your role does not reach so far",
                status=403,
                code="role",
                caller=caller,
                given=f"{known.role} ({MEANINGS[known.role]})",
                expected=f"{least} ({MEANINGS[least]})",
                fix="ask whoever runs this server for another role",
            )
        return caller

    async def _known(self, token: str) -> _Known:
        if not token:
            raise AccessError(
                "this server wants to know who asks",
                code="no_token",
                expected=f"the header Authorization: Bearer, with {self._wanted()}",
            )
        if token.startswith(PREFIX) and self._keyring is not None:
            key = await self._keyring.find(token)
            return _Known(f"key:{key.id}", key.role, key.tenant, key.classes, key.models)
        if self._tokens is not None:
            person = await self._tokens.find(token)
            if self._people is not None:
                await self._people.admit(person.name)
            return _Known(person.name, person.role, person.tenant, self._classes, self._models)
        raise AccessError("this is no key of this server", code="unknown_key", expected=f"{self._wanted()}")

    def _wanted(self) -> str:
        known = [f"an API key ({PREFIX}…)"] if self._keyring is not None else []
        known += ["a token of your single sign-on"] if self._tokens is not None else []
        return " or ".join(known)


def open_access() -> RoleAccess:
    """What the settings say, for a server that is about to start. The target of the plugin's ``AccessSpec``.

    Raises:
        SettingsError: they say nothing, or something that cannot be; the file of keys cannot be read.
        LicenseError: governance is not licensed, or not for so many keys. No server starts.
    """
    settings = access_settings()
    if settings is None:
        raise SettingsError(
            "a server is to be started with roles, and the settings do not say who has one",
            given="no table [plugins.enterprise.access]",
            expected='keys = "/etc/tunesmith/access/keys.json", or a table oidc, or both',
            fix="write it into the tunesmith.toml of the machine or of the person, or leave out --access",
        )
    keyring = Keyring(settings.keys) if settings.keys is not None else None
    grant = _ask(keyring.seats if keyring is not None else 0)
    folder = StateFolder(Places.of().state)
    people = People(folder, grant.limits.get("seats"), lambda: keyring.seats if keyring is not None else 0)
    return RoleAccess(keyring, _tokens(settings), settings.oidc, people)


def _ask(seats: int) -> Grant:
    from tunesmith_enterprise import require  # looked up on use, so that whoever embeds this may hand over a license

    grant = require(_FEATURE, seats=seats) if seats else require(_FEATURE)
    for note in grant.notes:
        _log.warning("%s", note)
    return grant


def _tokens(settings: AccessSettings) -> Tokens | None:
    if settings.oidc is None:
        return None
    try:
        from tunesmith_enterprise.governance.access.issuer import IssuerKeys, fetch_keys
        from tunesmith_enterprise.governance.access.tokens import Tokens
    except ImportError:
        raise SettingsError(
            "tokens of single sign-on are to count, and the package that checks them is not installed",
            given="[plugins.enterprise.access.oidc]",
            expected="PyJWT and httpx",
            fix="pip install 'tunesmith-enterprise[oidc]'",
        ) from None
    keys = IssuerKeys(partial(fetch_keys, settings.oidc))
    keys.start()
    return Tokens(settings.oidc, keys)
