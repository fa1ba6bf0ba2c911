# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What an organization wants to know of the work that is done with Tunesmith: the audit log."""
