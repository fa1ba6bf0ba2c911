# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the payloads of signed documents say, for vendors who want no schema of their own.

Each kind has a frozen dataclass; its ``payload()`` is signed, and ``parse_…`` reads what ``verify`` returned. Times are
aware and in UTC. What follows from a license (whether it still counts, what it lets happen) is not decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names

if TYPE_CHECKING:
    from tunesmith.licensing.contents.activation import (
        ActivationRequest,
        ActivationResponse,
        Asked,
        parse_activation_request,
        parse_activation_response,
        read_activation_request,
    )
    from tunesmith.licensing.contents.license import (
        BINDINGS,
        Binding,
        Bound,
        License,
        SubIssuer,
        parse_license,
    )
    from tunesmith.licensing.contents.parts import Features, Licensee
    from tunesmith.licensing.contents.pool import Lease, Pool, parse_lease, parse_pool
    from tunesmith.licensing.contents.revocations import Revocation, Revocations, Revoked, parse_revocations
    from tunesmith.licensing.contents.terms import ENVIRONMENTS, Environment
    from tunesmith.licensing.contents.usage import Metered, UsageReport, Used, parse_usage_report, read_usage_report

__all__ = [
    "BINDINGS",
    "ENVIRONMENTS",
    "ActivationRequest",
    "ActivationResponse",
    "Asked",
    "Binding",
    "Bound",
    "Environment",
    "Features",
    "Lease",
    "License",
    "Licensee",
    "Metered",
    "Pool",
    "Revocation",
    "Revocations",
    "Revoked",
    "SubIssuer",
    "UsageReport",
    "Used",
    "parse_activation_request",
    "parse_activation_response",
    "parse_lease",
    "parse_license",
    "parse_pool",
    "parse_revocations",
    "parse_usage_report",
    "read_activation_request",
    "read_usage_report",
]

_MODULES = {
    "activation": (
        "ActivationRequest",
        "ActivationResponse",
        "Asked",
        "parse_activation_request",
        "parse_activation_response",
        "read_activation_request",
    ),
    "license": ("BINDINGS", "Binding", "Bound", "License", "SubIssuer", "parse_license"),
    "parts": ("Features", "Licensee"),
    "pool": ("Lease", "Pool", "parse_lease", "parse_pool"),
    "revocations": ("Revocation", "Revocations", "Revoked", "parse_revocations"),
    "terms": ("ENVIRONMENTS", "Environment"),
    "usage": ("Metered", "UsageReport", "Used", "parse_usage_report", "read_usage_report"),
}
__getattr__, __dir__ = lazy_names(
    __name__, {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}
)
