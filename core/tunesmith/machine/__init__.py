# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What this machine is: how much memory there is, and which arithmetic is fast. Modules are imported by name."""
