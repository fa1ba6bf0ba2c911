# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``report.html`` of a study: in the style of a run's report, and as self-contained."""

from tunesmith.studies.report.pages import write_crossval_report, write_search_report

__all__ = ["write_crossval_report", "write_search_report"]
