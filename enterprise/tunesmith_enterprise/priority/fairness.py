# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Whose turn it is: shares by weight among those that have something to do, and a least share for those behind.

Turns are start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", SIGCOMM 1996), by tokens: each flow
has a tag that grows by the tokens that are computed for it, divided by its weight; the smallest tag is next. How long
an answer becomes is not known when it begins, so it is charged what answers of its class usually have, and the rest
when it is known, as in "Fairness in Serving Large Language Models" (Sheng et al., OSDI 2024).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

__all__ = ["LeastShares", "Turns"]


class Turns:
    """Flows that share by weight.

    Args:
        weights: of each flow, by name.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights
        self._tags = dict.fromkeys(weights, 0.0)
        self._now = 0.0  # virtual time: the tag of whoever began last

    def arrives(self, flow: str) -> None:
        """It had nothing to do and has something now. What it did not use before is not made good."""
        self._tags[flow] = max(self._tags[flow], self._now)

    def next(self, flows: Iterable[str]) -> str:
        """Of these that have something to do: the one whose turn it is. Nothing changes by asking."""
        return min(flows, key=self._tags.__getitem__)

    def begins(self, flow: str) -> None:
        """Its turn is used."""
        self._now = max(self._now, self._tags[flow])

    def charge(self, flow: str, tokens: float) -> None:
        """So many were computed for it; negative: fewer than was thought."""
        self._tags[flow] += tokens / self._weights[flow]


class LeastShares:
    """What classes are owed that wait behind others.

    Args:
        shares: of all tokens, by class; only of classes that have such a share.
    """

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = {name: share for name, share in shares.items() if share > 0}
        self._owed = dict.fromkeys(self._shares, 0.0)
        self._most = dict.fromkeys(self._shares, 0.0)  # tokens of its largest request so far

    def arrives(self, name: str) -> None:
        """It begins to wait."""
        if name in self._owed:
            self._owed[name] = 0.0

    def charge(self, name: str, tokens: float, waiting: Collection[str]) -> None:
        """So many were computed for a class while these classes waited."""
        for other in waiting:
            if other in self._owed:
                self._owed[other] += self._shares[other] * tokens
        if name in self._owed:
            # What it gets while nobody wants it is no debt beyond one request.
            self._most[name] = max(self._most[name], tokens)
            self._owed[name] = max(self._owed[name] - tokens, -self._most[name])

    def owed(self, classes: Iterable[str]) -> str | None:
        """Of these, the class that is owed most; None: none is owed anything."""
        found = [name for name in classes if self._owed.get(name, 0.0) > 0]
        return max(found, key=self._owed.__getitem__, default=None)
