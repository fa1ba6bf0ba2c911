# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What organizations need around Tunesmith, installed beside the MIT core and found through its public hooks.

The core never imports this package and has no name of it. Whatever this package writes, the core can read.

>>> grant = tunesmith_enterprise.require("distributed", processes=4)  # doctest: +SKIP

Importing it loads nothing else: the host looks at it whenever the program starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunesmith_enterprise.entitlement.asking import require
    from tunesmith_enterprise.entitlement.embedding import Activation, activate
    from tunesmith_enterprise.entitlement.grant import Grant
    from tunesmith_enterprise.errors import LicenseError

__version__ = "0.1.0"

__all__ = ["Activation", "Grant", "LicenseError", "activate", "require"]

_HOMES = {
    "Activation": "tunesmith_enterprise.entitlement.embedding",
    "Grant": "tunesmith_enterprise.entitlement.grant",
    "LicenseError": "tunesmith_enterprise.errors",
    "activate": "tunesmith_enterprise.entitlement.embedding",
    "require": "tunesmith_enterprise.entitlement.asking",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
