# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What can be wrong with a sealed file or its key. Neither ever changes a file."""

from __future__ import annotations

from typing import ClassVar

from tunesmith.errors import TunesmithError

__all__ = ["SealKeyError", "SealedFileError"]


class SealedFileError(TunesmithError):
    """A file is not sealed, is damaged, or is not the one that should stand in its place."""

    exit_code: ClassVar[int] = 40


class SealKeyError(TunesmithError):
    """A key is missing, unreadable, open to others, or its service does not give it."""

    exit_code: ClassVar[int] = 41
