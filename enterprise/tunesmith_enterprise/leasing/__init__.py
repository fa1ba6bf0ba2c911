# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Seats of a license server at one's own site: taken at the start of a job, renewed while it runs, given back at its
end. Nothing here asks anybody unless a license server is configured.

>>> server = configured(os.environ)  # doctest: +SKIP
>>> with acquire(server, {"distributed": {"gpus": 4}}, gather(), state=StateFolder(places.state)) as holding:
...     evidence = replace(evidence, seats=(holding.seat,))  # doctest: +SKIP
"""

from tunesmith_enterprise.leasing.address import LicenseServer, configured
from tunesmith_enterprise.leasing.by_hand import (
    ByHand,
    borrow,
    by_hand,
    client_of,
    give_back,
    renew_by_hand,
    take_by_hand,
)
from tunesmith_enterprise.leasing.holding import Holding, acquire
from tunesmith_enterprise.leasing.seating import with_seat

__all__ = [
    "ByHand",
    "Holding",
    "LicenseServer",
    "acquire",
    "borrow",
    "by_hand",
    "client_of",
    "configured",
    "give_back",
    "renew_by_hand",
    "take_by_hand",
    "with_seat",
]
