# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What usage reports say: what an installation has used, signed by it, for whoever asks. Nothing sends one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tunesmith.licensing.contents.parts import LIMIT, begin, identifier, in_order, point, written
from tunesmith.licensing.envelope import read_envelope, verify
from tunesmith.licensing.fields import integer, items, members, text
from tunesmith.licensing.keys import PublicKey
from tunesmith.licensing.reasons import refusal

__all__ = ["Metered", "UsageReport", "Used", "parse_usage_report", "read_usage_report"]

_COUNTS: Final = (
    "requests",
    "refused",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "runs",
    "steps",
    "seconds",
)
_MOST: Final = 2**53 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Use of one feature under one license.

    Attributes:
        feature: its code.
        license_id: of the license, or of the pool.
        jobs: how many times it was granted.
        most: the largest quantities of one job, e.g. ``{"gpus": 4}``.
    """

    feature: str
    license_id: str
    jobs: int
    most: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What one tenant has used.

    Attributes:
        tenant: its name, as those who ask know it; empty: of nobody in particular.
        requests: that were answered.
        refused: that ended with an error.
        prompt_tokens: read for them.
        cached_tokens: of these, found in a cache.
        completion_tokens: made for them.
        runs: jobs that ended.
        steps: of these jobs.
        seconds: that they took.
    """

    tenant: str = ""
    requests: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    runs: int = 0
    steps: int = 0
    seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """Use of an installation between two points in time.

    Attributes:
        product: of which product.
        install_id, key: of the installation.
        since, until, made_at: aware, UTC.
        used: in the order of feature and license.
        journal_entries, journal_head: length and last hash of the journal that it was counted from, so that two
            reports can be seen to be of one journal.
        metered: by tenant, in the order of their names; empty where nobody counts that.
    """

    product: str
    install_id: str
    key: PublicKey
    since: datetime
    until: datetime
    made_at: datetime
    used: tuple[Used, ...]
    journal_entries: int
    journal_head: str
    metered: tuple[Metered, ...] = ()

    def payload(self) -> bytes:
        """The payload to sign with the key's private half; what :func:`parse_usage_report` reads."""
        used = [
            {"feature": one.feature, "license_id": one.license_id, "jobs": one.jobs, "most": one.most}
            for one in self.used
        ]
        return written(
            {
                "schema": 1,
                "product": self.product,
                "install_id": self.install_id,
                "key": self.key.text,
                "since": self.since,
                "until": self.until,
                "made_at": self.made_at,
                "used": used,
                "journal": {"entries": self.journal_entries, "head": self.journal_head},
                "metered": [_plain(one) for one in self.metered] or None,
            }
        )


def parse_usage_report(payload: bytes) -> UsageReport:
    """The report of a payload.

    Raises:
        SignedDocumentError: it has another field, type or value than the format has.
    """
    fields = ("product", "install_id", "key", "since", "until", "made_at", "used", "journal")
    value = begin(payload, "the report", required=fields, optional=("metered",))
    if type(value["key"]) is not str:
        raise refusal("type", "the key of the report has the wrong type", expected="base64 text")
    journal = members(value["journal"], "the journal of the report", required=("entries", "head"))
    found = UsageReport(
        product=identifier(value["product"], "the product"),
        install_id=identifier(value["install_id"], "the installation's id"),
        key=PublicKey.from_text(value["key"], "the installation's key"),
        since=point(value["since"], "since of the report"),
        until=point(value["until"], "until of the report"),
        made_at=point(value["made_at"], "made_at of the report"),
        used=tuple(_used(item) for item in items(value["used"], "the use", least=0, most=10_000)),
        journal_entries=integer(journal["entries"], "the journal's entries", least=0, most=2**53 - 1),
        journal_head=text(journal["head"], "the journal's last hash", longest=64),
        metered=tuple(
            _metered(item) for item in items(value.get("metered", []), "what is metered", least=0, most=10_000)
        ),
    )
    in_order("the report", since=found.since, until=found.until)
    return found


def read_usage_report(envelope: bytes) -> UsageReport:
    """The report of an envelope, which the key that it names must have signed.

    Raises:
        SignedDocumentError: it is no report, or the key in it did not sign it.
    """
    report = parse_usage_report(read_envelope(envelope).payload)
    verify(envelope, "usage-report", [report.key])
    return report


def _plain(one: Metered) -> dict[str, object]:
    counts = {name: getattr(one, name) for name in _COUNTS}
    return {"tenant": one.tenant, **counts} if one.tenant else counts


def _metered(value: object) -> Metered:
    found = members(value, "what a tenant used", required=_COUNTS, optional=("tenant",))
    return Metered(
        tenant=text(found["tenant"], "the tenant") if "tenant" in found else "",
        **{name: integer(found[name], f"{name} of a tenant", least=0, most=_MOST) for name in _COUNTS},
    )


def _used(value: object) -> Used:
    found = members(value, "a use", required=("feature", "license_id", "jobs", "most"))
    if type(found["most"]) is not dict or len(found["most"]) > 16:
        raise refusal(
            "type" if type(found["most"]) is not dict else "value",
            "the quantities of a use are not listed as they should be",
            expected='an object of at most 16 quantities, e.g. {"gpus": 4}',
        )
    return Used(
        feature=identifier(found["feature"], "the feature of a use"),
        license_id=identifier(found["license_id"], "the license of a use"),
        jobs=integer(found["jobs"], "the jobs of a use", least=0, most=2**53 - 1),
        most={
            identifier(name, "a quantity"): integer(most, f"the quantity {name}", least=0, most=LIMIT)
            for name, most in found["most"].items()
        },
    )
