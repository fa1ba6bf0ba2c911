# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Names and paths against the lists of a policy, and licenses against the licenses that it allows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

__all__ = ["license_allowed", "matching", "within"]


def matching(forms: Iterable[str], patterns: Sequence[str]) -> str | None:
    """The first pattern that one of the forms matches; None: none does.

    ``*`` stands for any text, also across ``/``. Absolute paths are compared as the file system compares them, all
    else without regard to capitals, as the hub does.
    """
    written = list(forms)
    for pattern in patterns:
        for form in written:
            if os.path.isabs(form) != os.path.isabs(pattern):
                continue
            if not os.path.isabs(form):
                if fnmatchcase(form.casefold(), pattern.casefold()):
                    return pattern
            elif any(fnmatchcase(os.path.normcase(form), os.path.normcase(one)) for one in _places(pattern)):
                return pattern
    return None


def within(path: str, folders: Sequence[str]) -> bool:
    """Whether a path is one of these folders or lies below one; links are followed."""
    real = os.path.normcase(os.path.realpath(path))
    for folder in folders:
        above = os.path.normcase(os.path.realpath(folder))
        if real == above or real.startswith(above.rstrip(os.sep) + os.sep):
            return True
    return False


def license_allowed(expression: str, allowed: Sequence[str]) -> bool:
    """Whether one may rely on allowed licenses alone: of ``A OR B`` one has to be allowed, of ``A AND B`` both.

    Args:
        expression: SPDX; with parentheses it has to be listed as it is.
    """
    known = {one.casefold() for one in allowed}
    if expression.casefold() in known:
        return True
    if "(" in expression:
        return False
    return any(
        all(part.strip().casefold() in known for part in re.split(r"\s+AND\s+", choice, flags=re.IGNORECASE))
        for choice in re.split(r"\s+OR\s+", expression, flags=re.IGNORECASE)
    )


def _places(pattern: str) -> tuple[str, str]:
    """A pattern of paths as it is written, and with the links in front of its first ``*`` followed."""
    pattern = pattern.rstrip(os.sep) or pattern
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    above = fixed if fixed == pattern else os.path.dirname(fixed)
    real = os.path.realpath(above)
    return pattern, real.rstrip(os.sep) + pattern[len(above.rstrip(os.sep)) :]
