# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Signing with a key of the register, wherever its private half is kept.

The signers are securesystemslib's, found by the scheme of a URI. What it cannot do, and this format needs, is added to
its table here: an encrypted file, and Ed25519 in PKCS#11 tokens and in the key services that have it. Everything is
signed with Ed25519, so a service without it cannot hold a key of ours, whatever else it can.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import (
    ED25519,
    KEY_TYPE_ED25519,
    SIGNER_FOR_URI_SCHEME,
    CryptoSigner,
    Key,
    SecretsHandler,
    Signer,
    SSlibKey,
)

from tunesmith.errors import TunesmithError
from tunesmith.licensing import PublicKey
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.key_files import read_pem
from tunesmith_vendor.key_services import AwsSigner, GoogleSigner
from tunesmith_vendor.passphrases import Ask
from tunesmith_vendor.register import KeyEntry
from tunesmith_vendor.tokens import TokenSigner

__all__ = [
    "SCHEMES",
    "WITHOUT_ED25519",
    "PemSigner",
    "check_uri",
    "open_signer",
    "public_key_of",
    "sslib_key",
    "trouble",
]

SCHEMES: Final = {
    "pkcs8": "an encrypted file: pkcs8:keys/NAME.pem, or an absolute path",
    "pkcs11": "a token or HSM: pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/…/module.so",
    "awskms": "AWS Key Management Service: awskms:alias/NAME, or the id or ARN of the key",
    "gcpkms": "Google Cloud KMS: gcpkms:projects/…/cryptoKeyVersions/1",
    "hv": "the transit engine of HashiCorp Vault or OpenBao: hv:NAME/VERSION",
}
"""Where a key can be kept, by the scheme of its URI."""

WITHOUT_ED25519: Final = {
    "azurekms": "Azure Key Vault holds RSA and ECDSA keys, none of Ed25519",
    "hsm": "this scheme of securesystemslib's signs with ECDSA only; write the token's key as pkcs11:…",
    "file2": "files of this scheme are not encrypted; take them in with `key import --pem`",
    "gnupg": "an OpenPGP signature signs other bytes than ours",
}


class PemSigner(CryptoSigner):
    """securesystemslib's signer for private keys in memory, read from an encrypted file."""

    SCHEME = "pkcs8"

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> CryptoSigner:
        if not isinstance(public_key, SSlibKey) or secrets_handler is None:
            raise ValueError(f"{cls.SCHEME}: needs the public key and somebody to ask for the passphrase")
        path = Path(priv_key_uri.removeprefix(f"{cls.SCHEME}:"))
        try:
            pem = path.read_bytes()
        except OSError as error:
            raise VendorError(
                "the file of a key cannot be read",
                given=f"{path}: {error.strerror}",
                fix="is the medium plugged in? else fetch the file from its backup",
            ) from None
        return cls(read_pem(pem, secrets_handler("passphrase"), f"the key in {path.name}"), public_key)


SIGNER_FOR_URI_SCHEME.update({signer.SCHEME: signer for signer in (PemSigner, TokenSigner, AwsSigner, GoogleSigner)})


def check_uri(uri: str) -> str:
    """The scheme of a URI that a key of ours can be kept under.

    Raises:
        VendorError: nothing is known under it, or what is has no Ed25519; or it holds a PIN.
    """
    scheme, colon, rest = uri.partition(":")
    if scheme in WITHOUT_ED25519:
        raise VendorError(
            "no key of Ed25519 can be kept there, and documents are signed with nothing else",
            given=f"{scheme}: {WITHOUT_ED25519[scheme]}",
            expected=f"one of {', '.join(SCHEMES)}",
        )
    if not colon or not rest or scheme not in SCHEMES:
        raise VendorError("this names no place for a key", given=uri, expected="; ".join(SCHEMES.values()))
    if "pin-value" in rest or "pin-source" in rest:
        raise VendorError(
            "a PIN does not belong into the register",
            given="a URI with pin-value or pin-source",
            expected="the URI without it; the PIN is asked for, or read from --passphrase-file",
        )
    return scheme


def sslib_key(public: PublicKey) -> SSlibKey:
    """A public key as securesystemslib has them."""
    return SSlibKey(public.keyid, KEY_TYPE_ED25519, ED25519, {"public": public.raw.hex()})


def open_signer(entry: KeyEntry, folder: Path, ask: Ask) -> Callable[[bytes], bytes]:
    """Signs with a key; each signature is checked before it is given out.

    Args:
        folder: of the desk, from which relative paths of key files count.
        ask: for the passphrase or the PIN.
    """
    if not entry.here:
        raise VendorError(
            f"the private half of the key {entry.name} is kept elsewhere",
            given="a key whose public half was taken in",
            fix="sign where it is kept: a draft of a root can be carried there and back",
        )
    scheme = check_uri(entry.uri)
    rest = entry.uri.removeprefix(f"{scheme}:")
    uri = f"{scheme}:{folder / rest}" if scheme == PemSigner.SCHEME else entry.uri
    try:
        signer = Signer.from_priv_key_uri(uri, sslib_key(entry.public), lambda _: ask(entry.name))
    except Exception as error:
        raise trouble(entry.name, scheme, "opened", error) from error

    def signed(message: bytes) -> bytes:
        try:
            signature = bytes.fromhex(signer.sign(message).signature)
        except Exception as error:
            raise trouble(entry.name, scheme, "used", error) from error
        if not entry.public.fits(signature, message):
            raise VendorError(
                f"what the place of the key {entry.name} signed does not fit its public half",
                given=f"a signature of {len(signature)} bytes from {scheme}:",
                expected=f"one of key {entry.public.keyid[:16]}…",
                fix="has the key been replaced there? take the new one in under a new name",
            )
        return signature

    return signed


def trouble(name: str, scheme: str, doing: str, error: Exception) -> TunesmithError:
    """What to raise when the place of a key says no, in whatever words it has for that.

    Args:
        doing: "opened", "used", "found": what could not be done with the key.
    """
    if isinstance(error, TunesmithError):
        return error
    if isinstance(error, (UnsupportedLibraryError, ImportError)):
        fix = "install what this place needs: see the extras of tunesmith-vendor"
    elif "pin" in type(error).__name__.lower():
        fix = "look at the PIN before trying again: many tokens lock themselves after three wrong ones"
    else:
        fix = "look where it is kept: is the token plugged in, the service reachable, the account right?"
    return VendorError(
        f"the key {name} could not be {doing}",
        given=f"{type(error).__name__}: {str(error)[:300] or 'no word about why'}",
        expected=f"a key of Ed25519 in {scheme}:",
        fix=fix,
    )


def public_key_of(found: object) -> PublicKey:
    """Our public key of one of ``cryptography``'s.

    Raises:
        VendorError: it is of another kind than Ed25519.
        SignedDocumentError: it is one that nobody may trust.
    """
    if not isinstance(found, Ed25519PublicKey):
        raise VendorError(
            "this is a key of another kind",
            given=type(found).__name__.removesuffix("PublicKey").lstrip("_"),
            expected="Ed25519: documents are signed with nothing else",
        )
    return PublicKey(found.public_bytes_raw())
