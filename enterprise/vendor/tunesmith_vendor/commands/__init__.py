# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The commands of ``tunesmith-vendor``: they ask, call and show. What they do is done elsewhere."""
