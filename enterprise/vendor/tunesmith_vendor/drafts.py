# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Drafts of roots: what is carried from key holder to key holder until enough of them have signed.

A draft is a file of JSON with nothing secret in it and all that a holder needs to see what they sign: the payload, the
roots before it, the names that the keys have at the desk where it was made (hints, signed by nobody), the signatures so
far. Copies of it may be signed at the same time and put together afterwards.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import (
    PublicKey,
    Root,
    Trust,
    armor,
    dearmor_all,
    integer,
    members,
    parse_json,
    parse_root,
    seal,
    signed_bytes,
    text,
)
from tunesmith_vendor.desk import ALWAYS, Signing
from tunesmith_vendor.errors import VendorError

__all__ = ["Draft", "Lacking", "read_draft"]


@dataclass(frozen=True, slots=True)
class Lacking:
    """Signatures that a root still needs.

    Attributes:
        whose: "its own root keys", or "the root keys of version 3".
        signed: how many of these have signed.
        threshold: how many have to.
        able: those that may and have not.
    """

    whose: str
    signed: int
    threshold: int
    able: tuple[PublicKey, ...]

    @property
    def missing(self) -> int:
        return max(0, self.threshold - self.signed)


@dataclass(frozen=True)
class Draft:
    """A root on its way to being one.

    Attributes:
        payload: its bytes; these are signed.
        before: the envelopes of the roots before it, from the first on.
        names: from ids of keys to what the desk where it was made calls them.
        signatures: from ids of keys to their signatures, all of which fit.
    """

    payload: bytes
    before: tuple[bytes, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    signatures: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def root(self) -> Root:
        """What it will say."""
        return parse_root(self.payload)

    @cached_property
    def previous(self) -> Root | None:
        """The root before it; None: it is the first."""
        return Trust.start(self.before[0]).follow(self.before[1:], now=ALWAYS).root if self.before else None

    @property
    def signers(self) -> tuple[PublicKey, ...]:
        """The keys whose signatures count: its own root keys, and those of the root before it."""
        earlier = self.previous.roles["root"].keys if self.previous else ()
        return tuple(dict.fromkeys((*self.root.roles["root"].keys, *earlier)))

    def called(self, key: PublicKey) -> str:
        """A key by its name, which nobody signed, and the beginning of its id."""
        return f"{self.names.get(key.keyid, '')} {key.keyid[:16]}…".strip()

    def lacking(self) -> tuple[Lacking, ...]:
        """What has to be signed by whom; complete when nothing of it is missing."""
        judges = [("its own root keys", self.root)]
        if self.previous is not None:
            judges.append((f"the root keys of version {self.previous.version}", self.previous))
        return tuple(
            Lacking(
                whose,
                sum(key.keyid in self.signatures for key in judge.roles["root"].keys),
                judge.roles["root"].threshold,
                tuple(key for key in judge.roles["root"].keys if key.keyid not in self.signatures),
            )
            for whose, judge in judges
        )

    @property
    def complete(self) -> bool:
        """Whether enough have signed."""
        return not any(need.missing for need in self.lacking())

    def signed_with(self, public: PublicKey, signing: Signing) -> Draft:
        """With one signature more.

        Raises:
            VendorError: this key does not count for this root, or has signed already.
        """
        self.demand_unsigned(public)
        return self._with({public.keyid: signing(signed_bytes(self.payload, "root"))})

    def demand_unsigned(self, public: PublicKey) -> None:
        """That a signature of this key is of use; asked before anybody types a passphrase."""
        if public not in self.signers:
            raise VendorError(
                "this key is not among those whose signatures count for this root",
                given=f"key {public.keyid[:16]}…",
                expected=", ".join(
                    f"{self.names.get(key.keyid, '')} {key.keyid[:16]}…".strip() for key in self.signers
                ),
                fix="is it the right draft, and the right key? a root lists keys of the role root by their public half",
            )
        if public.keyid in self.signatures:
            raise VendorError(
                "this key has signed this draft already, and counts once",
                given=f"key {public.keyid[:16]}…",
                expected="a key that has not signed: "
                + (
                    ", ".join(self.names.get(key.keyid, key.keyid[:16] + "…") for key in self._open()) or "none is left"
                ),
            )

    def joined(self, other: Draft) -> Draft:
        """With the signatures of another copy.

        Raises:
            VendorError: it is a draft of another root.
        """
        if (other.payload, other.before) != (self.payload, self.before):
            raise VendorError(
                "these are drafts of different roots",
                given=f"version {self.root.version} and version {other.root.version}, not byte for byte the same",
                expected="copies of one draft, signed by different holders",
            )
        return self._with(other.signatures)

    def envelope(self) -> bytes:
        """The root.

        Raises:
            VendorError: too few have signed.
        """
        for need in self.lacking():
            if need.missing:
                raise VendorError(
                    f"too few have signed version {self.root.version} of the root",
                    given=f"{need.signed} of {need.whose}",
                    expected=f"{need.threshold}",
                    fix="have it signed by "
                    + " or ".join(self.names.get(key.keyid, key.keyid[:16] + "…") for key in need.able),
                )
        known = {key.keyid: key for key in self.signers}
        return seal(self.payload, "root", {known[keyid]: made for keyid, made in self.signatures.items()})

    def to_json(self) -> bytes:
        """The file to carry."""
        value = {
            "schema": 1,
            "draft": f"version {self.root.version} of a root of trust, not yet signed by enough",
            "payload": b64encode(self.payload).decode("ascii"),
            "before": "".join(map(armor, self.before)),
            "names": dict(sorted(self.names.items())),
            "signatures": {keyid: b64encode(made).decode("ascii") for keyid, made in sorted(self.signatures.items())},
        }
        return (json.dumps(value, indent=2) + "\n").encode("ascii")

    def _open(self) -> list[PublicKey]:
        return [key for key in self.signers if key.keyid not in self.signatures]

    def _with(self, signatures: Mapping[str, bytes]) -> Draft:
        return replace(self, signatures={**self.signatures, **signatures})


def read_draft(content: bytes, name: object) -> Draft:
    """The draft of a file; every signature in it is checked.

    Args:
        name: of the file, for errors.

    Raises:
        VendorError: it is no draft, or was changed on the way.
    """
    try:
        fields = ("schema", "draft", "payload", "before", "names", "signatures")
        value = members(parse_json(content), "the draft", required=fields)
        integer(value["schema"], "the draft's schema", least=1, most=1)
        before = value["before"]
        draft = Draft(
            _bytes(value["payload"]),
            tuple(document.envelope for document in dearmor_all(before)) if before != "" else (),
            {keyid: text(called, "a name") for keyid, called in _texts(value["names"]).items()},
            {keyid: _bytes(made) for keyid, made in _texts(value["signatures"]).items()},
        )
        expected = draft.previous.version + 1 if draft.previous else 1
        if draft.root.version != expected:
            raise VendorError(
                "this draft does not follow the roots that it carries",
                given=f"version {draft.root.version}",
                expected=f"version {expected}",
            )
    except SignedDocumentError as error:
        raise VendorError(
            "this is no draft of a root, or it was damaged on the way",
            given=f"{name}: {error.what}",
            expected="the file that `root init` or `root rotate` wrote",
            fix="fetch it once more, as a file",
        ) from None
    message = signed_bytes(draft.payload, "root")
    known = {key.keyid: key for key in draft.signers}
    for keyid, made in draft.signatures.items():
        if keyid not in known or not known[keyid].fits(made, message):
            raise VendorError(
                "a signature in this draft does not fit: the draft was changed after signing, or damaged",
                given=f"{name}: the signature of key {keyid[:16]}…",
                fix="do not sign it; ask for the draft as it was made, and find out who changed it",
            )
    return draft


def _texts(value: object) -> dict[str, str]:
    if type(value) is not dict or not all(type(item) is str for item in value.values()):
        raise VendorError("this is no draft of a root", given="a part that is not from texts to texts")
    return value


def _bytes(value: object) -> bytes:
    try:
        return b64decode(text(value, "a part of the draft", longest=1 << 20), validate=True)
    except ValueError:
        raise VendorError("this is no draft of a root", given="a part that is not base64") from None
