# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a generated file is asked to hold: a job, and what only its scheduler knows."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunesmith.errors import RecipeError
from tunesmith.recipe import read_recipe

__all__ = ["Asked", "read_options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One job.

    Attributes:
        recipe: the file.
        text: what is in it.
        output: the run's folder, with every change.
        sets: changes of single values.
        nodes: machines.
        processes: on each.
        arguments: more of ``tunesmith launch``, such as ``--quiet``.
        options: what only the scheduler knows, by name.
    """

    recipe: str
    text: str
    output: str
    sets: tuple[str, ...]
    nodes: int
    processes: int
    arguments: tuple[str, ...]
    options: Mapping[str, str]

    @classmethod
    def of(
        cls, recipe: str, *, sets: Sequence[str], nodes: int, processes: int, arguments: Sequence[str],
        options: Mapping[str, str],
    ) -> Asked:  # fmt: skip
        """Read the recipe, so that a mistake in it is told here and not on the cluster.

        Raises:
            TunesmithError: it cannot be read.
        """
        job = read_recipe(recipe, sets)
        return cls(
            recipe=recipe,
            text=Path(recipe).read_text(encoding="utf-8"),
            output=job.output,
            sets=tuple(sets),
            nodes=nodes,
            processes=processes,
            arguments=tuple(arguments),
            options=options,
        )


def read_options(given: Sequence[str], known: Mapping[str, str], *, target: str) -> dict[str, str]:
    """Texts such as ``partition=gpu``, by name; the last of a name counts.

    Args:
        known: names, and what each is.

    Raises:
        RecipeError: one is none of these, or has no value, or breaks the line it would stand on.
    """
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise RecipeError(
                f"--to {target} has no option {name!r}",
                given=f"--option {text}",
                expected=f"one of {', '.join(known)}" + (f"; did you mean {near[0]}?" if near else ""),
                fix=f"--option {near[0] if near else next(iter(known))}=…",
            )
        if not equals or not value or any(ord(character) < 32 for character in value):
            raise RecipeError(
                f"the option {name} of --to {target} has no value that fits on a line",
                given=f"--option {text!r}",
                expected=f"{name}=VALUE: {known[name]}",
                fix=f"--option {name}=…",
            )
        if name == "port" and not (value.isdecimal() and 0 < int(value) < 2**16):
            raise RecipeError(
                f"the option port of --to {target} is no port",
                given=f"--option {text}",
                expected="a number from 1 to 65535",
                fix="--option port=29400",
            )
        found[name] = value
    return found
