# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What is asked of the ledger: who has what, what ends soon, whether what is used was bought."""
