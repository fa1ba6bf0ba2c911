# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hooks. They return descriptions only, so openpyxl is imported by whoever reads a workbook, not by `--help`."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import CommandSpec, ReaderSpec, hookimpl


@hookimpl
def tunesmith_readers() -> Iterable[ReaderSpec]:
    """One format."""
    return [
        ReaderSpec(name="xlsx", summary="Excel workbooks", target="tunesmith_xlsx.workbook:read", suffixes=(".xlsx",))
    ]


@hookimpl
def tunesmith_commands() -> Iterable[CommandSpec]:
    """One command."""
    return [CommandSpec(name="sheets", summary="What the sheets of a workbook hold", target="tunesmith_xlsx.cli:app")]
