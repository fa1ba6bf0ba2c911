# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Which rows of a step a process computes, for the steps that a plan looks at: divided as the job will divide them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tunesmith.data import split_batch
from tunesmith.planning import JobShape, Row
from tunesmith_enterprise.distributed.sharing import owners_of

__all__ = ["Share", "costliest", "share_of", "shares_of"]


class Share(NamedTuple):
    """Rows that are computed together: R, their longest L in tokens, S places with a loss; tokens without padding."""

    rows: int
    length: int
    places: int
    tokens: int


def share_of(rows: Sequence[Row]) -> Share:
    """As one."""
    return Share(
        len(rows),
        max((row.length for row in rows), default=0),
        sum(row.places for row in rows),
        sum(row.length for row in rows),
    )


def shares_of(batch: Sequence[Row], processes: int) -> list[Share]:
    """A step's rows, divided among processes; those without a row are left out."""
    return [share_of([batch[place] for place in places]) for places in _divided(batch, processes)]


def costliest(shape: JobShape, processes: int) -> Share:
    """What keeps most of all that a process computes at once, in the steps that are looked at."""
    found = Share(0, 0, 0, 0)
    for batch in shape.batches:
        lengths = np.asarray([row.length for row in batch], dtype=np.int64)
        for mine in _divided(batch, processes):
            for part in split_batch(np.asarray(mine, dtype=np.int64), lengths, shape.parts):
                share = share_of([batch[int(place)] for place in part])
                if shape.kept(*share[:3]) > shape.kept(*found[:3]):
                    found = share
    return found


def _divided(batch: Sequence[Row], processes: int) -> list[list[int]]:
    owners = owners_of(np.asarray([row.length for row in batch], dtype=np.int64), world=processes)
    places: dict[int, list[int]] = {}
    for place, owner in enumerate(owners.tolist()):
        places.setdefault(owner, []).append(place)
    return list(places.values())
