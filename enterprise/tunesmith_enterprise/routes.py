# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Routes of the server, for those who start it with them: ``tunesmith serve --route enterprise/license-metrics``."""

# No annotations from the future: the server reads those of a route.

import asyncio

from fastapi import Request, Response

from tunesmith_enterprise.entitlement.evidence import Evidence
from tunesmith_enterprise.entitlement.gathering import gather
from tunesmith_enterprise.entitlement.merging import count

__all__ = ["license_metrics", "metrics_text"]

_NAME = "tunesmith_license_expires_in_seconds"


async def license_metrics(request: Request) -> Response:
    """When licenses end, in the text format of Prometheus."""
    text = metrics_text(await asyncio.to_thread(gather))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def metrics_text(evidence: Evidence) -> str:
    """One line for each license that counts or has counted; below zero: it has ended. ``+Inf``: it has no end."""
    lines = [
        f"# HELP {_NAME} Seconds until the term of a license ends; below zero since it has ended.",
        f"# TYPE {_NAME} gauge",
    ]
    for one in count(evidence):
        if one.replaced_by or one.judgement.state in ("invalid", "revoked"):
            continue
        end = one.document.expires_at
        left = "+Inf" if end is None else f"{(end - evidence.facts.now).total_seconds():.0f}"
        lines.append(f'{_NAME}{{license="{one.name}"}} {left}')  # ids are of a-z 0-9 . _ - and need no escapes
    return "\n".join(lines) + "\n"
