# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A run that was stopped goes on in another place than it was begun in: with another strategy."""

from __future__ import annotations

from tunesmith.errors import RunError
from tunesmith.recipe import Recipe, dump_recipe
from tunesmith.registry import Registry
from tunesmith.runs import Run, atomic_write
from tunesmith.runs.folder import RECIPE
from tunesmith.training.conditions import plugin_versions
from tunesmith.training.resolve import with_values

__all__ = ["move_run"]


def move_run(run: Run, strategy: str, registry: Registry) -> Recipe:
    """Change what ``train.strategy`` of an unfinished run says, in its recipe and in its manifest.

    Both strategies must compute what one process computes; then a checkpoint of one is a checkpoint of the other.

    Args:
        run: that nobody works on.
        strategy: a name.

    Returns:
        The recipe it goes on with.

    Raises:
        NotFoundError: there is no such strategy.
        RunError: one of the two computes something of its own, or the run's checkpoints hold the vectors of some tokens
            alone, which only the strategy that made them reads; nothing was changed.
    """
    stored = run.recipe()
    before = stored.train.strategy
    if before == strategy:
        return stored
    target = registry.load("strategy", strategy)
    if run.manifest.get("portable") is not True or getattr(target, "portable", False) is not True:
        odd = strategy if run.manifest.get("portable") is True else before
        why = f"{odd} computes what no other does"
        if odd == "single":  # which is portable itself
            why = "its checkpoints hold the vectors of the tokens that occur alone, which no other reads"
        raise RunError(
            f"{run.path} cannot go on with another strategy",
            given=f"{before} when it was started, {strategy} now; {why}",
            expected=f"the strategy it was started with: {before}",
            fix=[f"tunesmith train --resume {run.path}", "or start a new run with another output"],
        )
    recipe = with_values(stored, "train", strategy=strategy)
    home, only = registry.find("strategy", strategy), run.manifest.get("only_strategy_of")
    plugins = dict(run.manifest.get("plugins", {}))
    if home.plugin != only:  # what the recipe says to a plugin that is left behind goes with it
        plugins.pop(only, None)
        recipe = recipe.model_copy(update={"plugins": {k: v for k, v in recipe.plugins.items() if k != only}})
        only = None if home.plugin in plugins else home.plugin
        plugins |= plugin_versions([home])
    with run.locked():
        run.update(recipe=recipe.model_dump(mode="json"), plugins=plugins, only_strategy_of=only, moved=True)
        atomic_write(run.path / RECIPE, dump_recipe(recipe))
    return recipe
