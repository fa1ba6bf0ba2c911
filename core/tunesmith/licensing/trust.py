# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Who may sign what: a root document, and the rules by which a newer one takes its place.

The rules are those of The Update Framework (https://theupdateframework.github.io/specification/, 5.3): root N + 1 is
taken if enough keys of root N and enough keys of root N + 1 signed it; there is no way back and none that leaves one
out. So a vendor replaces any key, also a stolen one, and every installation can follow from whichever root it has,
without a network. A root's expiry ends that it can be newly taken; what was taken stays in use, or installations that
nobody updates would stop at some date.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple, get_args

from tunesmith.licensing.envelope import Envelope, Kind, fitting, read_envelope, verify, wrong_kind
from tunesmith.licensing.fields import integer, items, members
from tunesmith.licensing.keys import PublicKey
from tunesmith.licensing.reasons import Reason, refusal
from tunesmith.licensing.strict_json import parse_json
from tunesmith.licensing.timestamps import format_timestamp, parse_timestamp

__all__ = ["ROLES", "ROLE_OF", "Role", "RoleName", "Root", "Trust", "parse_root"]

RoleName = Literal["root", "issuer", "revocation"]
ROLES: Final[tuple[RoleName, ...]] = get_args(RoleName)
ROLE_OF: Final[Mapping[Kind, RoleName]] = {
    "root": "root",
    "license": "issuer",
    "pool": "issuer",
    "activation-response": "issuer",
    "revocations": "revocation",
}
"""Which role signs which kind. The other kinds are signed by a customer's keys, which stand in a pool or a license."""

_KEYS: Final = 16
_VERSIONS: Final = 1_000_000


class Role(NamedTuple):
    """Keys that may sign for a purpose, and how many of them have to."""

    keys: tuple[PublicKey, ...]
    threshold: int


class Root(NamedTuple):
    """What a root document says.

    Attributes:
        version: 1, 2, 3 …
        expires: from then on it is not newly taken.
        roles: for each of ``ROLES`` its keys.
    """

    version: int
    expires: datetime
    roles: Mapping[RoleName, Role]


def parse_root(payload: bytes) -> Root:
    """The root of a payload.

    Raises:
        SignedDocumentError: it has another field, type or value than the format has; ``root-threshold``: a role needs
            no signature, or more than it has keys; ``root-shared-key``: a key stands in two roles, or twice in one.
    """
    value = members(parse_json(payload), "the root", required=("schema", "version", "expires", "roles"))
    if integer(value["schema"], "the root's schema", least=1, most=_VERSIONS) != 1:
        raise refusal(
            "newer-format",
            "this root is written in a newer format",
            given=f"schema {value['schema']}",
            expected="schema 1",
            fix="install a newer release of the product",
        )
    version = integer(value["version"], "the root's version", least=1, most=_VERSIONS)
    expires = parse_timestamp(value["expires"], "the root's expiry")
    listed = members(value["roles"], "the root's roles", required=ROLES)
    roles = {name: _role(listed[name], name) for name in ROLES}
    seen: dict[PublicKey, str] = {}
    for name, role in roles.items():
        for key in role.keys:
            if key in seen:
                raise refusal(
                    "root-shared-key",
                    "the root lists a key twice",
                    given=f"key {key.keyid[:16]}… as {seen[key]} and as {name}",
                    expected="every key in one role, once: whoever takes it can then do one thing only",
                )
            seen[key] = name
    return Root(version, expires, roles)


def _role(value: object, name: str) -> Role:
    where = f"the role {name}"
    found = members(value, where, required=("threshold", "keys"))
    keys = []
    for text in items(found["keys"], f"the keys of {where}", least=1, most=_KEYS):
        if type(text) is not str:
            raise refusal("type", f"a key of {where} has the wrong type", expected="base64 text")
        keys.append(PublicKey.from_text(text, f"a key of {where}"))
    threshold = found["threshold"]
    if type(threshold) is not int or not 1 <= threshold <= len(keys):
        raise refusal(
            "root-threshold",
            f"{where} has an impossible threshold",
            given=threshold if type(threshold) is int else "no integer",
            expected=f"1 to {len(keys)}, the number of its keys",
        )
    return Role(tuple(keys), threshold)


@dataclass(frozen=True)
class Trust:
    """A root that is believed. Nothing changes it; taking a newer root makes another ``Trust``.

    Attributes:
        root: what it says.
        envelope: the bytes it came in, to keep and to start from again.
    """

    root: Root
    envelope: bytes

    @classmethod
    def start(cls, envelope: bytes) -> Trust:
        """Believe a root because of where it comes from: it is part of an installed product.

        Raises:
            SignedDocumentError: it is no root, or was not signed by enough of its own keys. (That it has expired is no
                error.)
        """
        found, root = _read(envelope)
        _demand(fitting(found, root.roles["root"].keys), root, "root-new-keys", "its own")
        return cls(root, envelope)

    def update(self, newer: bytes, *, now: datetime) -> Trust:
        """Take the next root.

        Args:
            newer: an envelope; its version is one more than that of ``root``.
            now: aware; a root that has expired by then is not taken.

        Raises:
            SignedDocumentError: ``root-rollback``, ``root-gap``, ``root-old-keys``, ``root-new-keys``,
                ``root-expired``, or it is no root. ``self`` is as good as before.
        """
        return self._next(newer, *_read(newer))._in_time(now)

    def follow(self, chain: Iterable[bytes], *, now: datetime) -> Trust:
        """Take all of a chain, in its order; the versions that are known already (or older) are passed over.

        So one chain, from the first root to the latest, serves every installation. Roots on the way may have expired;
        the last may not, as somebody might hold back those after it to keep old keys in use.

        Returns:
            What trusts the last root of the chain, or ``self`` if nothing in it was newer.

        Raises:
            SignedDocumentError: as ``update``. All are taken or none.
        """
        trust = self
        for envelope in chain:
            found, root = _read(envelope)
            if root.version > self.root.version:
                trust = trust._next(envelope, found, root)
        return trust if trust is self else trust._in_time(now)

    def verify(
        self, envelope: bytes, kind: Kind, *, others: Mapping[str, Collection[PublicKey]] | None = None
    ) -> bytes:
        """The payload of a document that the role for its kind signed: see ``envelope.verify``.

        Args:
            envelope: its bytes.
            kind: one of ``ROLE_OF``.
            others: keys that do not count, by names for the error.

        Raises:
            SignedDocumentError: also ``other-key``, if it was signed by another role.
            ValueError: no role of the root signs documents of this kind.
        """
        if kind not in ROLE_OF:
            raise ValueError(f"no role of a root signs a {kind}: call verify() with the keys that do")
        name = ROLE_OF[kind]
        role = self.root.roles[name]
        strangers = {f"keys of the role {other}": self.root.roles[other].keys for other in ROLES if other != name}
        return verify(envelope, kind, role.keys, role.threshold, others={**strangers, **(others or {})})

    def _next(self, envelope: bytes, found: Envelope, root: Root) -> Trust:
        given, mine = root.version, self.root.version
        if given <= mine:
            raise refusal(
                "root-rollback",
                "this root is not newer than the one in use",
                given=f"version {given}",
                expected=f"version {mine + 1}",
                fix="nothing is to be done: the newer one stays in use",
            )
        if given != mine + 1:
            raise refusal(
                "root-gap",
                "between this root and the one in use others are missing",
                given=f"version {given} after {mine}",
                expected=f"version {mine + 1}: each is signed by the one before it",
                fix="ask the vendor for the whole chain of roots",
            )
        signers = fitting(found, (*self.root.roles["root"].keys, *root.roles["root"].keys))
        _demand(signers, self.root, "root-old-keys", "the present")
        _demand(signers, root, "root-new-keys", "its own")
        return Trust(root, envelope)

    def _in_time(self, now: datetime) -> Trust:
        if now >= self.root.expires:
            raise refusal(
                "root-expired",
                "this root has expired and is not taken any more",
                given=f"version {self.root.version}, until {format_timestamp(self.root.expires)}",
                expected=f"a root that is good on {format_timestamp(now)}",
                fix="ask the vendor for the latest root, and look whether the clock is right",
            )
        return self


def _read(envelope: bytes) -> tuple[Envelope, Root]:
    found = read_envelope(envelope)
    if found.kind != "root":
        raise wrong_kind(found.kind, "root")
    return found, parse_root(found.payload)


def _demand(signers: Collection[str], judge: Root, reason: Reason, whose: str) -> None:
    role = judge.roles["root"]
    signed = sum(key.keyid in signers for key in role.keys)
    if signed < role.threshold:
        raise refusal(
            reason,
            f"too few of {whose} root keys signed this root",
            given=f"{signed} of version {judge.version}'s",
            expected=f"{role.threshold} of {len(role.keys)}",
            fix="ask the vendor for the root as it was published",
        )
