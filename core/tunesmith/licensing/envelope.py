# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Envelopes: a payload, what kind of document it is, and who signed both. A strict profile of DSSE v1, Ed25519 only.

What is signed is the payload's bytes together with its type, so that a lease is never taken for a license; what
``verify`` returns is those very bytes. The envelope names no algorithm: that follows from the key that is trusted, and
there is nothing in it to confuse. An envelope has one writing; another order of fields or a space more is refused.

DSSE: https://github.com/secure-systems-lab/dsse (protocol.md, envelope.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing.base64_text import decode_base64, encode_base64
from tunesmith.licensing.fields import items, members
from tunesmith.licensing.keys import SIGNATURE, PublicKey
from tunesmith.licensing.reasons import refusal, shown
from tunesmith.licensing.strict_json import SIZE, parse_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "KINDS",
    "SIGNATURES",
    "Envelope",
    "Kind",
    "fitting",
    "pae",
    "payload_type",
    "read_envelope",
    "seal",
    "sign",
    "signed_bytes",
    "verify",
    "wrong_kind",
]

Kind = Literal[
    "license",
    "root",
    "revocations",
    "pool",
    "lease",
    "activation-request",
    "activation-response",
    "usage-report",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SIGNATURES: Final = 16
"""Signatures of one envelope, at most: a root that changes all keys of a 5-of-8 role has 10."""

_HEX: Final = frozenset("0123456789abcdef")
_FAMILY: Final = "application/vnd.tunesmith."


class Envelope(NamedTuple):
    """What an envelope says. Nobody has checked the signatures: good for showing, not for believing.

    Attributes:
        kind: what the payload is.
        payload: its bytes.
        signatures: from the hint at the key to the 64 bytes, in the order of the hints.
    """

    kind: Kind
    payload: bytes
    signatures: Mapping[str, bytes]


def payload_type(kind: Kind) -> str:
    """The media type that is signed with the payload: ``application/vnd.tunesmith.license.v1+json``."""
    if kind not in KINDS:
        raise ValueError(f"no kind of signed document: {kind!r}; there are {', '.join(KINDS)}")
    return f"{_FAMILY}{kind}.v1+json"


def pae(media_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding of a media type and a payload: both with their lengths, hence unambiguous."""
    name = media_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def signed_bytes(payload: bytes, kind: Kind) -> bytes:
    """The bytes that a key signs: what to hand to a token or a key service that keeps the private key.

    Raises:
        SignedDocumentError: the payload is no JSON that ``parse_json`` reads, or no object.
    """
    name = payload_type(kind)
    if type(parse_json(payload)) is not dict:
        raise refusal("type", f"the payload of a {kind} has the wrong type", expected="a JSON object")
    return pae(name, payload)


def sign(payload: bytes, kind: Kind, private_keys: Iterable[Ed25519PrivateKey]) -> bytes:
    """An envelope signed with every key given.

    Raises:
        SignedDocumentError: the payload is no JSON object that a reader would take; or it is too large.
        ValueError: no key, or more than 16.
    """
    message = signed_bytes(payload, kind)
    return _sealed(payload, kind, {PublicKey.of(key): key.sign(message) for key in private_keys})


def seal(payload: bytes, kind: Kind, signatures: Mapping[PublicKey, bytes]) -> bytes:
    """An envelope of signatures that were made elsewhere, of ``signed_bytes(payload, kind)``; each is checked.

    Raises:
        SignedDocumentError: a signature does not fit its key; or the envelope is too large.
        ValueError: no signature, or more than 16.
    """
    message = signed_bytes(payload, kind)
    for key, signature in signatures.items():
        if not key.fits(signature, message):
            raise _misfit(key.keyid, kind)
    return _sealed(payload, kind, signatures)


def _sealed(payload: bytes, kind: Kind, signatures: Mapping[PublicKey, bytes]) -> bytes:
    if not 1 <= len(signatures) <= SIGNATURES:
        raise ValueError(f"an envelope has 1 to {SIGNATURES} signatures, not {len(signatures)}")
    envelope = _written(Envelope(kind, payload, {key.keyid: made for key, made in signatures.items()}))
    if len(envelope) > SIZE:
        raise refusal(
            "too-large", f"the {kind} is too large", given=f"{len(envelope):,} bytes", expected=f"at most {SIZE:,}"
        )
    return envelope


def read_envelope(data: bytes) -> Envelope:
    """What an envelope says, without asking who signed it.

    Raises:
        SignedDocumentError: it is no envelope of this profile, byte for byte. The only error for any bytes whatever.
    """
    value = members(parse_json(data), "the envelope", required=("payload", "payloadType", "signatures"))
    kind = _kind(value["payloadType"])
    payload = decode_base64(_text(value["payload"], "the payload"), "the payload")
    signatures: dict[str, bytes] = {}
    last = ""
    listed = items(value["signatures"], "the list of signatures", least=0, most=SIGNATURES)
    if not listed:
        raise refusal("unsigned", f"nobody signed this {kind}", expected=f"1 to {SIGNATURES} signatures")
    for item in listed:
        keyid, signature = _signature(item)
        if keyid <= last:
            raise refusal(
                "signature-order",
                "the signatures are out of order, or one comes twice",
                given=f"{keyid[:8]}… after {last[:8]}…",
                expected="each keyid once, in ascending order",
            )
        signatures[keyid] = signature
        last = keyid
    envelope = Envelope(kind, payload, signatures)
    if _written(envelope) != data:
        raise refusal(
            "not-canonical",
            "the envelope is written in another way than the one way",
            expected='{"payload":"…","payloadType":"…","signatures":[{"keyid":"…","sig":"…"}]}, no spaces or escapes',
            fix="use the document as it was received; something has parsed it and written it again",
        )
    return envelope


def fitting(envelope: Envelope, keys: Iterable[PublicKey]) -> set[str]:
    """The ids of those keys that signed.

    A signature that hints at none of ``keys`` is left aside: others may sign too. One that hints at a key and does not
    fit it is an error; it does not count for any other key.

    Raises:
        SignedDocumentError: ``signature``.
    """
    message = pae(payload_type(envelope.kind), envelope.payload)
    found = set()
    for key in keys:
        signature = envelope.signatures.get(key.keyid)
        if signature is None or key.keyid in found:
            continue
        if not key.fits(signature, message):
            raise _misfit(key.keyid, envelope.kind)
        found.add(key.keyid)
    return found


def verify(
    envelope: bytes,
    kind: Kind,
    keys: Collection[PublicKey],
    threshold: int = 1,
    *,
    others: Mapping[str, Collection[PublicKey]] | None = None,
) -> bytes:
    """The payload of an envelope, if enough of ``keys`` signed it as a document of this kind.

    Args:
        envelope: its bytes, as ``dearmor`` or ``sign`` return them.
        kind: what it has to be.
        keys: who may sign. The same key twice counts once.
        threshold: how many different ones of them have to.
        others: keys that do **not** count, under names for the error, e.g. ``{"the test keys": …}``: so that somebody
            with a test license at a product that is for sale reads just that.

    Returns:
        The bytes that were signed; parse these and nothing else.

    Raises:
        SignedDocumentError: anything else. Of this function itself: ``wrong-kind``, ``signature``, ``other-key``,
            ``untrusted`` (none of ``keys`` signed), ``threshold`` (too few did).
        ValueError: ``threshold`` is no positive number: a mistake of the caller, not of the document.
    """
    if type(threshold) is not int or threshold < 1:
        raise ValueError(f"a threshold is at least 1, not {threshold!r}")
    payload_type(kind)
    found = read_envelope(envelope)
    if found.kind != kind:
        raise wrong_kind(found.kind, kind)
    signers = fitting(found, keys)
    if len(signers) >= threshold:
        return found.payload
    if signers:
        raise refusal(
            "threshold",
            f"too few signed this {kind}",
            given=f"{len(signers)} of those who may",
            expected=f"{threshold} of {len({key.keyid for key in keys})}",
        )
    for name, strangers in (others or {}).items():
        if fitting(found, strangers):
            raise refusal(
                "other-key",
                f"this {kind} is signed with {name}, which do not count here",
                given=_hints(found),
                expected=f"a signature by {_keys(keys)}",
                fix=f"ask whoever issued it for a {kind} signed with the right key",
            )
    raise refusal(
        "untrusted",
        f"nobody who may sign a {kind} has signed this one",
        given=f"signatures by {_hints(found)}",
        expected=f"a signature by {_keys(keys)}",
        fix="check that it comes from the vendor of this product; a newer version may know newer keys",
    )


def wrong_kind(given: str, expected: Kind) -> SignedDocumentError:
    """The error for a document that is whole, and another one than was asked for."""
    return refusal(
        "wrong-kind",
        f"this is another kind of document than a {expected}",
        given=f"a document of the kind {given}",
        expected=f"a document of the kind {expected}",
        fix=f"give the file whose first line is -----BEGIN TUNESMITH {expected.upper().replace('-', ' ')}-----",
    )


def _misfit(keyid: str, kind: str) -> SignedDocumentError:
    return refusal(
        "signature",
        f"a signature does not fit this {kind}: it was changed after signing, or is not by that key",
        given=f"the signature of key {keyid[:16]}…",
        expected="the document exactly as it was signed",
        fix="fetch or copy the document once more, whole",
    )


def _kind(value: object) -> Kind:
    found = _text(value, "the payloadType")
    for kind in KINDS:
        if found == payload_type(kind):
            return kind
    name, _, version = found.removeprefix(_FAMILY).partition(".v")
    if found.startswith(_FAMILY) and version:
        raise refusal(
            "newer-format",
            "this document is of a kind or a version that is not known here",
            given=shown(f"{name}, version {version.removesuffix('+json')}"),
            expected=f"version 1 of {', '.join(KINDS)}",
            fix="a newer release may read it",
        )
    raise refusal(
        "wrong-kind", "this is no document of Tunesmith's", given=shown(found), expected=payload_type("license")
    )


def _signature(item: object) -> tuple[str, bytes]:
    value = members(item, "a signature", required=("keyid", "sig"))
    keyid = _text(value["keyid"], "a keyid")
    if len(keyid) != 64 or not _HEX.issuperset(keyid):
        raise refusal(
            "value",
            "a keyid is no hash of a key",
            given=f"{len(keyid):,} characters",
            expected="64 hexadecimal digits in lower case: SHA-256 of the 32 bytes of the public key",
        )
    signature = decode_base64(_text(value["sig"], "a signature"), "a signature")
    if len(signature) != SIGNATURE:
        raise refusal(
            "signature",
            "a signature has the wrong length",
            given=f"{len(signature)} bytes",
            expected=f"{SIGNATURE} bytes",
        )
    return keyid, signature


def _text(value: object, where: str) -> str:
    if type(value) is not str:
        raise refusal("type", f"{where} has the wrong type", expected="a text")
    return value


def _written(envelope: Envelope) -> bytes:
    """The one writing. Nothing in it needs an escape: base64, hexadecimal digits and our own names."""
    signatures = ",".join(
        f'{{"keyid":"{keyid}","sig":"{encode_base64(signature)}"}}'
        for keyid, signature in sorted(envelope.signatures.items())
    )
    return (
        f'{{"payload":"{encode_base64(envelope.payload)}",'
        f'"payloadType":"{payload_type(envelope.kind)}","signatures":[{signatures}]}}'
    ).encode("ascii")


def _hints(envelope: Envelope) -> str:
    return ", ".join(f"{keyid[:16]}…" for keyid in envelope.signatures)


def _keys(keys: Collection[PublicKey]) -> str:
    return ", ".join(sorted({f"{key.keyid[:16]}…" for key in keys})) or "nobody: no key is trusted here"
