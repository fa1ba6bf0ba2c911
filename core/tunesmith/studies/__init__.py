# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Studies: many runs of one recipe. Search over its values; cross-validation over its rows."""

from tunesmith.studies.crossval import CrossValidation, Fold, cross_validate
from tunesmith.studies.searching import SearchResult, Trial, search

__all__ = ["CrossValidation", "Fold", "SearchResult", "Trial", "cross_validate", "search"]
