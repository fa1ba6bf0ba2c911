# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Models and data encrypted at rest. The format is `docs/reference/sealed-files.md`; opening needs no license.

For programs: what the commands do, without their questions. Who seals asks for the license first, once:
``tunesmith_enterprise.require("governance")``, or that of an activation.
"""

from tunesmith_enterprise.governance.sealing.errors import SealedFileError, SealKeyError
from tunesmith_enterprise.governance.sealing.folders import rewrap, seal_folder, seal_one, seal_run, unseal, verify
from tunesmith_enterprise.governance.sealing.keys import create_key_file
from tunesmith_enterprise.governance.sealing.ring import KeyRing, key_ring

__all__ = [
    "KeyRing",
    "SealKeyError",
    "SealedFileError",
    "create_key_file",
    "key_ring",
    "rewrap",
    "seal_folder",
    "seal_one",
    "seal_run",
    "unseal",
    "verify",
]
