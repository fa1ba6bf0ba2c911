# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The run folder: manifest, lock, metrics, artefacts; and safe writing for everybody who writes into it."""

from tunesmith.runs.artefacts import artefact_digests
from tunesmith.runs.atomic import atomic_write, flush_folder, usual_permissions, writing
from tunesmith.runs.checkpoints import checkpoint_damage, complete_checkpoints
from tunesmith.runs.environment import environment
from tunesmith.runs.folder import Run
from tunesmith.runs.hashing import file_digest
from tunesmith.runs.listing import Comparison, RunSummary, compare_runs, list_runs

__all__ = [
    "Comparison",
    "Run",
    "RunSummary",
    "artefact_digests",
    "atomic_write",
    "checkpoint_damage",
    "compare_runs",
    "complete_checkpoints",
    "environment",
    "file_digest",
    "flush_folder",
    "list_runs",
    "usual_permissions",
    "writing",
]
