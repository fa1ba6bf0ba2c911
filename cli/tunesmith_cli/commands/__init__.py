# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One file a command (or a family of them); each is imported when it is used, and then only."""
