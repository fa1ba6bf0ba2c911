# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""For which tenant a job is: what its recipe says under ``plugins: {enterprise: {tenant: NAME}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["tenant_of"]


def tenant_of(recipe: Mapping[str, Any]) -> str:
    """The tenant of a job; "": its recipe names none.

    Args:
        recipe: as plain data, checked before.
    """
    plugins = recipe.get("plugins")
    section = plugins.get("enterprise") if isinstance(plugins, Mapping) else None
    tenant = section.get("tenant") if isinstance(section, Mapping) else None
    return tenant if isinstance(tenant, str) else ""
