# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Write what a cluster starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tunesmith.errors import RecipeError
from tunesmith.runs import writing
from tunesmith_enterprise.distributed.generators import kubernetes, slurm
from tunesmith_enterprise.distributed.generators.asked import Asked, read_options

__all__ = ["write_job"]

_TARGETS: Final[Mapping[str, tuple[Callable[[Asked], str], Mapping[str, str]]]] = {
    "slurm": (slurm.sbatch_script, slurm.OPTIONS),
    "kubernetes": (kubernetes.jobset_manifest, kubernetes.OPTIONS),
}


def write_job(
    target: str,
    recipe: str,
    *,
    sets: Sequence[str],
    nodes: int,
    processes: int,
    arguments: Sequence[str],
    options: Sequence[str],
    out: Path | None,
) -> None:
    """Write the file; see :class:`~tunesmith_enterprise.distributed.generators.asked.Asked`.

    Args:
        target: ``slurm`` or ``kubernetes``.
        options: texts ``KEY=VALUE``.
        out: None: to standard output.

    Raises:
        TunesmithError: something of it is wrong; nothing was written.
    """
    if target not in _TARGETS:
        raise RecipeError(
            f"no job can be written for {target!r}",
            given=f"--to {target}",
            expected=f"one of {', '.join(_TARGETS)}",
            fix="--to slurm",
        )
    make, known = _TARGETS[target]
    asked = Asked.of(
        recipe,
        sets=sets,
        nodes=nodes,
        processes=processes,
        arguments=arguments,
        options=read_options(options, known, target=target),
    )
    text = make(asked)
    if out is None:
        sys.stdout.write(text)
        return
    with writing(out):
        out.write_text(text, encoding="utf-8")
