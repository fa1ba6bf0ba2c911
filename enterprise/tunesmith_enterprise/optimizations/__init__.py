# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Optimizations before they come into the core, each until the day that ``dates.py`` names."""
