# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Orders: what to issue, put together from a plan of the desk, a file, and what was typed. The later ones win.

A plan is an order that names no customer; they stand in ``plans.toml`` of the desk, under their names. All three have
the same keys, which :data:`KEYS` lists.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import PublicKey, parse_json
from tunesmith.licensing.contents import BINDINGS, ENVIRONMENTS, Binding, Licensee, SubIssuer
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.files import read_bytes
from tunesmith_vendor.issuing.terms import after, moment

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["KEYS", "PLANS", "Order", "gather_order", "read_plans"]

PLANS: Final = "plans.toml"

KEYS: Final[Mapping[str, str]] = {
    "plan": "name of a plan of the desk",
    "customer": "id of the customer: 1 to 64 of a-z 0-9 . _ -",
    "customer_name": "the customer's name, for people; not needed for a customer that the ledger knows",
    "id": "of the license or pool; default: a random one",
    "edition": "a name for people",
    "environment": ", ".join(ENVIRONMENTS),
    "features": "codes of features, each with its limits: {distributed = {nodes = 4}}",
    "starts": "day or time; default: now",
    "expires": "day or time",
    "term": "length from the start, in the place of expires: 90d, 12m, 1y",
    "perpetual": "true: it never expires",
    "grace_days": "days after the end in which everything goes on; default 14",
    "maintenance_until": "day or time: builds made before stay licensed for ever",
    "maintenance": "length from the start, in the place of maintenance_until",
    "binding": '{kind = "domain", values = ["example.com"]}: ' + ", ".join(BINDINGS),
    "order": "number of the purchase",
    "replaces": "ids of licenses that do not count beside this one",
    "oem": "the right to issue: {product = …, keys = [base64 …], features = […]}",
    "activations": "how many installations may be activated; the license is signed for each of them",
    "seats": "of a pool: leases at the same time",
    "lease_seconds": "of a pool; default 300",
    "offline_hours": "of a pool; default 24",
    "borrow_days": "of a pool; default 0",
}

_POOL: Final = ("seats", "lease_seconds", "offline_hours", "borrow_days")
_LICENSE: Final = ("binding", "replaces", "oem", "activations")
# Each pair is two ways to say one thing: what a later source says takes the place of both.
_EITHER: Final = (("expires", "term", "perpetual"), ("maintenance_until", "maintenance"))


class Order:
    """The keys of an order, read one by one; every mistake says which key it is in."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def text(self, key: str) -> str | None:
        """A text; None: the key is not there."""
        value = self.values.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            raise _wrong(key, value)
        return value

    def needed(self, key: str) -> str:
        """A text that has to be there."""
        found = self.text(key)
        if found is None:
            raise VendorError(f"the order does not say its {key}", expected=KEYS[key])
        return found

    def number(self, key: str, default: int | None = None) -> int:
        """An integer, checked by the document that it goes into."""
        value = self.values.get(key, default)
        if type(value) is not int:
            if value is None:
                raise VendorError(f"the order does not say its {key}", expected=KEYS[key])
            raise _wrong(key, value)
        return value

    def features(self) -> dict[str, dict[str, int]]:
        """The features with their limits, checked by the document that they go into."""
        value = self.values.get("features")
        if not isinstance(value, dict) or not all(isinstance(limits, dict) for limits in value.values()):
            raise _wrong("features", value)
        return {code: dict(limits) for code, limits in value.items()}

    def starts(self, now: datetime) -> datetime:
        """When the term begins."""
        return moment(self.values["starts"], "starts") if "starts" in self.values else now

    def expires(self, start: datetime) -> datetime | None:
        """When the term ends; None: never. It has to be said in one of three ways.

        Raises:
            VendorError: it is said in none of them, or in several.
        """
        said = [key for key in _EITHER[0] if self.values.get(key) not in (None, False)]
        if len(said) != 1:
            raise VendorError(
                "the order has to say once when it ends",
                given=" and ".join(said) or "nothing",
                expected="one of expires, term, perpetual",
            )
        if said == ["perpetual"]:
            if self.values["perpetual"] is not True:
                raise _wrong("perpetual", self.values["perpetual"])
            return None
        return (
            moment(self.values["expires"], "expires")
            if said == ["expires"]
            else after(start, self.values["term"], "term")
        )

    def maintenance(self, start: datetime) -> datetime | None:
        """Until when builds stay licensed for ever; None: not at all."""
        if "maintenance_until" in self.values:
            return moment(self.values["maintenance_until"], "maintenance_until")
        return after(start, self.values["maintenance"], "maintenance") if "maintenance" in self.values else None

    def licensee(self, known: str | None) -> Licensee:
        """The customer; ``known`` is the name by which the ledger knows the id."""
        name = self.text("customer_name") or known
        if name is None:
            raise VendorError(
                "the ledger does not know this customer yet, and the order does not say the name",
                given=self.needed("customer"),
                expected="customer_name",
            )
        return Licensee(name, self.needed("customer"))

    def binding(self) -> Binding:
        """What it is bound to. Default: nothing."""
        value = self.values.get("binding")
        if value is None:
            return Binding()
        if not isinstance(value, dict) or not {"kind"} <= set(value) <= {"kind", "values"}:
            raise _wrong("binding", value)
        if value["kind"] not in BINDINGS:
            raise _wrong("binding", value["kind"])
        return Binding(value["kind"], _texts(value.get("values", []), "binding"))

    def replaces(self) -> tuple[str, ...]:
        return _texts(self.values.get("replaces", []), "replaces")

    def oem(self) -> SubIssuer | None:
        """The right to issue to one's own customers."""
        value = self.values.get("oem")
        if value is None:
            return None
        if not isinstance(value, dict) or set(value) != {"product", "keys", "features"}:
            raise _wrong("oem", value)
        keys = tuple(PublicKey.from_text(text, "a key of oem") for text in _texts(value["keys"], "oem"))
        if not isinstance(value["product"], str):
            raise _wrong("oem", value["product"])
        return SubIssuer(value["product"], keys, _texts(value["features"], "oem"))

    def activations(self) -> int | None:
        """How many installations may be activated; None: no activation is needed."""
        if "activations" not in self.values:
            return None
        count = self.number("activations")
        if not 1 <= count <= 64:
            raise VendorError(
                "the number of activations is out of range",
                given=count,
                expected="1 to 64, as one license names all its installations",
                fix="give a large customer a pool, or several licenses",
            )
        return count

    def refuse_keys(self, *, pool: bool) -> None:
        """No key that says nothing in this kind of document.

        Raises:
            VendorError: one does.
        """
        for key in _LICENSE if pool else _POOL:
            if key in self.values:
                raise VendorError(
                    f"{key} says nothing in a {'pool' if pool else 'license'}",
                    given=key,
                    fix="take it out of the order, or choose another plan",
                )


def gather_order(typed: Mapping[str, Any], file: Path | None, plans: Mapping[str, Mapping[str, Any]]) -> Order:
    """An order from its sources.

    Args:
        typed: what came from the command line; None is what was not typed.
        file: TOML or JSON; None: no file.
        plans: from their names to their keys.

    Raises:
        VendorError: a key that nobody reads, a plan that is not there, a file that cannot be read.
    """
    said = {key: value for key, value in typed.items() if value is not None}
    read = _read(file) if file is not None else {}
    for source, where in ((read, f"the file {file}"), (said, "the command")):
        _refuse_unknown(source, where)
    values = _over(read, said)
    name = values.pop("plan", None)
    if name is not None:
        if not isinstance(name, str) or name not in plans:
            raise VendorError(
                "the desk has no plan of this name",
                given=name if isinstance(name, str) else type(name).__name__,
                expected=", ".join(plans) or f"none: {PLANS} has no plan",
                fix=f"add it to {PLANS} in the folder of the desk",
            )
        values = _over(plans[name], values)
    return Order(values)


def read_plans(desk: Path) -> dict[str, dict[str, Any]]:
    """The plans of a desk; none if it has no ``plans.toml``.

    Raises:
        VendorError: the file cannot be read, or a plan has a key that nobody reads, or names a customer.
    """
    file = desk / PLANS
    if not file.exists():
        return {}
    plans = _read(file)
    for name, plan in plans.items():
        if not isinstance(plan, dict):
            raise VendorError(f"{PLANS} has something that is no plan", given=name, expected="a table: [name]")
        _refuse_unknown(plan, f"the plan {name}")
        for key in ("plan", "customer", "customer_name", "id", "order"):
            if key in plan:
                raise VendorError("a plan is for any customer and any order", given=f"{key} in the plan {name}")
    return plans


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {key for group in _EITHER if any(key in above for key in group) for key in group}
    return {**{key: value for key, value in below.items() if key not in hidden}, **above}


def _read(file: Path) -> dict[str, Any]:
    content = read_bytes(file, "the order" if file.name != PLANS else "the file of plans")
    form = "JSON" if file.suffix == ".json" else "TOML"
    try:
        found = parse_json(content) if form == "JSON" else tomllib.loads(content.decode("utf-8"))
    except (ValueError, SignedDocumentError) as error:
        why = error.what if isinstance(error, SignedDocumentError) else error
        raise VendorError(f"this file is no {form}", given=f"{file}: {why}") from None
    if not isinstance(found, dict):
        raise VendorError("this file holds no order", given=file, expected="keys and their values")
    return found


def _refuse_unknown(values: Mapping[str, Any], where: str) -> None:
    unknown = next((key for key in values if key not in KEYS), None)
    if unknown is not None:
        raise VendorError(f"{where} has a key that nobody reads", given=ascii(unknown), expected=", ".join(KEYS))


def _texts(value: object, key: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise _wrong(key, value)
    return tuple(value)


def _wrong(key: str, value: object) -> VendorError:
    shown = ascii(value) if isinstance(value, str) else "nothing" if value is None else type(value).__name__
    return VendorError(f"{key} of the order is not as it has to be", given=shown, expected=KEYS[key])
