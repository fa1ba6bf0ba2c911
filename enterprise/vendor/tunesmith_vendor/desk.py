# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The desk: a folder with keys, their register and the chain of roots; and signing with what is in it.

::

    desk/
      keys.json          the register; nothing in it is secret
      keys/NAME.pem      private keys, encrypted
      root-chain.txt     all roots from the first on, armored; this is what builds and licenses carry
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from tunesmith.licensing import ROLE_OF, Kind, Trust, armor, dearmor_all, seal, signed_bytes
from tunesmith.licensing.trust import RoleName
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.files import locked, make_private_folder, read_bytes, replace_file
from tunesmith_vendor.key_files import PRODUCTION, Cost
from tunesmith_vendor.passphrases import Ask
from tunesmith_vendor.register import KeyEntry, Register, read_register

__all__ = ["ALWAYS", "CHAIN", "Desk", "Signing", "default_folder", "utc_now"]

Signing = Callable[[bytes], bytes]
"""From the bytes to sign to the 64 bytes of an Ed25519 signature."""

CHAIN: Final = "root-chain.txt"
_REGISTER: Final = "keys.json"

ALWAYS: Final = datetime.min.replace(tzinfo=timezone.utc)
"""A moment at which no root has expired: for following a chain whose roots need only fit each other."""


def utc_now() -> datetime:
    """This moment, aware, in whole seconds as documents have it."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def default_folder() -> Path:
    """``tunesmith-vendor`` where this account keeps data (``XDG_DATA_HOME``, else ``~/.local/share``)."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "tunesmith-vendor"


@dataclass(frozen=True)
class Desk:
    """A desk in a folder, which is made when something is first kept there.

    Attributes:
        folder: of the desk.
        cost: of one try at a passphrase of keys that are made here.
    """

    folder: Path
    cost: Cost = PRODUCTION

    @property
    def key_folder(self) -> Path:
        return self.folder / "keys"

    def register(self) -> Register:
        """The keys that the desk knows now."""
        path = self.folder / _REGISTER
        return read_register(read_bytes(path, "the register of keys")) if path.exists() else Register()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """The desk for this program alone: whoever else changes it waits."""
        make_private_folder(self.folder)
        make_private_folder(self.key_folder)
        with locked(self.folder):
            yield

    def keep(self, register: Register) -> None:
        """Write the register; inside :meth:`changing`."""
        replace_file(self.folder / _REGISTER, register.to_json())

    def chain(self) -> tuple[bytes, ...]:
        """The envelopes of the roots, from the first to the newest; empty: there is no root yet."""
        path = self.folder / CHAIN
        if not path.exists():
            return ()
        return tuple(document.envelope for document in dearmor_all(read_bytes(path, "the chain of roots")))

    def keep_chain(self, chain: Sequence[bytes]) -> None:
        """Write the chain; inside :meth:`changing`."""
        replace_file(self.folder / CHAIN, "".join(map(armor, chain)).encode("ascii"), mode=0o644)

    def trust(self) -> Trust:
        """The newest root. Whether it has expired is for the caller to ask.

        Raises:
            VendorError: there is none yet.
            SignedDocumentError: the chain does not fit together.
        """
        chain = self.chain()
        if not chain:
            raise VendorError(
                "this desk has no root yet, so nobody would believe what it signs",
                given=self.folder,
                fix="make one with `tunesmith-vendor root init` and have it signed with `root sign`",
            )
        return Trust.start(chain[0]).follow(chain[1:], now=ALWAYS)

    def signer(self, name: str, role: RoleName, ask: Ask) -> Signing:
        """Signs with a key of the desk. The passphrase or PIN is asked for now, once.

        Args:
            name: of the key.
            role: that it has to have.
            ask: for passphrases and PINs.

        Raises:
            VendorError: no such key, another role, a key that is kept elsewhere, a wrong passphrase, or trouble with a
                token or a key service, also later when it signs.
        """
        from tunesmith_vendor.signers import open_signer  # loads securesystemslib

        return open_signer(self.register().find(name, role), self.folder, ask)

    def signers_for(self, kind: Kind, names: Sequence[str] = ()) -> tuple[KeyEntry, ...]:
        """The keys to sign a kind of document with, all of them in the newest root.

        Args:
            names: which; none: those of the desk that may, if they are just as many as have to.
        """
        if kind not in ROLE_OF:
            raise ValueError(f"no role of a root signs a {kind}")
        role = ROLE_OF[kind]
        wanted = self.trust().root.roles[role]
        register = self.register()
        if not names:
            able = [entry for entry in register if entry.here and entry.public in wanted.keys]
            if len(able) != wanted.threshold:
                raise VendorError(
                    f"it is not clear which keys should sign this {kind}",
                    given=f"no name, and {len(able)} keys here that may: {', '.join(e.name for e in able) or 'none'}",
                    expected=f"{wanted.threshold} of the newest root's keys of the role {role}",
                    fix="name them with --key",
                )
            return tuple(able)
        chosen = tuple(register.find(name, role) for name in dict.fromkeys(names))
        stranger = next((entry for entry in chosen if entry.public not in wanted.keys), None)
        if stranger is not None:
            raise VendorError(
                "this key is not in the newest root, so nobody would believe it",
                given=f"the key {stranger.name}",
                expected=", ".join(map(register.name_of, wanted.keys)),
                fix="name one of these, or bring the key in with `tunesmith-vendor root rotate`",
            )
        if len(chosen) < wanted.threshold:
            raise VendorError(
                f"too few keys for a {kind}",
                given=", ".join(entry.name for entry in chosen),
                expected=f"{wanted.threshold} of the role {role}",
                fix="name more of them with --key",
            )
        return chosen

    def issue_sealed(self, payload: bytes, kind: Kind, key_names: Sequence[str], ask: Ask) -> bytes:
        """An envelope that customers will believe: signed, and verified with the newest root.

        Args:
            payload: of a ``contents`` class.
            kind: license, pool, activation-response or revocations.
            key_names: who signs; empty: as :meth:`signers_for` says.
            ask: for passphrases and PINs.
        """
        entries = self.signers_for(kind, key_names)
        message = signed_bytes(payload, kind)
        signatures = {entry.public: self.signer(entry.name, ROLE_OF[kind], ask)(message) for entry in entries}
        envelope = seal(payload, kind, signatures)
        self.trust().verify(envelope, kind)  # as a customer will
        return envelope

    def names(self) -> Mapping[str, str]:
        """From the id of each known key to its name."""
        return {entry.public.keyid: entry.name for entry in self.register()}
