# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A checkpoint for a machine that does not see the run. The two processes are threads, and what they say is real."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from tunesmith_enterprise.distributed import sending
from tunesmith_enterprise.distributed.sending import meet_at_checkpoint


class Two:
    """What two processes exchange."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(2, timeout=10)
        self.said: dict[int, Any] = {}
        self.bytes: torch.Tensor = torch.empty(0)
        self.sent = 0


class Member:
    """As much of a group as sending needs."""

    def __init__(self, both: Two, rank: int, folder: Path) -> None:
        self._both, self._rank = both, rank
        self.is_main = rank == 0
        self.started = folder / "started"

    def collect(self, value: Any) -> list[Any]:
        self._both.said[self._rank] = value
        self._both.barrier.wait()
        found = [self._both.said[0], self._both.said[1]]
        self._both.barrier.wait()
        return found

    def share_bytes(self, content: torch.Tensor) -> None:
        if self.is_main:
            self._both.bytes = content
            self._both.sent += len(content)
        self._both.barrier.wait()
        if not self.is_main:
            content.copy_(self._both.bytes)
        self._both.barrier.wait()


def meet(folder: Path, main: Path, other: Path) -> tuple[Path, Path, int]:
    """Where both find it, and how many bytes were sent."""
    both = Two()
    members: list[Any] = [Member(both, rank, folder / f"logs-{rank}") for rank in (0, 1)]
    with ThreadPoolExecutor(2) as threads:
        here = threads.submit(meet_at_checkpoint, members[0], main)
        there = threads.submit(meet_at_checkpoint, members[1], other)
        return here.result(), there.result(), both.sent


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(sending, "_PIECE", 7)
    path = tmp_path / "run" / "checkpoints" / "step-00000002"
    path.mkdir(parents=True)
    (path / "state.json").write_text("what it is")
    (path / "weights.safetensors").write_bytes(bytes(range(50)))
    (path / "empty").touch()
    return path


def test_who_does_not_see_the_run_gets_its_files(checkpoint: Path, tmp_path: Path) -> None:
    here, there, sent = meet(tmp_path, checkpoint, tmp_path / "elsewhere" / checkpoint.name)
    assert here == checkpoint
    assert there == tmp_path / "logs-1" / "received" / checkpoint.name
    assert {one.name: one.read_bytes() for one in there.iterdir()} == {
        one.name: one.read_bytes() for one in checkpoint.iterdir()
    }
    assert sent == 60


def test_an_older_checkpoint_of_that_step_does_not_count(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / checkpoint.name
    other.mkdir(parents=True)
    (other / "state.json").write_text("what it was")
    _, there, _ = meet(tmp_path, checkpoint, other)
    assert (there / "state.json").read_text() == "what it is"
    assert (other / "state.json").read_text() == "what it was"


def test_nothing_is_sent_where_all_see_the_same(checkpoint: Path, tmp_path: Path) -> None:
    assert meet(tmp_path, checkpoint, checkpoint) == (checkpoint, checkpoint, 0)
