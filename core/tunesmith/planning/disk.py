# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the run folder will take of the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from tunesmith.models.adapters import is_adapted
from tunesmith.planning.facts import Disk
from tunesmith.training.memory import moving_bytes
from tunesmith.training.prepare import Work

__all__ = ["disk_of"]

SMALL = 5_000_000
"""Tokenizer, report, recipe and manifest."""
RECORD = 300
"""Bytes of a line of metrics.jsonl."""


def disk_of(work: Work) -> Disk:
    """Checkpoints hold what moves and the optimizer's state; a model is written beside the one it replaces."""
    moving, state = moving_bytes(work.model)
    buffers = sum(buffer.nbytes for buffer in work.model.buffers())
    every = sum(one.nbytes for one in work.model.parameters()) + buffers
    checkpoint = moving + state + buffers
    checkpoints = work.recipe.train.keep_checkpoints + 1
    model = moving if is_adapted(work.model) else every
    lines = work.feed.total_steps // work.recipe.train.log_every
    return Disk(
        checkpoint=checkpoint,
        checkpoints=checkpoints,
        model=model,
        needed=checkpoint * checkpoints + 2 * model + RECORD * lines + SMALL,
        free=shutil.disk_usage(_existing(Path(work.recipe.output).expanduser())).free,
    )


def _existing(path: Path) -> Path:
    """The nearest folder on the way up that is there."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())
