# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The decision: one question, once, at the start of a job. The only place that grants anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.features import FEATURES, QUANTITIES
from tunesmith_enterprise.entitlement.grant import Basis, Grant
from tunesmith_enterprise.entitlement.merging import Counted, Entitlement, count, entitlement
from tunesmith_enterprise.entitlement.states import warning
from tunesmith_enterprise.errors import LicenseError, Refusal

__all__ = ["decide"]

_STATUS: Final = "see what was found and what counts: `tunesmith license status --explain`"
_NEAREST: Final[tuple[Refusal, ...]] = ("expired", "newer-build", "upcoming", "environment", "binding", "revoked")
"""Of several licenses that have the feature and give nothing, the one that is nearest to giving it is told of."""


def decide(feature: str, quantities: Mapping[str, int], evidence: Evidence) -> Grant:
    """Whether a job may use so much of a feature.

    Args:
        feature: a code of ``FEATURES``.
        quantities: how much of it, by the names of ``QUANTITIES``; what is not named is not limited.

    Raises:
        LicenseError: it may not; the ``code`` says why.
        ValueError: a quantity is no positive integer: a mistake of the caller.
    """
    _known(feature, quantities)
    if evidence.trust is None:
        raise LicenseError(
            f"the feature {feature} cannot be unlocked: this build holds no root of trust",
            code="no-root",
            feature=feature,
            given="a build from a checkout or of unknown origin",
            expected="the package as the vendor ships it",
            fix="install tunesmith-enterprise from the vendor's package index",
        )
    counted = count(evidence)
    found = entitlement(feature, counted, evidence)
    if found.effect == "off":
        raise _refused(feature, counted, evidence)
    over = next((name for name, wanted in quantities.items() if wanted > found.limits.get(name, wanted)), None)
    if over is not None:
        raise LicenseError(
            f"the license does not allow that much of the feature {feature}",
            code="limit",
            feature=feature,
            given=f"{quantities[over]} {over}",
            expected=f"at most {found.limits[over]} {over}: {_told(found)}",
            fix=[f"run with at most {found.limits[over]} {over}", "or ask for a license with a higher limit"],
        )
    return _grant(feature, quantities, found, evidence)


def _known(feature: str, quantities: Mapping[str, int]) -> None:
    if feature not in FEATURES:
        raise LicenseError(
            "there is no such licensed feature in this release",
            code="unknown-feature",
            feature=feature,
            given=repr(feature),
            expected=", ".join(FEATURES),
            fix="look at `tunesmith license features`",
        )
    for name, wanted in quantities.items():
        if name not in QUANTITIES:
            raise LicenseError(
                f"there is no such quantity of the feature {feature}",
                code="unknown-feature",
                feature=feature,
                given=name,
                expected=", ".join(QUANTITIES),
            )
        if type(wanted) is not int or wanted < 1:
            raise ValueError(f"{name} is a positive integer, not {wanted!r}")


def _grant(feature: str, quantities: Mapping[str, int], found: Entitlement, evidence: Evidence) -> Grant:
    first = found.counted[0].document
    told = [warning(one.document, one.judgement, evidence.facts.now) for one in found.counted]
    kept = FEATURES[feature].meanings[found.state].words
    notes = [*filter(None, told), *([f"{feature}: {kept}"] if found.effect == "kept" else []), *evidence.notes]
    return Grant(
        feature=feature,
        quantities=dict(quantities),
        effect=found.effect,
        state=found.state,
        basis=tuple(Basis(one.name, one.document.serial, one.sha256, one.lease_id) for one in found.counted),
        licensee=first.licensee.name,
        environment=first.environment,
        limits=dict(found.limits),
        granted_at=evidence.facts.now,
        notes=tuple(dict.fromkeys(notes)),
    )


def _refused(feature: str, counted: tuple[Counted, ...], evidence: Evidence) -> LicenseError:
    """The refusal that says most: what is nearest to a grant comes first."""
    meanings = FEATURES[feature].meanings
    having = [one for one in counted if feature in one.features and not one.replaced_by]
    for code in _NEAREST:
        for one in having:
            if one.judgement.code == code:
                return LicenseError(
                    f"the feature {feature} is not licensed here any more"
                    if one.judgement.state in ("expired", "revoked")
                    else f"the feature {feature} is not licensed here",
                    code=code,
                    feature=feature,
                    given=f"{one.name} (serial {one.document.serial}, {one.source.name}): {one.judgement.why}",
                    expected="a license that counts here and now",
                    fix=[*_fixes(code), *_beside(evidence), _STATUS, meanings[one.judgement.state].words],
                )
    if any(not one.replaced_by and one.judgement.code is None for one in counted):
        names = ", ".join(_named(one) for one in counted if not one.replaced_by)
        return LicenseError(
            f"the license does not include the feature {feature}",
            code="not-included",
            feature=feature,
            given=names,
            expected=f"a license with {feature}: {FEATURES[feature].title}",
            fix=["ask for a license with it", *_beside(evidence), _STATUS],
        )
    if evidence.refused:
        first = evidence.refused[0]
        return LicenseError(
            f"the feature {feature} is not licensed: nothing that was found is a license that can be used",
            code="invalid",
            feature=feature,
            given=f"{first.source.name}: {first.error.what}",
            expected="a license of the vendor's, as it was sent",
            fix=["find out more: `tunesmith license doctor`", *first.error.fix],
        )
    return LicenseError(
        f"the feature {feature} needs a license, and none was found",
        code="no-license",
        feature=feature,
        expected=f"a license with {feature}: {FEATURES[feature].title}",
        fix=["`tunesmith license install FILE`", _STATUS],
    )


def _named(one: Counted) -> str:
    issues = one.document.kind == "license" and one.document.oem is not None
    return f"{one.name} (lets its holder issue licenses, and gives nothing itself)" if issues else one.name


def _beside(evidence: Evidence) -> list[str]:
    """What was found besides and is of no use: the license that people look for may be among it."""
    if not evidence.refused:
        return []
    first = evidence.refused[0]
    more = f" and {len(evidence.refused) - 1} more" if len(evidence.refused) > 1 else ""
    return [f"`tunesmith license doctor`: {first.source.name} is refused ({first.error.what}){more}"]


def _told(found: Entitlement) -> str:
    return ", ".join(f"{one.name} (serial {one.document.serial})" for one in found.counted)


def _fixes(code: Refusal) -> list[str]:
    return {
        "expired": ["ask the vendor for a renewal, and `tunesmith license install FILE`"],
        "newer-build": ["use a build from before that day", "or ask the vendor for more maintenance"],
        "binding": ["`tunesmith license request`, and `tunesmith license activate FILE` with the vendor's answer"],
    }.get(code, [])
