# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a job on many processes would need and cost, for ``tunesmith plan --strategy``. Planning asks for no license."""
