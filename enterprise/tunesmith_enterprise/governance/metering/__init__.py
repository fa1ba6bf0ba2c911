# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What each tenant has used, counted where it is used, a file a month. Nothing is sent."""
