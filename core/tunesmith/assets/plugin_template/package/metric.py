# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A figure of generated answers: do they keep the numbers?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["numbers_kept"]

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def numbers_kept(answers: Sequence[str], references: Sequence[str]) -> float:
    """Share of the numbers in the references that the answer to the same row has too; 1 where there are none.

    A summary that says 30 for 13 reads as well as a right one, and figures that count words hardly tell them apart.

    Args:
        answers: what the model wrote, one text a row.
        references: what was to be written.
    """
    wanted = kept = 0
    for answer, reference in zip(answers, references, strict=True):
        numbers = Counter(_NUMBER.findall(reference))
        wanted += numbers.total()
        kept += (numbers & Counter(_NUMBER.findall(answer))).total()  # one 7 in the answer stands for one 7 only
    # Called once with the references as answers before a job starts: that must not fail, whatever they are.
    return kept / wanted if wanted else 1.0
