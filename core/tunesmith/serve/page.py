# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The page at ``/``: one file, nothing from elsewhere, and a policy that names script and style by their digests."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from fastapi import Request
from fastapi.responses import Response

__all__ = ["page", "policy"]


async def page(request: Request) -> Response:
    """A playground for the browser."""
    html = _html()
    headers = {
        "Content-Security-Policy": policy(html),
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return Response(html, media_type="text/html; charset=utf-8", headers=headers)


@cache
def _html() -> str:
    return (files("tunesmith.serve") / "page.html").read_text(encoding="utf-8")


def policy(html: str) -> str:
    """A Content-Security-Policy that runs what is in the file, talks to this server, and nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_digest(html, 'script')}",
            f"style-src {_digest(html, 'style')}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _digest(html: str, tag: str) -> str:
    (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
