# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The models of a command line as engines, each under its name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from tunesmith.engine import Engine

__all__ = ["check_names", "open_engines"]


def check_names(models: Sequence[str], names: Sequence[str] | None) -> None:
    """One name for each model, or none.

    Raises:
        BadParameter: another number of them.
    """
    if names and len(names) != len(models):
        raise typer.BadParameter(f"{len(names)} names for {len(models)} models", param_hint="--name")


def open_engines(
    stack: ExitStack, models: Sequence[str], names: Sequence[str] | None, **options: Any
) -> dict[str, Engine]:
    """Engines by the name that clients use; they are closed with ``stack``.

    Args:
        options: of :func:`tunesmith.engine.open_engine`.

    Raises:
        BadParameter: two of them have one name.
    """
    import tunesmith.engine

    engines: dict[str, Engine] = {}
    for place, model in enumerate(models):
        engine = tunesmith.engine.open_engine(model, name=names[place] if names else None, **options)
        stack.callback(engine.close)
        if engine.info.name in engines:
            raise typer.BadParameter(f"two models are called {engine.info.name!r}", param_hint="--name")
        engines[engine.info.name] = engine
    return engines
