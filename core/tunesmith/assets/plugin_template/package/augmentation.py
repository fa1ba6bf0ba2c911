# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A random change of training rows: people who are angry write in capitals, and mean the same."""

from __future__ import annotations

import re

import numpy as np
from pydantic import Field

from tunesmith.tasks import Transform

__all__ = ["Shout"]

_WORD = re.compile(r"\S+")


class Shout(Transform):
    """Words in capitals, each by chance."""

    share: float = Field(default=0.3, gt=0, le=1)
    """Chance of each word. Every field is a key beside `name` in the recipe, and needs a default."""

    def change(self, value: str, random: np.random.Generator) -> str:
        # From `random` and nothing else: a job that is resumed has to see the same rows.
        return _WORD.sub(lambda word: word[0].upper() if random.random() < self.share else word[0], value)
