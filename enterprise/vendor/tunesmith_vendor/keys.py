# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Keys come to a desk: made here, taken in from a file, known by their public half, or kept by a token or service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import PublicKey
from tunesmith.licensing.trust import RoleName
from tunesmith_vendor.desk import Desk, utc_now
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.files import read_bytes, write_new_file
from tunesmith_vendor.key_files import encrypted_pem, is_encrypted, new_private_key, read_pem
from tunesmith_vendor.passphrases import Ask
from tunesmith_vendor.register import ELSEWHERE, KeyEntry
from tunesmith_vendor.signers import check_uri, open_signer, public_key_of, trouble

__all__ = ["fetch_public_key", "import_pem", "import_public", "import_uri", "make_key", "public_pem", "read_public"]


def make_key(desk: Desk, name: str, role: RoleName, passphrase: Callable[[str], str]) -> KeyEntry:
    """A new key in an encrypted file of the desk, and its public half beside it.

    Args:
        passphrase: from the name of the key to its new passphrase.
    """
    return _keep_private(desk, name, role, new_private_key, passphrase)


def import_pem(
    desk: Desk, name: str, role: RoleName, path: Path, ask: Ask, passphrase: Callable[[str], str]
) -> KeyEntry:
    """A private key from a file, which stays where it is; the desk's copy is encrypted.

    Args:
        ask: for the passphrase that the file has, if it has one.
        passphrase: from the name of the key to the passphrase that the desk's copy gets.
    """
    pem = read_bytes(path, "the key file")
    key = read_pem(pem, ask(name) if is_encrypted(pem) else None, f"the key in {path}")
    return _keep_private(desk, name, role, lambda: key, passphrase)


def import_public(desk: Desk, name: str, role: RoleName, public: PublicKey) -> KeyEntry:
    """A key that somebody else keeps: it can be named in a root, and signs elsewhere."""
    return _enter(desk, KeyEntry(name, role, public, utc_now(), ELSEWHERE))


def import_uri(desk: Desk, name: str, role: RoleName, uri: str, public: PublicKey, ask: Ask) -> KeyEntry:
    """A key that a token or a key service keeps. It signs once, so that one which cannot is found out now."""
    entry = KeyEntry(name, role, public, utc_now(), uri)
    desk.register().adding(entry)
    open_signer(entry, desk.folder, ask)(b"tunesmith-vendor: does this key sign?")
    return _enter(desk, entry)


def fetch_public_key(uri: str, name: str, ask: Ask) -> PublicKey:
    """The public half of a key, asked of the token or the service that keeps it."""
    from tunesmith_vendor.key_services import AwsSigner, GoogleSigner
    from tunesmith_vendor.tokens import public_key_in_token

    scheme = check_uri(uri)
    try:
        if scheme == "pkcs11":
            return public_key_in_token(uri, ask(name))
        if scheme in ("awskms", "gcpkms"):
            return public_key_of((AwsSigner if scheme == "awskms" else GoogleSigner).fetch_public_key(uri))
    except Exception as error:
        raise trouble(name, scheme, "found", error) from error
    raise VendorError(
        f"the public half of a key in {scheme}: has to be given",
        given="no --public",
        expected="--public FILE beside --uri",
        fix="export it where the key is kept, as PEM or as base64",
    )


def read_public(path: Path) -> PublicKey:
    """The public key of a file: PEM (``PUBLIC KEY``), or the base64 that ``key status`` shows, on a line of its own."""
    content = read_bytes(path, "the public key")
    if b"PRIVATE KEY" in content:
        raise VendorError(
            "this file holds a private key, and only its public half was asked for",
            given=path,
            fix="whoever sent it has to make a new key: this one has been on the way",
        )
    try:
        if b"-----BEGIN" in content:
            return public_key_of(load_pem_public_key(content))
        return PublicKey.from_text(content.decode("ascii").strip())
    except (ValueError, SignedDocumentError) as error:
        raise VendorError(
            "this file holds no public key that may be trusted",
            given=f"{path}: {error.what if isinstance(error, SignedDocumentError) else 'no PEM and no base64'}",
            expected="a public key of Ed25519 as PEM, or its 32 bytes as base64",
        ) from None


def public_pem(public: PublicKey) -> bytes:
    """A public key as PEM, for other programs."""
    return Ed25519PublicKey.from_public_bytes(public.raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _keep_private(
    desk: Desk, name: str, role: RoleName, key: Callable[[], Ed25519PrivateKey], passphrase: Callable[[str], str]
) -> KeyEntry:
    private = key()
    entry = KeyEntry(name, role, PublicKey.of(private), utc_now(), f"pkcs8:keys/{name}.pem")
    desk.register().adding(entry)  # what is wrong with the name is said before anybody types a passphrase
    pem = encrypted_pem(private, passphrase(name), desk.cost)
    with desk.changing():
        register = desk.register().adding(entry)
        write_new_file(desk.key_folder / f"{name}.pem", pem)
        write_new_file(desk.key_folder / f"{name}.pub.pem", public_pem(entry.public), mode=0o644)
        desk.keep(register)
    return entry


def _enter(desk: Desk, entry: KeyEntry) -> KeyEntry:
    with desk.changing():
        register = desk.register().adding(entry)
        desk.keep(register)
    return entry
