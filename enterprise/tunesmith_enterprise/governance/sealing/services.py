# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Keys that never leave their service: of AWS, of Google, of a Vault.

A file's data key is sent there to be wrapped or unwrapped, 32 bytes and never the file. It is bound to the file with
what the service has for that (an encryption context, additional authenticated data), and shows in the service's log.
Credentials come from the environment as these libraries find them, and are no affair of this package.
"""

from __future__ import annotations

from abc import abstractmethod
from base64 import b64decode, b64encode
from typing import Any, ClassVar, Final

from tunesmith_enterprise.governance.sealing.errors import SealKeyError
from tunesmith_enterprise.governance.sealing.keys import UnwrapError

__all__ = ["SERVICES", "AwsKey", "GoogleKey", "ServiceKey", "VaultKey", "service_key"]


class ServiceKey:
    """A key in a service; ``id`` is how settings and files name it: ``awskms:arn:aws:kms:…``."""

    scheme: ClassVar[str]
    extra: ClassVar[str]
    form: ClassVar[str]
    _made: Any = None

    def __init__(self, name: str) -> None:
        if not name or not name.isprintable() or not name.isascii():
            raise SealKeyError(
                f"{self.scheme}: names no key",
                given=f"{self.scheme}:{name[:200]}",
                expected=f"{self.scheme}:{self.form}",
            )
        self.name = name

    @property
    def id(self) -> str:
        """How files name it."""
        return f"{self.scheme}:{self.name}"

    def wrap(self, data_key: bytes, binding: bytes) -> bytes:
        """As :class:`SealKey`."""
        try:
            return self._encrypt(self._client, data_key, binding)
        except SealKeyError:
            raise
        except Exception as error:  # each service has a tree of its own
            raise self._failed(error) from error

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """As :class:`SealKey`."""
        try:
            return self._decrypt(self._client, wrapped, binding)
        except SealKeyError:
            raise
        except Exception as error:
            if self._is_not_its_own(error):
                raise UnwrapError from None
            raise self._failed(error) from error

    @property
    def _client(self) -> Any:
        if self._made is None:
            try:
                self._made = self._connect()
            except ImportError as error:
                raise SealKeyError(
                    f"keys of {self.scheme} need another package",
                    given=f"{self.id}, and {error.name or error} is not installed",
                    expected=f"tunesmith-enterprise[{self.extra}]",
                    fix=f'pip install "tunesmith-enterprise[{self.extra}]"',
                ) from None
        return self._made

    def _failed(self, error: Exception) -> SealKeyError:
        return SealKeyError(
            f"the key service of {self.scheme} did not do what it was asked for",
            given=f"{self.id}: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
            expected="the right to encrypt and decrypt with this key, and a service that answers",
            fix="check network, credentials and the policy of the key; no file was changed",
        )

    @staticmethod
    @abstractmethod
    def _connect() -> Any:
        """The service's own client."""

    @abstractmethod
    def _encrypt(self, client: Any, data_key: bytes, binding: bytes) -> bytes: ...

    @abstractmethod
    def _decrypt(self, client: Any, wrapped: bytes, binding: bytes) -> bytes: ...

    @staticmethod
    @abstractmethod
    def _is_not_its_own(error: Exception) -> bool:
        """The service says that it did not encrypt this, or not for this file."""


class AwsKey(ServiceKey):
    """AWS KMS: a symmetric key (docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html)."""

    scheme, extra, form = "awskms", "aws", "KEY_ARN"

    @staticmethod
    def _connect() -> Any:
        import boto3

        return boto3.client("kms")

    def _encrypt(self, client: Any, data_key: bytes, binding: bytes) -> bytes:
        answer = client.encrypt(KeyId=self.name, Plaintext=data_key, EncryptionContext=_context(binding))
        return bytes(answer["CiphertextBlob"])

    def _decrypt(self, client: Any, wrapped: bytes, binding: bytes) -> bytes:
        answer = client.decrypt(KeyId=self.name, CiphertextBlob=wrapped, EncryptionContext=_context(binding))
        return bytes(answer["Plaintext"])

    @staticmethod
    def _is_not_its_own(error: Exception) -> bool:
        told = getattr(error, "response", {}).get("Error", {}).get("Code")
        return told in ("InvalidCiphertextException", "IncorrectKeyException")


class GoogleKey(ServiceKey):
    """Google Cloud KMS: a key of the purpose ENCRYPT_DECRYPT (cloud.google.com/kms/docs/encrypt-decrypt)."""

    scheme, extra, form = "gcpkms", "gcp", "projects/…/locations/…/keyRings/…/cryptoKeys/…"

    @staticmethod
    def _connect() -> Any:
        from google.cloud import kms

        return kms.KeyManagementServiceClient()

    def _encrypt(self, client: Any, data_key: bytes, binding: bytes) -> bytes:
        asked = {"name": self.name, "plaintext": data_key, "additional_authenticated_data": binding}
        return bytes(client.encrypt(request=asked).ciphertext)

    def _decrypt(self, client: Any, wrapped: bytes, binding: bytes) -> bytes:
        asked = {"name": self.name, "ciphertext": wrapped, "additional_authenticated_data": binding}
        return bytes(client.decrypt(request=asked).plaintext)

    @staticmethod
    def _is_not_its_own(error: Exception) -> bool:
        return type(error).__name__ == "InvalidArgument"  # of google.api_core, which is there only where this runs


class VaultKey(ServiceKey):
    """A Vault's transit engine (developer.hashicorp.com/vault/api-docs/secret/transit): ``vault:MOUNT/KEY``."""

    scheme, extra, form = "vault", "vault", "MOUNT/KEY, e.g. vault:transit/models"

    @staticmethod
    def _connect() -> Any:
        import hvac

        return hvac.Client()

    def _encrypt(self, client: Any, data_key: bytes, binding: bytes) -> bytes:
        asked = {"plaintext": _base64(data_key), "associated_data": _base64(binding)}
        answer = client.secrets.transit.encrypt_data(name=self._key, mount_point=self._mount, **asked)
        return str(answer["data"]["ciphertext"]).encode("ascii")

    def _decrypt(self, client: Any, wrapped: bytes, binding: bytes) -> bytes:
        asked = {"ciphertext": wrapped.decode("ascii"), "associated_data": _base64(binding)}
        answer = client.secrets.transit.decrypt_data(name=self._key, mount_point=self._mount, **asked)
        return b64decode(answer["data"]["plaintext"])

    @property
    def _mount(self) -> str:
        return self.name.rpartition("/")[0] or "transit"

    @property
    def _key(self) -> str:
        return self.name.rpartition("/")[2]

    @staticmethod
    def _is_not_its_own(error: Exception) -> bool:
        return type(error).__name__ == "InvalidRequest"  # of hvac, which is there only where this runs


SERVICES: Final[dict[str, type[ServiceKey]]] = {one.scheme: one for one in (AwsKey, GoogleKey, VaultKey)}


def service_key(name: str) -> ServiceKey | None:
    """The key that ``SCHEME:NAME`` names; ``None``: it names none of a service.

    Raises:
        SealKeyError: the name is empty.
    """
    scheme, colon, rest = name.partition(":")
    return SERVICES[scheme](rest) if colon and scheme in SERVICES else None


def _context(binding: bytes) -> dict[str, str]:
    return {"tunesmith-sealed-file": binding.hex()}


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
