# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What entries mean: acts, their approval and their signing, and how far each has come.

::

    begin                             the first entry: for which product
    issue renew reissue upgrade pool  a payload to sign
    activate                          a payload to sign, for one installation more
    revoke                            what is revoked, and the next list, to sign
    set                               a setting
    deactivate add restore checkpoint done with the entry itself
    approve reject                    of an act, by somebody else
    sign                              of an act: the document

An act is entered before it is signed, and signed before a file is written. So whatever is out there stands in the
ledger, and what was interrupted can be finished.
"""

from __future__ import annotations

from typing import Final, Literal

from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.chain import Entry
from tunesmith_vendor.ledger.store import Reading
from tunesmith_vendor.ledger.tables import entries

__all__ = ["ACTS", "APPROVED", "GIVING", "Progress", "counts", "four_eyes", "needs_approval", "progress"]

GIVING: Final = ("issue", "renew", "reissue", "upgrade", "pool")
"""Acts that say what somebody may do."""
APPROVED: Final = (*GIVING, "revoke", "set")
"""Acts that a second operator approves, if the ledger is set so. Activations are not among them: the license that they
belong to was approved, with the number of installations that it allows."""
ACTS: Final = (*APPROVED, "activate")

Progress = Literal["proposed", "rejected", "unsigned", "signed", "done"]


def needs_approval(reading: Reading, action: str) -> bool:
    """Whether an act that is entered now has to be approved."""
    return action in APPROVED and four_eyes(reading)


def four_eyes(reading: Reading) -> bool:
    """Whether a second operator has to approve what is signed. Default: no."""
    for entry in reading.select(entries.c.action == "set", newest_first=True):
        if counts(reading, entry):
            return bool(entry.facts["four_eyes"])
    return False


def progress(reading: Reading, act: Entry) -> Progress:
    """How far an act has come.

    Raises:
        VendorError: the entry is no act.
    """
    if act.action not in ACTS:
        raise VendorError(
            "this entry is no act that could be approved or signed",
            given=f"entry {act.seq:,}, {act.action}",
            expected=", ".join(ACTS),
        )
    done = {entry.action for entry in reading.followers(act.seq)}
    if "sign" in done:
        return "signed"
    if "reject" in done:
        return "rejected"
    if act.facts["approval"] and "approve" not in done:
        return "proposed"
    return "unsigned" if act.facts["kind"] else "done"


def counts(reading: Reading, act: Entry) -> bool:
    """Whether it was decided: it needed no approval, or was approved."""
    return progress(reading, act) not in ("proposed", "rejected")
