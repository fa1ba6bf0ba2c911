# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A job on Ray that is asked to stop, hangs or is given up; Ray is a double (``ray_double.py``)."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray_double import CLUSTER, Double, ends_with, job

from tunesmith.errors import TrainingError
from tunesmith.runs import Run
from tunesmith_enterprise.distributed.folder_store import STOP, FolderStore
from tunesmith_enterprise.distributed.group import Group
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.pulse import Beat, Pulse
from tunesmith_enterprise.distributed.ray_launching import launch_on_ray


def test_ctrl_c_asks_the_first_process_to_save_and_stop(ray: Double, tmp_path: Path) -> None:
    def press(rank: int, _order: Path) -> None:
        if rank == 0:
            os.kill(os.getpid(), signal.SIGINT)

    ray.does, ray.ends = press, [[None, 0]]
    assert launch_on_ray(job(), CLUSTER) == 130
    assert [one.signals for one in ray.processes] == [[signal.SIGINT], []]
    assert (tmp_path / "run-ray" / "outcome").read_text() == "130"
    assert not ray.open


def test_a_job_that_was_asked_to_stop_and_lost_a_process_is_not_started_again(ray: Double, tmp_path: Path) -> None:
    def lose(rank: int, order: Path) -> None:
        if rank == 1:
            FolderStore(Order.read(order).said).set(STOP, "1")

    ray.does, ray.ends = lose, [[1, -9]]
    assert launch_on_ray(job(), CLUSTER) == 130
    assert len(ray.processes) == 2
    ray.does, ray.ends = ends_with(0), [[0, 0]]  # and the next job in that folder was not asked
    assert launch_on_ray(job(), CLUSTER) == 0


def test_ctrl_c_leaves_at_once_while_ray_finds_no_places(ray: Double) -> None:
    over = threading.Event()

    def fit(_trainer: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(20)

    ray.fit = fit  # type: ignore[method-assign]
    began = time.monotonic()
    assert launch_on_ray(job(), CLUSTER) == 130
    assert time.monotonic() - began < 10
    assert not ray.open
    over.set()


def test_a_process_that_hangs_is_named_ended_and_all_are_started_again(ray: Double) -> None:
    def hang(rank: int, path: Path) -> None:
        order = Order.read(path)
        if ray.start == 1:
            ends_with(0)(rank, path)
        elif rank == 0:
            pulse = Pulse(order.pulse(0))
            pulse.begin_at(4)
            pulse.begin_step()
            pulse.enter("a sum over all")
            other = Beat(1, "there", 12, 5, "in a step", "", 0, idle=9.0, silent=9.0)
            FolderStore(order.said).set("beat/1/1", json.dumps({"number": 1, "beats": [other.to_json()]}))

    ray.does, ray.ends = hang, [[None, None], [0, 0]]
    assert launch_on_ray(job(), replace(CLUSTER, hang_timeout=0.5)) == 0
    why = "process 1 on there, number 12: step 5, in a step, computing; it has not moved for 9 seconds"
    assert ray.lost == [[why, why]]
    assert [one.returncode for one in ray.processes] == [-9, -9, 0, 0]


def test_what_people_type_to_go_on_has_what_they_typed_to_start(ray: Double, tmp_path: Path) -> None:
    def begin(rank: int, order: Path) -> None:
        if rank == 0:
            Run.create(tmp_path / f"run{ray.start}", Order.read(order).job())
            Order.read(order).started.write_text("run0")

    ray.does, ray.ends = begin, [[1, -9], [1, -9]]
    with pytest.raises(TrainingError) as caught:
        launch_on_ray(job(folder="my logs"), CLUSTER)
    command = "tunesmith launch --ray auto --nproc 2 --ray-cpus 3 --logs 'my logs'"
    assert f"then go on: {command} --resume run0" in str(caught.value)
    group: Any = object.__new__(Group)
    group.start = Order.read(Path(ray.processes[0].command[-1])).start
    assert group.start_command("run0") == f"{command} --resume run0"
