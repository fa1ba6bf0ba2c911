# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the vendor's desk refuses.

::

    TunesmithError
    └── VendorError         nothing was signed, written or entered, unless the error says so

A damaged or foreign document is ``tunesmith.errors.SignedDocumentError``.
"""

from __future__ import annotations

from tunesmith.errors import TunesmithError

__all__ = ["VendorError"]


class VendorError(TunesmithError):
    """The desk cannot do what was asked: a key, a passphrase, a draft or a folder is not as it has to be."""
