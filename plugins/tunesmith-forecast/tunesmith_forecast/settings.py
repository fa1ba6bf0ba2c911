# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a recipe may say to this plugin."""

from __future__ import annotations

from pydantic import Field, model_validator

from tunesmith.recipe import Section

__all__ = ["ForecastSettings"]


class ForecastSettings(Section):
    """How far a forecast looks back and ahead, in steps of the series."""

    context: int = Field(default=96, ge=2)
    """Values that a forecast is made from."""
    horizon: int = Field(default=24, ge=1)
    """Values that are forecast."""
    season: int = Field(default=1, ge=1)
    """Steps after which a series is alike, e.g. 24 for hours, 12 for months; of the forecast it is measured against."""

    @model_validator(mode="after")
    def _season_is_seen(self) -> ForecastSettings:
        if self.season >= self.context:
            raise ValueError(f"season must be below context, given season {self.season} and context {self.context}")
        return self
