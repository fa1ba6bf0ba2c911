# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whether a distribution was made for this tunesmith: what its requirements say."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["misfit"]

# A cheap look before `packaging` is imported: most requirements of most distributions are about something else.
_ABOUT_US = re.compile(r"\s*tunesmith(?![A-Za-z0-9._-])", re.IGNORECASE)
_PLAIN = re.compile(r"\s*tunesmith\s*((?:(?:>=|<=|>|<)\s*\d+(?:\.\d+)*\s*(?:,\s*(?=\S)|\Z))*)", re.IGNORECASE)
_BOUND = re.compile(r"(>=|<=|>|<)\s*(\d+(?:\.\d+)*)")
_OF_AN_EXTRA = re.compile(r""";\s*extra\s*==\s*(['"])[\w.-]+\1\s*\Z""")
_RELEASE = re.compile(r"\d+(?:\.\d+)*\Z")


def misfit(requires: Iterable[str], version: str) -> str:
    """Why this version of tunesmith is not one that the requirements allow; empty when it is."""
    lines = [line for line in requires if _ABOUT_US.match(line) and not _OF_AN_EXTRA.search(line)]
    lines = [line for line in lines if not _plainly_met(line, version)]
    if not lines:
        return ""
    from packaging.requirements import InvalidRequirement, Requirement

    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            return f"its requirement on tunesmith cannot be read: {line!r}"
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            return f"needs tunesmith{requirement.specifier}; this is tunesmith {version}"
    return ""


def _plainly_met(line: str, version: str) -> bool:
    """True where the answer is yes and easy: bounds of releases, as `tunesmith>=0.1,<0.2`. Else `packaging` decides.

    Importing that takes a tenth of what `tunesmith --help` does, and nearly every plugin writes such a line.
    """
    found = _PLAIN.fullmatch(line)
    if found is None or not _RELEASE.match(version):
        return False
    here = _numbers(version)
    for operator, text in _BOUND.findall(found.group(1)):
        bound = _numbers(text)
        if not {">=": here >= bound, "<=": here <= bound, ">": here > bound, "<": here < bound}[operator]:
            return False
    return True


def _numbers(release: str) -> tuple[int, ...]:
    """For comparison: `1.0` is `1`."""
    numbers = [int(number) for number in release.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
