# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A checkpoint for machines that do not see the folder of the run: the main process sends its files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch

from tunesmith.runs import file_digest
from tunesmith.runs.checkpoints import STATE
from tunesmith_enterprise.distributed.group import Group

__all__ = ["meet_at_checkpoint"]

_PIECE: Final = 16 * 1024 * 1024
"""Bytes of a file that are sent at once."""
_RECEIVED: Final = "received"


def meet_at_checkpoint(group: Group, path: Path) -> Path:
    """Where this process finds a checkpoint that the main process has; all processes call this.

    Where all of them see the same files, nothing is sent. Else one process of every machine that lacks them writes what
    is sent into the folder of its logs, and the others of that machine read it there.

    Args:
        path: of the checkpoint, as the main process has it.
    """
    files = sorted(one for one in path.iterdir() if one.is_file()) if group.is_main else []
    state = path / STATE
    mine = file_digest(state) if state.is_file() else ""
    found = group.collect({"state": mine, "files": [[one.name, one.stat().st_size] for one in files]})
    wanted = found[0]["state"]
    if all(one["state"] == wanted for one in found):
        return path
    here = path
    writes = False
    if mine != wanted and group.started is not None:
        here = group.started.parent / _RECEIVED / path.name
        writes = os.environ.get("LOCAL_RANK") == "0"
        if writes:
            shutil.rmtree(here.parent, ignore_errors=True)  # an older one, of an earlier start
            here.mkdir(parents=True)
    for name, size in found[0]["files"]:
        _send(group, path / name if group.is_main else None, here / name if writes else None, int(size))
    group.collect("written")
    return here


def _send(group: Group, source: Path | None, target: Path | None, size: int) -> None:
    incoming = None if source is None else source.open("rb")
    outgoing = None if target is None else target.open("wb")
    try:
        for length in _pieces(size):
            piece = torch.empty(length, dtype=torch.uint8)
            if incoming is not None:
                piece.copy_(torch.frombuffer(bytearray(incoming.read(length)), dtype=torch.uint8))
            group.share_bytes(piece)
            if outgoing is not None:
                outgoing.write(piece.numpy().tobytes())
    finally:
        for file in (incoming, outgoing):
            if file is not None:
                file.close()


def _pieces(size: int) -> Iterator[int]:
    for start in range(0, size, _PIECE):
        yield min(_PIECE, size - start)
