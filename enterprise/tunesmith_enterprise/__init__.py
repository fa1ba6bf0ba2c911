# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What organizations need around Tunesmith, installed beside the MIT core and found through its public hooks.

The core never imports this package and has no name of it. Whatever this package writes, the core can read.
"""

__version__ = "0.1.0"

__all__: list[str] = []
