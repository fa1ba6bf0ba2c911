# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the commands answer, as plain data: the same for ``--json`` and for people. No text of a license is in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tunesmith.licensing import SignedDocumentError, format_timestamp, parse_timestamp
from tunesmith.licensing.contents import Binding, License
from tunesmith_enterprise.entitlement.evidence import Evidence, Refused, Source
from tunesmith_enterprise.entitlement.features import FEATURES
from tunesmith_enterprise.entitlement.merging import Counted, Entitlement, count, entitlement, overall
from tunesmith_enterprise.optimizations.dates import OPTIMIZATIONS, is_open

__all__ = [
    "error_view",
    "feature_view",
    "features_view",
    "license_view",
    "moment",
    "optimizations_view",
    "parsed",
    "refused_view",
    "status_view",
]


def moment(at: datetime | None) -> str | None:
    """A point in time as documents have it; None for none."""
    return None if at is None else format_timestamp(at)


def parsed(text: str | None) -> datetime | None:
    """The point in time that :func:`moment` wrote."""
    return None if text is None else parse_timestamp(text, "it")


def license_view(one: Counted) -> dict[str, Any]:
    """A license, or the pool of a seat, with its state."""
    document = one.document
    binding = document.binding if isinstance(document, License) else Binding()
    return {
        "kind": "license" if isinstance(document, License) else "pool",
        "id": one.name,
        "serial": document.serial,
        "state": one.judgement.state,
        "until": moment(one.judgement.until),
        "why": one.judgement.why or None,
        "replaced_by": one.replaced_by or None,
        "lease_id": one.lease_id or None,
        "licensee": document.licensee.name,
        "edition": document.edition,
        "environment": document.environment,
        "features": {code: dict(limits) for code, limits in one.features.items()},
        "starts_at": moment(document.starts_at),
        "expires_at": moment(document.expires_at),
        "grace_until": moment(document.grace_until),
        "maintenance_until": moment(document.maintenance_until),
        "binding": {"kind": binding.kind, "values": list(binding.values)},
        "under": document.under if isinstance(document, License) else None,
        "source": source_view(one.source),
        "sha256": one.sha256,
    }


def source_view(source: Source) -> dict[str, Any]:
    """Where something was found."""
    return {
        "place": source.place,
        "name": source.name,
        "path": None if source.path is None else str(source.path),
    }


def refused_view(one: Refused) -> dict[str, Any]:
    """What was found and is of no use. Errors of documents hold nothing of their text."""
    return {"source": source_view(one.source), **error_view(one.error)}


def error_view(error: SignedDocumentError) -> dict[str, Any]:
    """A refusal in its parts."""
    return {
        "reason": error.reason,
        "what": error.what,
        "given": error.given,
        "expected": error.expected,
        "fix": list(error.fix),
    }


def feature_view(code: str, found: Entitlement) -> dict[str, Any]:
    """What there is of a feature."""
    ends = [one.judgement.until for one in found.counted if one.judgement.until is not None]
    endless = any(one.judgement.until is None for one in found.counted)
    return {
        "title": FEATURES[code].title,
        "state": found.state,
        "effect": found.effect,
        "licensed": found.effect != "off",
        "until": None if endless or not ends else moment(max(ends)),
        "limits": dict(found.limits),
        "licenses": [one.name for one in found.counted],
        "meaning": FEATURES[code].meanings[found.state].words,
    }


def features_view(counted: tuple[Counted, ...], evidence: Evidence) -> dict[str, Any]:
    """By their codes: what there is of each feature."""
    return {code: feature_view(code, entitlement(code, counted, evidence)) for code in FEATURES}


def optimizations_view(now: datetime) -> dict[str, Any]:
    """By their codes: from which day each optimization needs no license, and whether that day has come."""
    return {
        code: {"title": one.title, "opens": one.opens.isoformat(), "open": is_open(code, now)}
        for code, one in OPTIMIZATIONS.items()
    }


def _overall_until(counted: tuple[Counted, ...]) -> datetime | None:
    """Until when the one word for all holds, as far as the clock decides it."""
    best = next((one for one in counted if not one.replaced_by), None)
    return None if best is None else best.judgement.until


def status_view(evidence: Evidence, searched: list[dict[str, Any]]) -> dict[str, Any]:
    """The object of ``status --json``.

    Args:
        searched: the places in their order, as ``searching.searched`` gives them.
    """
    counted = count(evidence)
    root = evidence.trust.root if evidence.trust is not None else None
    facts = evidence.facts
    return {
        "state": overall(counted, evidence) if root is not None else "none",
        "until": moment(_overall_until(counted)),
        "features": features_view(counted, evidence),
        "licenses": [license_view(one) for one in counted],
        "refused": [refused_view(one) for one in evidence.refused],
        "sources": searched,
        "notes": list(evidence.notes),
        "build": {
            "version": evidence.build.version or None,
            "built_at": moment(evidence.build.built_at),
            "has_root": evidence.build.trust is not None,
        },
        "root": root and {"version": root.version, "expires": moment(root.expires)},
        "revocations": evidence.revocations
        and {"number": evidence.revocations.number, "issued_at": moment(evidence.revocations.issued_at)},
        "machine": _machine(facts.install_id, facts.cluster_id, facts.domain, facts.ci),
        "now": moment(facts.now),
    }


def _machine(install_id: str | None, cluster_id: str | None, domain: str, ci: bool) -> Mapping[str, Any]:
    return {"install_id": install_id, "cluster_id": cluster_id, "domain": domain or None, "ci": ci}
