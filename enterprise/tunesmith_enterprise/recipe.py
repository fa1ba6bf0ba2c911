# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``plugins: {enterprise: {fsdp: {offload: true}}}``: what a recipe says to this package."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from tunesmith.recipe.section import Section, empty

__all__ = ["EnterpriseSection", "FsdpSection", "HsdpSection"]


class FsdpSection(Section):
    """Of the strategies `fsdp` and `hsdp`."""

    offload: bool = False
    """Keep weights, gradients and moments in the machine's memory, and on the GPU only the layer that computes."""
    reshard: bool = True
    """Give the weights of a layer back after its forward pass; false is faster, and holds the whole model meanwhile."""


class HsdpSection(Section):
    """Of the strategy `hsdp`."""

    share: int | None = Field(default=None, ge=2)
    """How many processes share a copy of the model. Default: those of one machine."""


class EnterpriseSection(Section):
    """Settings of the enterprise package in a recipe."""

    fsdp: Annotated[FsdpSection, BeforeValidator(empty)] = FsdpSection()
    """Of the strategies `fsdp` and `hsdp`."""
    hsdp: Annotated[HsdpSection, BeforeValidator(empty)] = HsdpSection()
    """Of the strategy `hsdp`."""
