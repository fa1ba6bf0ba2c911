# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What machine code is made for: its last bits differ from processor to processor, and not every one runs it."""

from __future__ import annotations

__all__ = ["processor"]


def processor() -> str:
    """Name and features of this one."""
    from llvmlite import binding  # some tenths of a second, where code is compiled only

    return f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
