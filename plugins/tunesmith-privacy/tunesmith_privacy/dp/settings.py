# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``plugins: {privacy: {epsilon: 8}}``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from tunesmith.recipe.section import PathText, Section

__all__ = ["DEFAULT_EPSILON", "PrivacySection"]

DEFAULT_EPSILON = 8.0


class PrivacySection(Section):
    """The budget of training with differential privacy (`train.strategy: privacy/dp`), and how it is kept."""

    epsilon: float | None = Field(default=None, gt=0)
    """How much the weights may say about one row; the noise follows from it. Default: 8, unless `noise_multiplier`."""
    delta: float = Field(default=1e-5, gt=0, lt=1)
    """Chance that they say more; must be less than 1 / training rows."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """The gradient of each row is shortened to this norm, before noise in proportion to it is added to their sum."""
    noise_multiplier: float | None = Field(default=None, gt=0)
    """Given in the place of `epsilon`: standard deviation of the noise in units of `max_grad_norm`."""
    accountant: Literal["rdp", "prv"] = "rdp"
    """Of Opacus: `rdp` (Rényi) is fast, `prv` (privacy loss random variables) finds that less noise is enough."""
    gradients: Literal["auto", "fast", "plain"] = "auto"
    """How the gradient of each row comes to be: `plain`: a backward pass for each; `fast`: one for many, by Opacus."""
    secret_file: PathText | None = None
    """A file of at least 16 random bytes; sampling and noise follow from it. Default: from train.seed alone."""

    @model_validator(mode="before")
    @classmethod
    def _epsilon_unless_noise(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("epsilon") is None and values.get("noise_multiplier") is None:
            return {**values, "epsilon": DEFAULT_EPSILON}
        return values

    @model_validator(mode="after")
    def _one_of_two(self) -> PrivacySection:
        if self.epsilon is not None and self.noise_multiplier is not None:
            raise ValueError("epsilon and noise_multiplier exclude each other: either follows from the other")
        return self
