# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The file of API keys: who has one, as which role, until when. The keys themselves are not in it, only digests.

::

    {"schema": 1, "keys": [{"id": "4f0c2a9b11de", "sha256": "…", "role": "user", "tenant": "red", "classes": [],
      "models": [], "note": "the shop", "created": "2026-11-26T12:00:00Z", "expires": null, "rotated_from": null,
      "revoked": null}]}

A key is ``tsk_<id>_<secret>``; the digest is that of the whole key. The secret has 256 bits by chance, so a digest
without salt and stretching gives nobody the key.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from tunesmith.errors import OutputError, RequestError, SettingsError, SignedDocumentError
from tunesmith.licensing import format_timestamp, parse_json, parse_timestamp
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.governance.access.names import Name, NameOrNone
from tunesmith_enterprise.governance.access.roles import Role

__all__ = ["PREFIX", "Key", "change_keys", "digest_of", "key_by_id", "new_key", "read_keys", "seats_of"]

PREFIX: Final = "tsk_"
_BYTES: Final = 8 << 20
"""Of the file, at most: some 20,000 keys."""
_PATIENCE: Final = 5.0
"""Seconds that a command waits for another that changes the file."""


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return parse_timestamp(value, "it")
    except SignedDocumentError:
        raise ValueError("a time is written as 2026-11-26T12:00:00Z") from None


def _digest(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError("a digest has 64 hexadecimal digits")
    return text


def _id(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{12}", text):
        raise ValueError("an id has 12 hexadecimal digits")
    return text


Moment = Annotated[datetime, BeforeValidator(_moment), PlainSerializer(format_timestamp)]
Id = Annotated[str, AfterValidator(_id)]


class Key(BaseModel):
    """What is known of a key.

    Attributes:
        id: 12 hexadecimal digits: fit for a log.
        sha256: of the key, in hexadecimal.
        tenant: whom the caller belongs to; "": nobody.
        classes: of requests that the caller may name; none: all.
        models: that the caller may ask; none: all.
        note: for people.
        created, expires, revoked: when, in UTC; None: it does not end, or was not revoked.
        rotated_from: the key that this one replaces.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Id
    sha256: Annotated[str, AfterValidator(_digest)] = Field(repr=False)
    role: Role
    tenant: NameOrNone = ""
    classes: tuple[Name, ...] = ()
    models: tuple[str, ...] = ()
    note: Annotated[str, Field(max_length=200)] = ""
    created: Moment
    expires: Moment | None = None
    rotated_from: Id | None = None
    revoked: Moment | None = None

    def state(self, now: datetime) -> Literal["good", "expired", "revoked"]:
        """Whether it opens anything."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "good"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # Named so in the file; `schema` alone would hide a method of the base class.
    version: Literal[1] = Field(alias="schema")
    keys: tuple[Key, ...]


def new_key(now: datetime, **fields: object) -> tuple[str, Key]:
    """A key that nobody has seen, and what is kept of it.

    Args:
        fields: of :class:`Key`, without id, digest and time.

    Raises:
        RequestError: a field cannot be so.
    """
    id_ = secrets.token_hex(6)
    text = f"{PREFIX}{id_}_{secrets.token_urlsafe(32)}"
    try:
        return text, Key.model_validate({**fields, "id": id_, "sha256": digest_of(text), "created": _second(now)})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise RequestError(
            f"a key cannot be so: {str(first['msg']).removeprefix('Value error, ')}",
            parameter=str(first["loc"][0]),
            given=f"{first.get('input')!r:.200}",
        ) from None


def digest_of(key: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def seats_of(keys: Sequence[Key], now: datetime) -> int:
    """For how many people or programs there are keys: a key and the one that takes its place are one."""
    replaced = {key.rotated_from for key in keys}
    return sum(key.state(now) == "good" and key.id not in replaced for key in keys)


def key_by_id(keys: Sequence[Key], id_: str) -> Key:
    """The key of this id.

    Raises:
        RequestError: there is none.
    """
    found = next((key for key in keys if key.id == id_), None)
    if found is None:
        raise RequestError(
            "there is no key of this id",
            parameter="id",
            given=id_[:50] if not id_.startswith(PREFIX) else "a key (not shown), in place of its id",
            expected="one of those that `tunesmith access key list` shows",
        )
    return found


def read_keys(path: Path) -> tuple[Key, ...]:
    """All keys of the file.

    Raises:
        SettingsError: there is no such file, others can read or write it, or it is damaged. No message has a digest.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_BYTES + 1)
    except OSError as error:
        raise SettingsError(
            f"the file of keys cannot be read: {error.strerror}",
            given=path,
            expected="the file that keys in [plugins.enterprise.access] names, readable for this account",
            fix="`tunesmith access key create` makes it; look at its owner",
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise SettingsError(
            "others than its owner can open the file of keys",
            given=f"{path}, permissions {mode:03o}",
            expected="600",
            fix=f"chmod 600 {path}, and see whether somebody has added a key: `tunesmith access key list`",
        )
    try:
        found = _File.model_validate(parse_json(content, size=_BYTES)).keys
        ids = {key.id for key in found}
        if len(ids) < len(found):
            raise SignedDocumentError("an id is there twice", reason="json")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _damaged(path, f"{where}: {str(first['msg']).removeprefix('Value error, ')}") from None
    except SignedDocumentError as error:
        raise _damaged(path, error.what) from None
    return found


def _damaged(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"the file of keys is damaged: {why}",
        given=path,
        expected='{"schema": 1, "keys": [ … ]}, as `tunesmith access key` writes it',
        fix="bring it back from a backup; without one, move it away and make new keys",
    )


def change_keys(path: Path, change: Callable[[tuple[Key, ...]], Sequence[Key]]) -> None:
    """Read the file, change the keys, write it: at any moment the old or the new is there, whole.

    Args:
        path: where no file is yet, there are no keys.
        change: from the keys that are there to those that are to be there. What it raises changes nothing.

    Raises:
        SettingsError: the file cannot be read.
        OutputError: it cannot be written, or another command is changing it and does not come to an end.
    """
    folder = StateFolder(path.parent)
    try:
        with folder.alone(_PATIENCE) as alone:
            if not alone:
                raise OutputError(
                    "another command is changing the keys and does not come to an end", given=path, fix="try again"
                )
            owner = path.stat() if path.exists() else None
            after = change(read_keys(path) if owner else ())
            keys = [key.model_dump(mode="json") for key in after]
            folder.write(path.name, (json.dumps({"schema": 1, "keys": keys}, indent=1) + "\n").encode())
            if owner is not None and hasattr(os, "chown"):  # the server's account has to read what root has changed
                with suppress(PermissionError):
                    os.chown(path, owner.st_uid, owner.st_gid)
    except OSError as error:
        raise OutputError(
            f"the file of keys cannot be written: {error.strerror or error}",
            given=path,
            expected="a folder that this account may write into",
            fix="choose the account that keeps the keys, or make room",
        ) from error


def _second(now: datetime) -> datetime:
    return now.astimezone(timezone.utc).replace(microsecond=0)
