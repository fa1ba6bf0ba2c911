# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answering over HTTP, in the manner of OpenAI's API: engines in front, nothing of any model behind.

Needs the extra ``tunesmith[serve]``. Importing this package loads none of it; names are resolved on first use
(PEP 562).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from tunesmith._lazy import lazy_names
from tunesmith.errors import NotFoundError

if TYPE_CHECKING:
    from tunesmith.plugin import RequestServed
    from tunesmith.serve.app import Application
    from tunesmith.serve.callers import Access, AccessError, Asked
    from tunesmith.serve.keys import Caller, Keys
    from tunesmith.serve.limits import Limits
    from tunesmith.serve.models import AdapterSource
    from tunesmith.serve.server import serve

__all__ = [
    "Access",
    "AccessError",
    "AdapterSource",
    "Application",
    "Asked",
    "Caller",
    "Keys",
    "Limits",
    "RequestServed",
    "check_installed",
    "serve",
]

_NEEDED = ("fastapi", "uvicorn", "prometheus_client")


def check_installed() -> None:
    """See that what serving needs is there.

    Raises:
        NotFoundError: it is not.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise NotFoundError(
            "serving needs packages that are not installed",
            given=f"missing: {', '.join(missing)}",
            expected="the extra serve",
            fix="pip install 'tunesmith[serve]'",
        )


if not TYPE_CHECKING:  # else every misspelt name would pass the type checker
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Access": "tunesmith.serve.callers",
            "AccessError": "tunesmith.serve.callers",
            "AdapterSource": "tunesmith.serve.models",
            "Application": "tunesmith.serve.app",
            "Asked": "tunesmith.serve.callers",
            "Caller": "tunesmith.serve.keys",
            "Keys": "tunesmith.serve.keys",
            "Limits": "tunesmith.serve.limits",
            "RequestServed": "tunesmith.plugin",
            "serve": "tunesmith.serve.server",
        },
    )
