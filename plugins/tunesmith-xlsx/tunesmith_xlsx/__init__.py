# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Excel workbooks as data: a reader for ``.xlsx`` and the command ``tunesmith sheets``."""

__version__ = "0.1.0"

__all__: list[str] = []
