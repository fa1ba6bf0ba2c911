# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What activations say: an installation asks for a license that is bound to it, by file, and the vendor answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from tunesmith.licensing.contents.parts import LIMIT, begin, identifier, one_of, point, written
from tunesmith.licensing.envelope import read_envelope, verify
from tunesmith.licensing.fields import integer, text
from tunesmith.licensing.keys import PublicKey
from tunesmith.licensing.reasons import refusal

__all__ = [
    "ActivationRequest",
    "ActivationResponse",
    "Asked",
    "parse_activation_request",
    "parse_activation_response",
    "read_activation_request",
]

Asked = Literal["activate", "deactivate"]
_ASKED: Final = ("activate", "deactivate")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationRequest:
    """What an installation asks for, signed with a key of its own.

    Attributes:
        asks: ``activate``: a license for it; ``deactivate``: it has given up the license.
        product: for which product.
        license_id: of the license that was bought.
        install_id: random, made once for the installation.
        key: the installation's public key.
        nonce: random; the answer repeats it.
        made_at: aware, UTC.
        label: what people call this installation; None: nobody said.
    """

    asks: Asked
    product: str
    license_id: str
    install_id: str
    key: PublicKey
    nonce: str
    made_at: datetime
    label: str | None = None

    def payload(self) -> bytes:
        """The payload to sign with the key's private half; what :func:`parse_activation_request` reads."""
        return written(
            {
                "schema": 1,
                "asks": self.asks,
                "product": self.product,
                "license_id": self.license_id,
                "install_id": self.install_id,
                "key": self.key.text,
                "nonce": self.nonce,
                "made_at": self.made_at,
                "label": self.label,
            }
        )


def parse_activation_request(payload: bytes) -> ActivationRequest:
    """The request of a payload.

    Raises:
        SignedDocumentError: it has another field, type or value than the format has.
    """
    value = begin(
        payload,
        "the request",
        required=("asks", "product", "license_id", "install_id", "key", "nonce", "made_at"),
        optional=("label",),
    )
    if type(value["key"]) is not str:
        raise refusal("type", "the key of the request has the wrong type", expected="base64 text")
    return ActivationRequest(
        asks=one_of(value["asks"], _ASKED, "what the request asks"),
        product=identifier(value["product"], "the product"),
        license_id=identifier(value["license_id"], "the license's id"),
        install_id=identifier(value["install_id"], "the installation's id"),
        key=PublicKey.from_text(value["key"], "the installation's key"),
        nonce=identifier(value["nonce"], "the nonce"),
        made_at=point(value["made_at"], "made_at of the request"),
        label=text(value["label"], "the label") if value.get("label") is not None else None,
    )


def read_activation_request(envelope: bytes) -> ActivationRequest:
    """The request of an envelope, which the key that it names must have signed: so whoever asks holds that key.

    Raises:
        SignedDocumentError: it is no request, or the key in it did not sign it.
    """
    request = parse_activation_request(read_envelope(envelope).payload)
    verify(envelope, "activation-request", [request.key])
    return request


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationResponse:
    """The vendor's answer; it travels in one file with the license that it speaks of.

    Attributes:
        product, install_id, nonce: of the request.
        license_id, serial: of the license.
        license_sha256: of the license's envelope.
        made_at: aware, UTC.
    """

    product: str
    install_id: str
    nonce: str
    license_id: str
    serial: int
    license_sha256: str
    made_at: datetime

    def payload(self) -> bytes:
        """The payload to sign; what :func:`parse_activation_response` reads."""
        return written(
            {
                "schema": 1,
                "product": self.product,
                "install_id": self.install_id,
                "nonce": self.nonce,
                "license_id": self.license_id,
                "serial": self.serial,
                "license_sha256": self.license_sha256,
                "made_at": self.made_at,
            }
        )


def parse_activation_response(payload: bytes) -> ActivationResponse:
    """The answer of a payload.

    Raises:
        SignedDocumentError: it has another field, type or value than the format has.
    """
    fields = ("product", "install_id", "nonce", "license_id", "serial", "license_sha256", "made_at")
    value = begin(payload, "the answer", required=fields)
    digest = value["license_sha256"]
    if type(digest) is not str or not _SHA256.fullmatch(digest):
        raise refusal(
            "type" if type(digest) is not str else "value",
            "the license's hash is none",
            expected="64 hexadecimal digits in lower case",
        )
    return ActivationResponse(
        product=identifier(value["product"], "the product"),
        install_id=identifier(value["install_id"], "the installation's id"),
        nonce=identifier(value["nonce"], "the nonce"),
        license_id=identifier(value["license_id"], "the license's id"),
        serial=integer(value["serial"], "the license's serial", least=1, most=LIMIT),
        license_sha256=digest,
        made_at=point(value["made_at"], "made_at of the answer"),
    )
