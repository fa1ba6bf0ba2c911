# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The `tunesmith` command: parse, call the core, print. No logic of its own."""
