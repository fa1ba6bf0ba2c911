# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Facts about this machine that licenses can depend on. Nobody is asked over a network, and nothing is measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from tunesmith_enterprise.entitlement.preferences import Preferences

__all__ = ["CLUSTER_ID", "cluster_of", "domain_of", "runs_in_ci"]

CLUSTER_ID: Final = "TUNESMITH_CLUSTER_ID"
"""Environment variable: what the administrator calls this cluster, e.g. the UID of its namespace ``kube-system``."""

_NO: Final = frozenset({"", "0", "false", "no", "off"})


def cluster_of(environ: Mapping[str, str], preferences: Preferences) -> str | None:
    """The id of the cluster: of the variable, else of the settings, else None."""
    return environ.get(CLUSTER_ID, "").strip() or preferences.cluster_id


def domain_of(environ: Mapping[str, str], preferences: Preferences) -> str:
    """The domain of this machine: of the settings, else the name that the machine has for itself, in lower case.

    That name is not looked up: a DNS server that is slow or lies has no say. A machine that calls itself ``gpu1`` and
    is known to others as ``gpu1.example.com`` needs the setting ``domain``.
    """
    # Not `socket.gethostname`, which says the same and takes 4 ms to import.
    own = os.uname().nodename if hasattr(os, "uname") else environ.get("COMPUTERNAME", "")
    return (preferences.domain or own).strip().rstrip(".").lower()


def runs_in_ci(environ: Mapping[str, str]) -> bool:
    """Whether the variable ``CI`` says so, as the services for continuous integration set it."""
    return environ.get("CI", "").strip().lower() not in _NO
