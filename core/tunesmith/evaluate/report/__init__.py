# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``report.html``: one file that shows what a run made of its data, offline, on any screen and on paper."""

from tunesmith.evaluate.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
