# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Roots: the first, the next, and how a signed one joins the chain of the desk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tunesmith.licensing import ROLES, PublicKey, Role, Trust, format_timestamp, parse_root, read_envelope
from tunesmith.licensing.trust import RoleName
from tunesmith_vendor.desk import ALWAYS, Desk
from tunesmith_vendor.drafts import Draft
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.register import Register

__all__ = ["YEARS", "Change", "changes", "first_draft", "join", "next_draft"]

YEARS = 10
"""How long a root can be newly taken, unless said otherwise. What has taken it keeps it."""


def first_draft(
    desk: Desk,
    keys: Mapping[RoleName, Sequence[str]],
    thresholds: Mapping[RoleName, int],
    expires: datetime,
) -> Draft:
    """Version 1, which nobody has signed yet.

    Args:
        keys: names in the register, for every role.
        thresholds: how many of them have to sign.

    Raises:
        VendorError: the desk has a root already, or a name is not known or of another role.
        SignedDocumentError: ``root-threshold``, ``root-shared-key``.
    """
    chain = desk.chain()
    if chain:
        raise VendorError(
            "this desk has a root already",
            given=f"version {desk.trust().root.version} in {desk.folder}",
            expected="a desk without one",
            fix="make the next one with `root rotate`: products that know the present one can follow only from there",
        )
    register = desk.register()
    roles = {
        role: Role(tuple(register.find(name, role).public for name in keys[role]), thresholds[role]) for role in ROLES
    }
    return _draft(1, expires, roles, (), register)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different in the next root.

    Attributes:
        replace: from names of keys (or ids of keys, or their beginnings) to the names of those that take their place.
        keys: for a role all its keys, by name, in the place of those it has.
        thresholds: for a role how many have to sign.
    """

    replace: Mapping[str, str]
    keys: Mapping[RoleName, Sequence[str]]
    thresholds: Mapping[RoleName, int]


def next_draft(desk: Desk, change: Change, expires: datetime) -> Draft:
    """The version after the newest of the desk, which nobody has signed yet. What is not changed stays.

    Raises:
        VendorError: there is no root yet; a name is not known, or of another role; nothing was replaced.
        SignedDocumentError: ``root-threshold``, ``root-shared-key``.
    """
    root = desk.trust().root
    register = desk.register()
    old = {_key_of(name, register, desk.trust()): register.find(new) for name, new in change.replace.items()}
    roles = {}
    for role in ROLES:
        present = root.roles[role]
        if role in change.keys:
            keys = tuple(register.find(name, role).public for name in change.keys[role])
        else:
            keys = tuple(register.find(old[key].name, role).public if key in old else key for key in present.keys)
        roles[role] = Role(keys, change.thresholds.get(role, present.threshold))
    return _draft(root.version + 1, expires, roles, desk.chain(), register)


def _key_of(name: str, register: Register, trust: Trust) -> PublicKey:
    """A key of the root that is in use, by its name or the beginning of its id."""
    listed = [key for role in trust.root.roles.values() for key in role.keys]
    found = [
        key
        for key in listed
        if register.name_of(key) == name or (len(name) >= 8 and key.keyid.startswith(name.lower()))
    ]
    if len(found) != 1:
        raise VendorError(
            "no key of the newest root is called so, so it cannot be replaced",
            given=name,
            expected=", ".join(map(register.name_of, listed)),
        )
    return found[0]


def _draft(
    version: int, expires: datetime, roles: Mapping[RoleName, Role], before: tuple[bytes, ...], register: Register
) -> Draft:
    value = {
        "schema": 1,
        "version": version,
        "expires": format_timestamp(expires),
        "roles": {
            name: {"threshold": role.threshold, "keys": [key.text for key in role.keys]} for name, role in roles.items()
        },
    }
    payload = json.dumps(value, separators=(",", ":")).encode("ascii")
    parse_root(payload)
    names = {entry.public.keyid: entry.name for entry in register}
    draft = Draft(payload, before)
    earlier = draft.previous.roles.values() if draft.previous else ()
    mentioned = {key.keyid for role in (*roles.values(), *earlier) for key in role.keys}
    return Draft(payload, before, {keyid: name for keyid, name in names.items() if keyid in mentioned})


def changes(draft: Draft) -> list[str]:
    """What a draft changes, in sentences for whoever is to sign it."""
    if draft.previous is None:
        return ["it is the first root: whoever believes it does so because it comes with the product"]
    said = []
    for name in ROLES:
        now, then = draft.root.roles[name], draft.previous.roles[name]
        added = [key for key in now.keys if key not in then.keys]
        gone = [key for key in then.keys if key not in now.keys]
        said += [f"{name}: takes in {draft.called(key)}" for key in added]
        said += [f"{name}: drops {draft.called(key)}, which signs nothing any more" for key in gone]
        if now.threshold != then.threshold:
            said.append(f"{name}: {now.threshold} have to sign, and no longer {then.threshold}")
    return said or ["no key changes: only the version and the expiry do"]


def join(desk: Desk, draft: Draft) -> bool:
    """Put a root that enough have signed at the end of the desk's chain, with the roots before it.

    Returns:
        Whether the chain grew; False: it had this root already.

    Raises:
        VendorError: too few have signed, or the desk has another history.
    """
    envelope = draft.envelope()
    chain = (*draft.before, envelope)
    Trust.start(chain[0]).follow(chain[1:], now=ALWAYS)
    with desk.changing():
        present = desk.chain()
        if [_payload(item) for item in present[: len(chain)]] == [_payload(item) for item in chain]:
            return False  # by other signatures, perhaps: any that are enough are as good
        if [_payload(item) for item in present] != [_payload(item) for item in chain[: len(present)]]:
            raise VendorError(
                "this root does not follow from the roots of this desk",
                given=f"version {draft.root.version} after another history",
                expected=f"one made after version {len(present)} of {desk.folder}",
                fix="is it the right desk? a draft that was overtaken by another has to be made anew",
            )
        desk.keep_chain((*present, *chain[len(present) :]))
    return True


def _payload(envelope: bytes) -> bytes:
    return read_envelope(envelope).payload
