# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The vendor's desk: keys and roots, licenses and their ledger, and the builds that bring a root to customers.

It is a distribution of its own and never given to customers. It depends on the signed-document format of the MIT core
(``tunesmith.licensing``) and on nothing of the enterprise package, so what it signs is what the format says.
"""

__version__ = "0.1.0"
