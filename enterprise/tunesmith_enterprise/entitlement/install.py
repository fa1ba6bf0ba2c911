# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The installation: a random id that licenses can be bound to, and a key of its own. Made when somebody activates.

Nothing of the hardware is in it: machines in containers have no hardware that stays. Where nothing stays at all, the
variable ``TUNESMITH_INSTALL_ID`` names the installation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tunesmith.errors import OutputError, SettingsError, SignedDocumentError, TunesmithError
from tunesmith.licensing import format_timestamp, members, parse_json
from tunesmith.licensing.contents.parts import identifier
from tunesmith_enterprise.entitlement.state import StateFolder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["INSTALL_ID", "Installation", "installation", "known_install_id"]

INSTALL_ID: Final = "TUNESMITH_INSTALL_ID"
"""Environment variable: the id of this installation, where no file of it stays."""

_FILE: Final = "install.json"
_KEY: Final = "install.key"
_PATIENCE: Final = 5.0


@dataclass(frozen=True)
class Installation:
    """An installation that can ask for a license.

    Attributes:
        install_id: 1 to 64 of ``a-z 0-9 . _ -``.
        key: signs its requests and reports; never leaves the state folder.
    """

    install_id: str
    key: Ed25519PrivateKey


def known_install_id(state: StateFolder, environ: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """The id, if there is one, and a note if it is of no use. Nothing is made."""
    try:
        named = _named(environ)
        return (named if named is not None else _kept(state)), ()
    except (SettingsError, SignedDocumentError) as error:
        return None, (f"{error.what}; this installation has no id until that is mended",)


def installation(state: StateFolder, environ: Mapping[str, str], *, now: datetime) -> Installation:
    """The installation, made if it is not there yet. Of several processes that do this at once, all get the same.

    Args:
        now: aware; when it was made, if it is.

    Raises:
        SettingsError: ``TUNESMITH_INSTALL_ID`` holds no id.
        OutputError: it cannot be kept: the state folder is read-only or missing, the disk is full.
        TunesmithError: what is kept is damaged.
    """
    named = _named(environ)
    try:
        with state.alone(_PATIENCE) as alone:
            if not alone:
                raise OutputError(
                    "another process is making this installation and does not come to an end",
                    given=state.path,
                    fix="try again, or look for a process that hangs",
                )
            return Installation(named or _id(state, now), _key(state))
    except OSError as error:
        raise OutputError(
            f"this installation cannot be kept: {error.strerror or error}",
            given=state.path or "an account without a home",
            expected="a folder that can be written and stays",
            fix="set XDG_STATE_HOME to such a folder; in containers, mount one",
        ) from error


def _named(environ: Mapping[str, str]) -> str | None:
    given = environ.get(INSTALL_ID, "").strip()
    if not given:
        return None
    try:
        return identifier(given, f"the variable {INSTALL_ID}")
    except SignedDocumentError as error:
        raise SettingsError(error.what, given=error.given, expected=error.expected, fix="correct it") from None


def _kept(state: StateFolder) -> str | None:
    content = state.read(_FILE)
    if content is None:
        return None
    value = members(parse_json(content), "the file of the installation", required=("schema", "install_id", "made_at"))
    return identifier(value["install_id"], "the id of the installation")


def _id(state: StateFolder, now: datetime) -> str:
    try:
        kept = _kept(state)
    except SignedDocumentError as error:
        raise _damaged(state, _FILE, error.what, "licenses that are bound to its id have to be issued anew") from None
    if kept is not None:
        return kept
    made = os.urandom(16).hex()
    text = f'{{"schema": 1, "install_id": "{made}", "made_at": "{format_timestamp(now)}"}}\n'
    state.write(_FILE, text.encode())
    return made


def _key(state: StateFolder) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    lost = "a new one is made; licenses stay good, as they are bound to the id"
    try:
        content = state.read(_KEY)
    except SignedDocumentError as error:
        raise _damaged(state, _KEY, error.what, lost) from None
    if content is None:
        key = Ed25519PrivateKey.generate()
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        state.write(_KEY, key.private_bytes(encoding, form, serialization.NoEncryption()))
        return key
    try:
        found = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _damaged(state, _KEY, "it is no private key that can be read", lost) from None
    if not isinstance(found, Ed25519PrivateKey):
        raise _damaged(state, _KEY, "it is a private key of another kind", lost)
    return found


def _damaged(state: StateFolder, name: str, why: str, then: str) -> TunesmithError:
    path = state.path / name if state.path else name
    return TunesmithError(
        f"a file of this installation is damaged: {why}",
        given=path,
        expected="the file as it was made",
        fix=f"take it back from a backup, or move it away: {then}",
    )
