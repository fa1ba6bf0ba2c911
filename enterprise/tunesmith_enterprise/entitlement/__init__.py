# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What licenses let happen: found, judged, merged, and decided once at the start of a job."""
