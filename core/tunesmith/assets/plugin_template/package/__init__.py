# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""<< title >>, a plugin of Tunesmith."""

# Nothing is imported here: `plugin.py` is imported whenever `tunesmith` starts, and this file with it.
__all__: list[str] = []
