# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The policy of an organization: which models, data, exports and addresses, and which people may do what."""
