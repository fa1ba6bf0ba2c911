# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A part of a run's report: how long the rows are that the model is scored on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from tunesmith.evaluate.report_sections import Finished, ReportSection
from tunesmith.tasks import Section, Table

__all__ = ["Lengths"]


class Lengths(ReportSection):
    """Shortest, middle and longest rows, by their cost for the model."""

    # A list: recipes are YAML, which has no tuples, and nothing is converted on the quiet.
    shares: list[float] = Field(default=[0.0, 0.5, 0.9, 1.0], min_length=1)
    """Which rows, from 0 (the shortest) to 1. Every field is a key beside `name` in the recipe, and needs a default."""

    def make(self, finished: Finished) -> Sequence[Section]:
        lengths = [item.length for item in finished.items]
        if not lengths:
            return []  # nothing was held out, and so there is nothing to show
        rows = [(f"{share:.0%}", float(np.quantile(lengths, share))) for share in self.shares]
        return [
            Table(
                title="How long the rows are",
                note=f"So many of {len(lengths):,} rows of {finished.split} have at most so many tokens.",
                header=("share of rows", "tokens"),
                rows=rows,
            )
        ]
