# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Private keys in files: what they are encrypted with, who can read them, and what is said when they cannot be."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.key_files import PRODUCTION, Cost, encrypted_pem, is_encrypted, new_private_key, read_pem

CHEAP = Cost(n=2, r=1, p=1)


def body(pem: bytes) -> bytes:
    return b64decode(b"".join(pem.splitlines()[1:-1]))


def test_production_parameters_are_those_that_owasp_names_and_openssl_reads() -> None:
    assert Cost(n=16384, r=8, p=5) == PRODUCTION
    assert 128 * PRODUCTION.n * PRODUCTION.r < 32 << 20, "OpenSSL reads nothing that needs more"
    made = body(encrypted_pem(new_private_key(), "six words that dice have drawn"))
    scrypt = bytes.fromhex("06092b06010401da47040b")
    assert scrypt in made, "the object identifier of scrypt"
    after = made.split(scrypt, 1)[1]
    assert b"\x02\x02\x40\x00\x02\x01\x08\x02\x01\x05\x02\x01\x20" in after, "n 16,384, r 8, p 5, 32 bytes of key"
    assert bytes.fromhex("060960864801650304012a") in made, "AES-256 in CBC"


@pytest.mark.parametrize("passphrase", ["six words that dice have drawn", "schlüssel mit ümläuten", "x" * 1000])
def test_a_key_reads_back_with_its_passphrase(passphrase: str) -> None:
    key = new_private_key()
    pem = encrypted_pem(key, passphrase, CHEAP)
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert read_pem(pem, passphrase, "the key").private_bytes_raw() == key.private_bytes_raw()
    other = load_pem_private_key(pem, passphrase.encode())  # another reader than ours
    assert isinstance(other, Ed25519PrivateKey)
    assert other.private_bytes_raw() == key.private_bytes_raw()


def test_openssl_reads_a_key_that_was_made_here(tmp_path: object) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the program openssl")
    key = new_private_key()
    done = subprocess.run(
        [openssl, "pkey", "-passin", "pass:six words", "-pubout"],
        input=encrypted_pem(key, "six words"),
        capture_output=True,
        check=False,
    )
    if done.returncode and b"scrypt" in done.stderr.lower() and b"unsupported" in done.stderr.lower():
        pytest.skip("this openssl was built without scrypt")
    assert done.returncode == 0, done.stderr
    assert done.stdout == key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_two_files_of_one_key_have_nothing_in_common() -> None:
    key = new_private_key()
    one, two = (body(encrypted_pem(key, "six words", CHEAP)) for _ in range(2))
    assert one[-64:] != two[-64:]
    assert key.private_bytes_raw() not in one


def test_a_wrong_passphrase_is_said_to_be_one_and_nothing_is_repeated_of_it() -> None:
    pem = encrypted_pem(new_private_key(), "six words", CHEAP)
    with pytest.raises(VendorError) as caught:
        read_pem(pem, "seven words", "the key issuer-1")
    assert "the key issuer-1 cannot be opened: the passphrase is wrong, or it is damaged" in str(caught.value)
    assert "seven words" not in str(caught.value)


def test_a_missing_and_a_needless_passphrase_are_told_apart() -> None:
    key = new_private_key()
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert not is_encrypted(plain)
    with pytest.raises(VendorError, match="the key is not encrypted"):
        read_pem(plain, "six words", "the key")
    closed = encrypted_pem(key, "six words", CHEAP)
    assert is_encrypted(closed)
    with pytest.raises(VendorError, match="the key is encrypted"):
        read_pem(closed, None, "the key")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.OpenSSH])
def test_keys_that_other_programs_wrote_are_read(form: PrivateFormat) -> None:
    key = new_private_key()
    pem = key.private_bytes(Encoding.PEM, form, NoEncryption())
    assert read_pem(pem, None, "the key").private_bytes_raw() == key.private_bytes_raw()
    if form is PrivateFormat.PKCS8:  # OpenSSH's own encryption needs bcrypt, which is not installed
        pem = key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"six words"))
        assert read_pem(pem, "six words", "the key").private_bytes_raw() == key.private_bytes_raw()


def test_a_key_of_another_kind_is_refused_by_its_name() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(VendorError) as caught:
        read_pem(pem, None, "the key")
    assert caught.value.given == "EC" or "Elliptic" in str(caught.value.given)
    assert "Ed25519: documents are signed with nothing else" in str(caught.value)


@pytest.mark.parametrize("junk", [b"", b"no key", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_key_is_refused(junk: bytes) -> None:
    with pytest.raises(VendorError, match="the key cannot be opened"):
        read_pem(junk, None, "the key")


def test_a_huge_file_is_not_read_as_a_key() -> None:
    with pytest.raises(VendorError, match="too large for a key"):
        read_pem(b"-" * (65 << 10), None, "the key")
