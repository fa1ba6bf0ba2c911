# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Names of tenants and of classes of requests: one clear thing to type, to log and to count by."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

__all__ = ["Name", "NameOrNone", "is_name"]

_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def is_name(text: str) -> bool:
    """Whether it is 1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit."""
    return _FORM.match(text) is not None


def _checked(text: str) -> str:
    if not is_name(text):
        raise ValueError("a name has 1 to 64 letters, digits, dots, dashes and underscores")
    return text


def _checked_or_empty(text: str) -> str:
    return _checked(text) if text else ""


Name = Annotated[str, AfterValidator(_checked)]
"""For pydantic."""
NameOrNone = Annotated[str, AfterValidator(_checked_or_empty)]
"""The same, or an empty text."""
