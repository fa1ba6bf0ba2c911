# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Forks processes of jobs: a line of JSON in, their exit codes out.

It does the job of a recipe itself, in one process, before: then everything is imported, once for all.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import tunesmith
from tunesmith.training import loop
from tunesmith_enterprise.distributed import following, sharded, tensor_parallel, together, worker
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.optimizations.float8 import layers

del sharded, tensor_parallel  # imported once, and not by each process


def killed_at(step: int) -> None:
    """From now on this process kills itself in the place of its step after this one."""
    plain = loop.take_step

    def take_step(job: Any, *args: Any) -> Any:
        if job.progress.step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(job, *args)

    loop.take_step = following.take_step = take_step


def short_of_memory() -> None:
    """From now on this process has no memory for its part of an evaluation."""

    def computed(*_: Any) -> Any:
        raise MemoryError

    together.Together._computed = computed  # type: ignore[method-assign]


def emulate_float8() -> None:
    """From now on this process multiplies in float8 on its processor, as a GPU would, slowly."""
    layers.Float8 = partial(layers.Float8, emulate=True)  # type: ignore[assignment, misc]


def trained_alone(path: str) -> int:
    """Do the recipe of an order in this one process, without the others."""
    order = Order.read(Path(path))
    tunesmith.train(tunesmith.read_recipe(order.recipe, order.sets))
    return 0


def run(part: dict[str, Any]) -> int:
    """What the new process does; gives its exit code."""
    out = os.open(part["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update({name: str(value) for name, value in part["environ"].items()})
    os.chdir(part.get("cwd", "."))
    if "killed_at" in part:
        killed_at(part["killed_at"])
    if "short_of_memory" in part:
        short_of_memory()
    if "float8" in part:
        emulate_float8()
    try:
        if "alone" in part:
            return trained_alone(part["order"])
        return worker.main(part["order"])
    except BaseException:
        traceback.print_exc()
        return 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


tunesmith.train(tunesmith.read_recipe(sys.argv[1]))
for line in sys.stdin:
    pids = []
    for part in json.loads(line):
        pid = os.fork()
        if pid == 0:
            os._exit(run(part))
        pids.append(pid)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]), flush=True)
