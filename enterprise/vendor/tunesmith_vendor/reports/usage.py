# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a customer's usage report says against what the ledger says they have bought.

The installation signs its report with its own key, so nobody on the way changed it. That the installation counted
everything is for the customer to say: they have the program, and could have changed that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tunesmith.licensing import format_timestamp
from tunesmith.licensing.contents import UsageReport, Used
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.records import Record, find_record, latest_revocations
from tunesmith_vendor.ledger.store import Reading

__all__ = ["Judged", "Judgement", "judge"]

Judgement = Literal["within", "over", "not-included", "revoked", "unknown-license", "other-installation"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One line of a report.

    Attributes:
        used: the line.
        judgement: what is to be said of it.
        limits: what the license allows; a quantity that is not there has no limit.
        why: in words; empty if it is within.
    """

    used: Used
    judgement: Judgement
    limits: Mapping[str, int]
    why: str


def judge(reading: Reading, report: UsageReport) -> list[Judged]:
    """Each line of a report, whose signature was checked when it was read.

    Raises:
        VendorError: it is for another product.
    """
    if report.product != reading.product():
        raise VendorError("this report is of another product", given=report.product, expected=reading.product())
    return [_line(reading, report, used) for used in report.used]


def _line(reading: Reading, report: UsageReport, used: Used) -> Judged:
    known = find_record(reading, used.license_id)
    if known is None:
        return Judged(used, "unknown-license", {}, "the ledger has no such license or pool")
    limits = known.content.features.get(used.feature)
    if limits is None:
        return Judged(used, "not-included", {}, f"the license has {', '.join(known.content.features)}")
    stranger = _stranger(known, report)
    if stranger is not None:
        return Judged(used, "other-installation", limits, stranger)
    revoked = latest_revocations(reading)
    met = revoked.find(known.kind, known.id, known.content.serial) if revoked else None
    if met is not None and used.jobs and report.until > met.at:
        return Judged(used, "revoked", limits, f"revoked {format_timestamp(met.at)}, within the time of the report")
    over = [
        f"{most:,} {name}, {limits[name]:,} allowed"
        for name, most in used.most.items()
        if most > limits.get(name, most)
    ]
    return Judged(used, "over" if over else "within", limits, "; ".join(over))


def _stranger(known: Record, report: UsageReport) -> str | None:
    if known.activations is None:
        return None
    installation = known.installed.get(report.install_id)
    if installation is None:
        return "the installation is not active under this license"
    if installation.key != report.key.text:
        return "another key than that of the activation signed the report"
    return None
