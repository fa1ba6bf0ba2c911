# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hooks. They return descriptions only: presidio, spaCy and Opacus are imported by whoever uses them."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import CommandSpec, RecipeSectionSpec, RouteSpec, StrategySpec, TransformSpec, hookimpl


@hookimpl
def tunesmith_transforms() -> Iterable[TransformSpec]:
    """Masking of rows."""
    return [
        TransformSpec(
            name="mask-pii",
            summary="Personal data such as e-mail addresses replaced by what it is",
            target="tunesmith_privacy.transform:MaskPii",
        )
    ]


@hookimpl
def tunesmith_commands() -> Iterable[CommandSpec]:
    """One command with sub-commands."""
    return [CommandSpec(name="privacy", summary="Find personal data in files", target="tunesmith_privacy.cli:app")]


@hookimpl
def tunesmith_routes() -> Iterable[RouteSpec]:
    """Detection over HTTP."""
    return [RouteSpec(name="detect", summary="Find personal data in a text", target="tunesmith_privacy.route:detect")]


@hookimpl
def tunesmith_strategies() -> Iterable[StrategySpec]:
    """Training that bounds what the weights can say about one row."""
    return [
        StrategySpec(
            name="dp",
            summary="One process, with differential privacy (DP-SGD)",
            target="tunesmith_privacy.dp.strategy:DifferentiallyPrivate",
        )
    ]


@hookimpl
def tunesmith_recipe_sections() -> Iterable[RecipeSectionSpec]:
    """The settings of that strategy."""
    return [
        RecipeSectionSpec(
            name="privacy",
            summary="The budget of training with differential privacy",
            target="tunesmith_privacy.dp.settings:PrivacySection",
        )
    ]
