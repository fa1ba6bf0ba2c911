# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Under which license a model or a set of data is, as far as anybody says so.

Asked in this order: the policy itself (``licenses_of``), the plugin that brings it, the card in its folder or on the
hub. What a card says is its author's word; the policy's own list stands above it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tunesmith_enterprise.governance.policy.matching import matching
from tunesmith_enterprise.governance.policy.subjects import Subject

__all__ = ["Known", "license_of"]

_CARD = "README.md"


class Known(NamedTuple):
    """A license and who says so; or why it is not known.

    Attributes:
        license: SPDX; None: not known.
        source: who says so, or why nobody does.
    """

    license: str | None
    source: str


def license_of(subject: Subject, told: Mapping[str, str], *, dataset: bool = False) -> Known:
    """The license of something.

    Args:
        told: ``licenses_of`` of the policy: from names, as its lists have them, to licenses.
        dataset: it is data.
    """
    for pattern, license_ in told.items():
        if matching(subject.forms, [pattern]):
            return Known(license_, f"licenses_of {pattern!r} in the policy")
    if subject.license:
        return Known(subject.license, "the plugin that brings it")
    if subject.place is not None:
        found = _of_card(subject.place / _CARD) if subject.place.is_dir() else None
        if found:
            return Known(found, f"the card {subject.place / _CARD}")
    if subject.repo is not None:
        return _of_hub(subject.repo, subject.revision, "dataset" if dataset else "model")
    if subject.base is not None:
        found_below = license_of(subject.base, told)
        return Known(found_below.license, f"{found_below.source}, of {subject.base.written} under it")
    return Known(None, "nothing says it")


def _of_hub(repo: str, revision: str | None, repo_type: str) -> Known:
    from huggingface_hub import hf_hub_download

    try:
        card = Path(hf_hub_download(repo, _CARD, repo_type=repo_type, revision=revision))
    except Exception as error:  # of the client, its HTTP library or the system: without a card nothing is known
        return Known(None, f"its card on the hub cannot be read ({type(error).__name__})")
    found = _of_card(card)
    return Known(found, "its card on the hub" if found else "its card on the hub does not say it")


def _of_card(card: Path) -> str | None:
    """``license`` of the YAML between the first two lines of ``---``; of ``other``, ``license_name``."""
    from huggingface_hub.repocard import metadata_load

    try:
        if not card.is_file():
            return None
        said = metadata_load(card)
    except Exception:  # whatever YAML has against it
        return None
    found = (said or {}).get("license")
    if found == "other":
        found = (said or {}).get("license_name")
    return found if isinstance(found, str) and re.fullmatch(r"[\w.+() -]{1,200}", found) else None
