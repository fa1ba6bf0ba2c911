# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The register of keys: their names, what each is for, and where its private half is kept. Nothing in it is secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import (
    ROLES,
    PublicKey,
    format_timestamp,
    integer,
    items,
    members,
    parse_json,
    parse_timestamp,
    text,
)
from tunesmith.licensing.trust import RoleName
from tunesmith_vendor.errors import VendorError

__all__ = ["ELSEWHERE", "KeyEntry", "Register", "read_register", "role_name"]

ELSEWHERE: Final = "elsewhere:"
"""Where a key is kept of which this desk knows the public half alone."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One key.

    Attributes:
        name: by which the desk's commands know it.
        role: what it is for: root, issuer or revocation; never two of them.
        public: its public half.
        created: when it came to the desk; aware, UTC.
        uri: where the private half is kept, as securesystemslib writes it: ``pkcs8:keys/issuer.pem``,
            ``pkcs11:token=desk;object=issuer``, ``awskms:alias/issuer``; or ``elsewhere:``.
    """

    name: str
    role: RoleName
    public: PublicKey
    created: datetime
    uri: str

    @property
    def here(self) -> bool:
        """Whether this desk can sign with it."""
        return self.uri != ELSEWHERE


@dataclass(frozen=True, slots=True)
class Register:
    """All keys that a desk knows; nothing changes it, :meth:`adding` makes another."""

    keys: tuple[KeyEntry, ...] = ()

    def __iter__(self) -> Iterator[KeyEntry]:
        return iter(self.keys)

    def find(self, name: str, role: RoleName | None = None) -> KeyEntry:
        """The key of that name.

        Raises:
            VendorError: there is none, or it is for another role.
        """
        entry = next((entry for entry in self.keys if entry.name == name), None)
        if entry is None:
            raise VendorError(
                "the desk knows no key of that name",
                given=name,
                expected=", ".join(entry.name for entry in self.keys) or "the register is empty",
                fix="see `tunesmith-vendor key status`; make one with `key new`, or take one in with `key import`",
            )
        if role is not None and entry.role != role:
            raise VendorError(
                "a key has one role, and this is not its role",
                given=f"the key {name} of the role {entry.role}",
                expected=f"a key of the role {role}",
                fix=f"name one of: {', '.join(other.name for other in self.keys if other.role == role) or 'none yet'}",
            )
        return entry

    def of(self, public: PublicKey) -> KeyEntry | None:
        """The entry of a public key."""
        return next((entry for entry in self.keys if entry.public == public), None)

    def name_of(self, public: PublicKey) -> str:
        """How to call a key in a message: by its name, or by the beginning of its id."""
        entry = self.of(public)
        return entry.name if entry else f"{public.keyid[:16]}…"

    def adding(self, entry: KeyEntry) -> Register:
        """With one key more.

        Raises:
            VendorError: its name is taken or cannot be one, or the key is there already.
        """
        if not _NAME.fullmatch(entry.name):
            raise VendorError(
                "this cannot be the name of a key",
                given=entry.name,
                expected="1 to 64 of a-z 0-9 . _ - and of these first a letter or a digit",
            )
        if any(other.name == entry.name for other in self.keys):
            raise VendorError(
                "there is a key of that name already",
                given=entry.name,
                fix="keys are never replaced under their name: call the new one, say, by its year",
            )
        same = self.of(entry.public)
        if same is not None:
            raise VendorError(
                "the desk has this key already",
                given=f"{entry.public.keyid[:16]}…, known as {same.name} of the role {same.role}",
                expected="every key once, in one role: whoever takes it can then do one thing only",
            )
        return Register((*self.keys, entry))

    def to_json(self) -> bytes:
        """The register as its file has it."""
        keys = [
            {
                "name": entry.name,
                "role": entry.role,
                "public_key": entry.public.text,
                "keyid": entry.public.keyid,
                "created": format_timestamp(entry.created),
                "uri": entry.uri,
            }
            for entry in self.keys
        ]
        return (json.dumps({"schema": 1, "keys": keys}, indent=2) + "\n").encode()


def read_register(content: bytes) -> Register:
    """The register of its file's content.

    Raises:
        VendorError: it is damaged, or a newer program wrote it.
    """
    try:
        value = members(parse_json(content), "the register", required=("schema", "keys"))
        integer(value["schema"], "the register's schema", least=1, most=1)
        register = Register()
        for item in items(value["keys"], "the register's keys", least=0, most=10_000):
            register = register.adding(_entry(item))
    except SignedDocumentError as error:
        raise VendorError(
            "the register of keys cannot be read",
            given=error.what,
            fix="take keys.json from a backup; the key files themselves are untouched",
        ) from None
    return register


def _entry(item: object) -> KeyEntry:
    fields = ("name", "role", "public_key", "keyid", "created", "uri")
    found = members(item, "a key of the register", required=fields)
    name, role, public_text, keyid, _, uri = (text(found[field], field, longest=1000) for field in fields)
    public = PublicKey.from_text(public_text)
    if public.keyid != keyid:
        raise VendorError(
            "the register contradicts itself", given=f"the key {name} has another keyid", expected=public.keyid
        )
    return KeyEntry(name, role_name(role), public, parse_timestamp(found["created"], "created"), uri)


def role_name(name: str) -> RoleName:
    """The role of that name.

    Raises:
        VendorError: there is none.
    """
    for role in ROLES:
        if role == name:
            return role
    raise VendorError("there is no such role of keys", given=name, expected=", ".join(ROLES))
