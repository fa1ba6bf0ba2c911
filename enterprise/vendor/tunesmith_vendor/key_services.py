# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Keys of Ed25519 in the key services of AWS and Google.

securesystemslib's signers for these two hash first, and know RSA and ECDSA (Google's also ML-DSA). Ed25519 signs the
message itself, so it is sent whole: AWS takes 4,096 bytes at most, Google 64 KiB. A license, a pool or a root is
smaller; a long list of revocations may not be, so keep the key for those elsewhere than with AWS. Credentials come from
the environment as these libraries find them, and are no affair of the desk's.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey

from tunesmith_vendor.errors import VendorError

__all__ = ["AWS_LARGEST", "AwsSigner", "GoogleSigner"]

AWS_LARGEST: Final = 4096
"""Bytes that AWS signs without having them hashed first."""
_GOOGLE_LARGEST: Final = 64 << 10


class _ServiceSigner(Signer):
    """A key of which the service knows the private half."""

    SCHEME = ""

    def __init__(self, name: str, public_key: SSlibKey) -> None:
        self._name, self._public_key, self._client = name, public_key, self.client()

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> _ServiceSigner:
        if not isinstance(public_key, SSlibKey):
            raise ValueError(f"{cls.SCHEME}: needs the public key")
        return cls(priv_key_uri.removeprefix(f"{cls.SCHEME}:"), public_key)

    @property
    def public_key(self) -> SSlibKey:
        return self._public_key

    @staticmethod
    @abstractmethod
    def client() -> Any:
        """The service's own client, with the credentials of the environment.

        Raises:
            UnsupportedLibraryError: its package is not installed.
        """


class AwsSigner(_ServiceSigner):
    """AWS KMS: a key of the spec ECC_NIST_EDWARDS25519, signing with ED25519_SHA_512 over the raw message."""

    SCHEME = "awskms"

    @staticmethod
    def client() -> Any:
        try:
            import boto3
        except ImportError:
            raise UnsupportedLibraryError("boto3 required: install tunesmith-vendor[aws]") from None
        return boto3.client("kms")

    def sign(self, payload: bytes) -> Signature:
        if len(payload) > AWS_LARGEST:
            raise _too_large("AWS KMS", len(payload), AWS_LARGEST)
        answer = self._client.sign(
            KeyId=self._name, Message=payload, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512"
        )
        return Signature(self.public_key.keyid, answer["Signature"].hex())

    @classmethod
    def fetch_public_key(cls, uri: str) -> object:
        """The public half, as ``cryptography`` has it."""
        answer = cls.client().get_public_key(KeyId=uri.removeprefix(f"{cls.SCHEME}:"))
        return load_der_public_key(answer["PublicKey"])


class GoogleSigner(_ServiceSigner):
    """Google Cloud KMS: a key version of the algorithm EC_SIGN_ED25519, which takes data and no digest."""

    SCHEME = "gcpkms"

    @staticmethod
    def client() -> Any:
        try:
            from google.cloud import kms
        except ImportError:
            raise UnsupportedLibraryError("google-cloud-kms required: install tunesmith-vendor[gcp]") from None
        return kms.KeyManagementServiceClient()

    def sign(self, payload: bytes) -> Signature:
        if len(payload) > _GOOGLE_LARGEST:
            raise _too_large("Google Cloud KMS", len(payload), _GOOGLE_LARGEST)
        answer = self._client.asymmetric_sign(request={"name": self._name, "data": payload})
        return Signature(self.public_key.keyid, answer.signature.hex())

    @classmethod
    def fetch_public_key(cls, uri: str) -> object:
        """The public half, as ``cryptography`` has it."""
        answer = cls.client().get_public_key(request={"name": uri.removeprefix(f"{cls.SCHEME}:")})
        return load_pem_public_key(answer.pem.encode("ascii"))


def _too_large(service: str, size: int, most: int) -> VendorError:
    return VendorError(
        f"{service} signs no document as large as this",
        given=f"{size:,} bytes",
        expected=f"at most {most:,}: Ed25519 signs the document itself, and not a digest",
        fix="keep the key for such documents in a file or a token",
    )
