# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hooks. They return descriptions only, so captum and torch are imported by whoever explains, not by `--help`."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import CommandSpec, ReportSectionSpec, hookimpl

TASKS = (
    "tunesmith/text-classification",
    "tunesmith/image-classification",
    "tunesmith/tabular-classification",
    "tunesmith/tabular-regression",
)


@hookimpl
def tunesmith_commands() -> Iterable[CommandSpec]:
    """One command."""
    return [
        CommandSpec(
            name="explain",
            summary="Which words, pixels or columns an answer rests on",
            target="tunesmith_explain.cli:app",
        )
    ]


@hookimpl
def tunesmith_report_sections() -> Iterable[ReportSectionSpec]:
    """One part of a report."""
    return [
        ReportSectionSpec(
            name="attributions",
            summary="What the answers rest on: mistakes first, then typical right ones",
            target="tunesmith_explain.section:Attributions",
            tasks=TASKS,
        )
    ]
