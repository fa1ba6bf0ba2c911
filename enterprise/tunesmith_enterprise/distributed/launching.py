# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Several processes on this machine, by torch's elastic launcher: which start and end together."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import uuid4

from tunesmith.errors import RecipeError, RunError, TrainingError
from tunesmith.recipe import Recipe
from tunesmith_enterprise.distributed.hooks import STRATEGIES
from tunesmith_enterprise.distributed.order import Order

__all__ = ["launch"]

_STRATEGY: Final = "enterprise/ddp"
_STOPPED: Final = 130


def launch(order: Order, *, processes: int) -> int:
    """Do a job; gives its exit code, as of ``tunesmith train``.

    Args:
        order: ``folder`` is where logs are kept; empty: a folder of its own, which goes away when all is well.

    Raises:
        TunesmithError: the job is not one for several processes, or a process was lost.
    """
    kept = bool(order.folder)
    folder = Path(order.folder or tempfile.mkdtemp(prefix="tunesmith-launch-"))
    folder.mkdir(parents=True, exist_ok=True)
    order = _for_several(replace(order, folder=str(folder.resolve())))
    for left in (order.started, order.outcome):
        left.unlink(missing_ok=True)
    code = None
    try:
        code = _elastic(order, processes)
    finally:
        if not kept and code == 0:
            shutil.rmtree(folder, ignore_errors=True)
    return code


def _for_several(order: Order) -> Order:
    """The same order with the strategy of several processes, where the recipe names none."""
    strategy = order.job().train.strategy
    if strategy in STRATEGIES:
        return order
    if order.resume:
        raise RunError(
            f"{order.resume} is not a run of several processes",
            given=f"train.strategy: {strategy}",
            expected="a run that `tunesmith launch` began",
            fix=f"tunesmith train --resume {order.resume}",
        )
    if strategy != Recipe.model_fields["train"].annotation.model_fields["strategy"].default:  # type: ignore[union-attr]
        raise RecipeError(
            "this recipe is not for several processes",
            given=f"train.strategy: {strategy}",
            expected="train.strategy: ddp, or none",
            fix="start it with `tunesmith train`, or add --set train.strategy=ddp",
        )
    return replace(order, sets=(*order.sets, f"train.strategy={_STRATEGY}"))


def _elastic(order: Order, processes: int) -> int:
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
    )
    _share_the_machine(processes)
    worker: Sequence[str] = ("-m", "tunesmith_enterprise.distributed.worker", str(order.write()))
    try:
        elastic_launch(config, sys.executable)(*worker)
    except SignalException:
        return _outcome(order) or _STOPPED
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise TrainingError(
            "a process of the job was lost",
            given=f"process {rank} ended with {_end(failure.exitcode)}",
            expected="every process goes on to the end",
            fix=[
                f"see its log: {order.log(rank)}" if rank else "see what the main process said above",
                *([f"then go on: tunesmith launch --nproc {processes} --resume {order.run}"] if order.run else []),
            ],
        ) from None
    return _outcome(order) or 0


def _share_the_machine(processes: int) -> None:
    """For the processes that are started now: threads for each, and an address that others are not asked about."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")


def _outcome(order: Order) -> int | None:
    return int(order.outcome.read_text()) if order.outcome.exists() else None


def _end(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
