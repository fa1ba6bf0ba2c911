# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The keys at hand, as ``[plugins.enterprise] seal_keys`` of the settings names them: the first seals, all open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tunesmith.errors import SettingsError
from tunesmith_enterprise.governance.sealing.errors import SealedFileError, SealKeyError
from tunesmith_enterprise.governance.sealing.header import Header
from tunesmith_enterprise.governance.sealing.keys import SealKey, UnwrapError, read_key_file
from tunesmith_enterprise.governance.sealing.services import service_key
from tunesmith_enterprise.settings import enterprise_settings

__all__ = ["KEY", "KeyRing", "key_ring"]

KEY: Final = "seal_keys"
_CREATE: Final = "tunesmith seal key create FILE"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys in order.

    Attributes:
        keys: those that can be used.
        missing: what was said of those that are named and cannot be read; told where one of them may be the one wanted.
        seals: whether the first key that is named could be read. Else nothing is sealed: not with a key that was to be
            used no more.
    """

    keys: tuple[SealKey, ...]
    missing: tuple[str, ...] = ()
    seals: bool = True

    @property
    def sealing(self) -> SealKey:
        """The first, which seals.

        Raises:
            SealKeyError: there is none.
        """
        if not self.keys or not self.seals:
            raise SealKeyError(
                "there is no key to seal with",
                given="; ".join(self.missing) or f"neither --key nor {KEY} in the settings",
                expected=f'a key file or a key of a service: --key FILE, or {KEY} = ["FILE"] in [plugins.enterprise]',
                fix=f"make one: {_CREATE}, and keep a copy elsewhere",
            )
        return self.keys[0]

    def data_key(self, header: Header, path: object) -> tuple[bytes, SealKey]:
        """The data key of a file, and which key gave it.

        Raises:
            SealKeyError: none of the keys at hand is the file's.
            SealedFileError: the key is there, and the header was changed.
        """
        wanted = [slot for slot in header.slots if slot is not None]
        tried = ""
        for slot in wanted:
            for key in self.keys:
                if key.id != slot.key:
                    continue
                try:
                    found = key.unwrap(slot.wrapped, header.binding)
                except UnwrapError:
                    tried = key.id
                    continue
                if len(found) == 32:
                    return found, key
                tried = key.id
        if tried:
            raise SealedFileError(
                f"the header of {path} was changed, or belongs to another file",
                given=f"a wrapped key that the key {tried} does not open for what the header says",
                expected="the header as it was written",
                fix="bring the file back from a copy; nothing was changed",
            )
        raise SealKeyError(
            f"the key of {path} is not at hand",
            given=", ".join(key.id for key in self.keys) or "no key",
            expected=f"the key {' or '.join(dict.fromkeys(slot.key for slot in wanted))}",
            fix=[
                *self.missing,
                f"name it: --key FILE, or {KEY} in [plugins.enterprise] of tunesmith.toml",
                "if the key is lost, so is the content; nothing was changed, and the file opens once the key is back",
            ],
        )


def key_ring(named: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> KeyRing:
    """The keys that are named, and behind them those of the settings.

    The machine's settings count, and the person's; the project's do not: a folder that came from somebody else must not
    say with which key this machine seals.

    Args:
        named: key files, or keys of services as ``awskms:…``; each has to be there.
        environ: where the person's settings are looked up. Default: ``os.environ``.

    Raises:
        SealKeyError: a key that is named cannot be read.
        SettingsError: the settings cannot be read, or name no keys.
    """
    keys: list[SealKey] = [service_key(name) or read_key_file(Path(name).expanduser()) for name in named]
    missing, seals = [], True
    for number, name in enumerate(_of_settings(environ)):
        try:
            keys.append(service_key(name) or read_key_file(Path(name)))
        except SealKeyError as error:  # an old key that is gone keeps nobody from what newer ones opened
            missing.append(f"{error.what}: {error.given}")
            seals = seals and (number > 0 or bool(named))
    return KeyRing(tuple({key.id: key for key in keys}.values()), tuple(missing), seals)


def _of_settings(environ: Mapping[str, str] | None) -> list[str]:
    settings = enterprise_settings(environ)
    given = settings.get(KEY, [])
    names = given if isinstance(given, list) else [given]
    if not all(isinstance(name, str) and (service_key(name) or Path(name).is_absolute()) for name in names):
        raise SettingsError(
            f"{KEY} of [plugins.enterprise] in the settings names no keys",
            given=repr(given),
            expected=f'absolute paths of key files, or keys of services: {KEY} = ["/etc/tunesmith/seal.key"]',
            fix="correct it in the tunesmith.toml of the machine or of the person",
        )
    return names
