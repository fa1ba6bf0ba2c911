# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a transform of training rows is (``data.augment``)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tunesmith.recipe.section import Section

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Transform"]


class Transform(Section):
    """One random change of a training row. A subclass for each; its fields are its keys in a recipe.

    Every field needs a default, so that the name alone is enough. What comes out must follow from the fields, from
    what is given and from ``random`` alone, and what is given must stay as it is: an epoch may be computed again, in
    another order, in parts or in another process, and has to see the same rows.
    """

    probability: float = Field(default=1.0, ge=0, le=1)
    """Chance that a row is changed at all."""

    def __call__(self, value: Any, random: np.random.Generator) -> Any:
        """The row's image or text, changed or, by chance, as it was."""
        return self.change(value, random) if random.random() < self.probability else value

    @abstractmethod
    def change(self, value: Any, random: np.random.Generator) -> Any:
        """The changed value: of an image uint8 pixels of the same shape (H, W, C), of a text a text."""
