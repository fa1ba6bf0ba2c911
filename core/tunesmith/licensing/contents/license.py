# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a license says: for whom, what, how much, where, and from when until when. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, get_args

from tunesmith.licensing.contents.parts import begin, identifier, names, one_of, written
from tunesmith.licensing.contents.terms import OPTIONAL, REQUIRED, Terms, read_terms
from tunesmith.licensing.fields import items, members, text
from tunesmith.licensing.keys import PublicKey
from tunesmith.licensing.reasons import refusal

__all__ = ["BINDINGS", "Binding", "Bound", "License", "SubIssuer", "parse_license"]

Bound = Literal["none", "install-id", "cluster-id", "domain", "oem"]
BINDINGS: Final[tuple[Bound, ...]] = get_args(Bound)

_REQUIRED: Final = (*REQUIRED, "license_id", "binding")
_OPTIONAL: Final = (*OPTIONAL, "order", "replaces", "oem", "under")
_KNOWN: Final = frozenset({"schema", "critical", *_REQUIRED, *_OPTIONAL})


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a license may be used.

    Attributes:
        kind: ``none``: anywhere; ``install-id``: in installations that were activated with it; ``cluster-id``: in
            clusters of these ids; ``domain``: on machines of these domains; ``oem``: inside products of these names.
        values: the ids, domains or names; empty with ``none``.
    """

    kind: Bound = "none"
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SubIssuer:
    """The right to issue licenses to one's own customers.

    Attributes:
        product: inside which product those may be used.
        keys: who may sign them.
        features: what they may contain, at most; their limits are those of the license that gives the right.
    """

    product: str
    keys: tuple[PublicKey, ...]
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class License(Terms):
    """A license: its terms, and

    Attributes:
        license_id: stays the same when it is issued anew.
        binding: where it may be used.
        order: the vendor's or the customer's number of the purchase.
        replaces: ids of licenses that do not count beside this one.
        oem: may issue licenses to others.
        under: the id of the license that lets its issuer issue this one; None: the vendor's own.
        critical: fields that a reader must know, or refuse the license.
        extra: fields that are not known here.
    """

    kind: ClassVar[Literal["license"]] = "license"

    license_id: str
    binding: Binding = Binding()
    order: str | None = None
    replaces: tuple[str, ...] = ()
    oem: SubIssuer | None = None
    under: str | None = None
    critical: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``license_id``, by the name that it has in a pool too."""
        return self.license_id

    def payload(self) -> bytes:
        """The payload to sign; what :func:`parse_license` reads.

        Raises:
            ValueError: ``extra`` holds a field that has an attribute of its own.
        """
        twice = sorted(_KNOWN.intersection(self.extra))
        if twice:
            raise ValueError(f"extra is for fields that are not known; these are attributes: {', '.join(twice)}")
        oem = self.oem and {
            "product": self.oem.product,
            "keys": [key.text for key in self.oem.keys],
            "features": self.oem.features,
        }
        return written(
            {
                "schema": 1,
                "license_id": self.license_id,
                **self._terms(),
                "order": self.order,
                "binding": {"kind": self.binding.kind, "values": self.binding.values or None},
                "replaces": self.replaces or None,
                "oem": oem,
                "under": self.under,
                "critical": self.critical or None,
                **self.extra,
            }
        )


def parse_license(payload: bytes) -> License:
    """The license of a payload. Call it with what ``verify`` returned, or for showing only.

    Raises:
        SignedDocumentError: a field is missing, of another type, or of a value that makes no sense; one that is marked
            critical is not known here.
    """
    value = begin(payload, "the license", required=_REQUIRED, optional=_OPTIONAL, lenient=True)
    found = License(
        **read_terms(value, "the license"),
        license_id=identifier(value["license_id"], "the license's id"),
        binding=_binding(value["binding"]),
        order=text(value["order"], "the order") if value.get("order") is not None else None,
        replaces=names(value["replaces"], "the licenses that it replaces") if "replaces" in value else (),
        oem=_sub_issuer(value["oem"]) if value.get("oem") is not None else None,
        under=identifier(value["under"], "the license it is under") if value.get("under") is not None else None,
        critical=names(value["critical"], "the critical fields of the license") if "critical" in value else (),
        extra={name: item for name, item in value.items() if name not in _KNOWN},
    )
    if found.environment == "trial" and found.expires_at is None:
        raise refusal("value", "a trial has no end", expected="expires_at")
    if found.oem is not None and found.under is not None:
        raise refusal(
            "value", "a license from a sub-issuer lets others issue in turn", expected="oem or under, not both"
        )
    if found.under is not None and found.binding.kind == "none":
        raise refusal(
            "value",
            "a license from a sub-issuer may be used anywhere",
            given="the binding none",
            expected="the binding oem, with the name of the product",
        )
    return found


def _binding(value: object) -> Binding:
    found = members(value, "the binding", required=("kind",), optional=("values",))
    kind: Bound = one_of(found["kind"], BINDINGS, "the kind of the binding")
    if kind == "none":
        if "values" in found:
            raise refusal("value", "a license that is bound to nothing lists to what", expected="no values")
        return Binding()
    listed = items(found.get("values"), "what the license is bound to", least=1, most=64)
    return Binding(kind, tuple(text(item, "what the license is bound to") for item in listed))


def _sub_issuer(value: object) -> SubIssuer:
    found = members(value, "the right to issue", required=("product", "keys", "features"))
    keys = []
    for item in items(found["keys"], "the keys of the sub-issuer", least=1, most=16):
        if type(item) is not str:
            raise refusal("type", "a key of the sub-issuer has the wrong type", expected="base64 text")
        keys.append(PublicKey.from_text(item, "a key of the sub-issuer"))
    return SubIssuer(
        identifier(found["product"], "the sub-issuer's product"),
        tuple(keys),
        names(found["features"], "the features that it may issue", least=1),
    )
