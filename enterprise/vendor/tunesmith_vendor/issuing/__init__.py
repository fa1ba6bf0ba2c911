# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""From what a customer ordered to a signed document: first into the ledger, then signed, then written."""
