# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Personal data found and masked, and training with differential privacy."""

__version__ = "0.1.0"

__all__: list[str] = []
