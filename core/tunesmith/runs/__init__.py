# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The run folder: manifest, lock, metrics, artefacts; and safe writing for everybody who writes into it."""

from tunesmith.runs.atomic import atomic_write, usual_permissions, writing
from tunesmith.runs.environment import environment
from tunesmith.runs.folder import Run
from tunesmith.runs.hashing import file_digest
from tunesmith.runs.listing import Comparison, RunSummary, compare_runs, list_runs

__all__ = [
    "Comparison",
    "Run",
    "RunSummary",
    "atomic_write",
    "compare_runs",
    "environment",
    "file_digest",
    "list_runs",
    "usual_permissions",
    "writing",
]
