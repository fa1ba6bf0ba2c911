# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``plugins: {enterprise: {fsdp: {offload: true}}}``: what a recipe says to this package."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from tunesmith.recipe.section import Section, empty
from tunesmith_enterprise.governance.access.names import Name

__all__ = ["EnterpriseSection", "Float8Section", "FsdpSection", "HsdpSection"]


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


class Float8Section(Section):
    """Linear layers that multiply in float8, of the strategies `float8`, `overlapped`, `ddp`, `fsdp` and `hsdp`."""

    recipe: Literal["tensorwise", "rowwise", "rowwise-with-gw-hp"] = "tensorwise"
    """How numbers are scaled to eight bits: with one scale for a tensor, the fastest; one for each row, closer to bf16;
    or as that, with the gradients of weights in bf16, the closest."""
    leave: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    """Patterns of linear layers that stay in bf16, e.g. `*.k_proj`."""


class EnterpriseSection(Section):
    """Settings of the enterprise package in a recipe."""

    tenant: Name | None = None
    """For whom the job is: where use is counted, it is counted there, and the audit log has it."""
    fsdp: Annotated[FsdpSection, BeforeValidator(empty)] = FsdpSection()
    """Of the strategies `fsdp` and `hsdp`."""
    hsdp: Annotated[HsdpSection, BeforeValidator(empty)] = HsdpSection()
    """Of the strategy `hsdp`."""
    float8: Float8Section | None = None
    """Multiply in float8, e.g. `{recipe: rowwise}`; `{}` for the defaults. Left out: only `strategy: float8` does."""
