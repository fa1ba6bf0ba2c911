# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``python -m tunesmith_enterprise.distributed.worker ORDER``: one process of a job, as torch's launcher starts it.

The exit code is for that launcher: 0, the job has come to its end, good or bad, and how stands in the order's outcome;
anything else, a process was lost.
"""

from __future__ import annotations

import logging
import os
import runpy
import signal
import sys
from pathlib import Path

from tunesmith.errors import TunesmithError
from tunesmith_enterprise.distributed.agreement import FAILED, facts_of, refuse_differences
from tunesmith_enterprise.distributed.group import EndedError, Group, join
from tunesmith_enterprise.distributed.order import Order

__all__ = ["main"]

_LOST = 1
_log = logging.getLogger("tunesmith.enterprise.distributed")


def main(path: str) -> int:
    """Take part in the job of an order; gives the exit code for the launcher."""
    order, rank = Order.read(Path(path)), int(os.environ.get("RANK", "0"))
    if rank:
        _be_quiet(order, rank)
    try:
        group, problem = _joined(order)
    except TunesmithError as error:
        if rank == 0:
            _say(error)
            order.outcome.write_text(str(error.exit_code))
        else:
            _log.error("%s", error)
        return 0
    return _lead(group, order, problem) if group.is_main else _follow(group, order, problem)


def _joined(order: Order) -> tuple[Group, TunesmithError | None]:
    """The group, and why this process finds that there is nothing to do together."""
    facts: dict[str, str] = {}
    device = "cpu"
    try:
        recipe = order.job()
        device = _device(recipe.train.device)
        facts = facts_of(recipe)
    except TunesmithError as error:
        facts = {FAILED: " ".join(str(error).split())}
    group = join(timeout=order.join_timeout, device=device)
    group.started = order.started
    try:
        refuse_differences(group.collect(facts))
    except TunesmithError as error:
        return group, error
    return group, None


def _lead(group: Group, order: Order, problem: TunesmithError | None) -> int:
    if problem is not None:
        _say(problem)
        code = problem.exit_code
    else:
        code = _command(order.arguments())
    if group.lost:
        return _LOST
    order.outcome.write_text(str(code))
    try:
        group.say("end")
    except TunesmithError as error:  # the job is done: whoever went away now is not missed
        _log.info("%s", error)
    return 0


def _command(arguments: list[str]) -> int:
    """Run ``tunesmith`` here, as the program of that name runs it; gives its exit code."""
    sys.argv = ["tunesmith", *arguments]
    try:
        runpy.run_module("tunesmith_cli", run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _follow(group: Group, order: Order, problem: TunesmithError | None) -> int:
    from tunesmith_enterprise.distributed.following import follow

    try:
        if problem is not None:
            raise problem
        _log.info("process %s of %s, with number %s", group.rank, group.world, os.getpid())
        follow(group, order.job())
    except EndedError:
        return 0
    except TunesmithError as error:
        _log.error("%s", error)
        return _after(group, error)
    return 0


def _after(group: Group, error: TunesmithError) -> int:
    """Wait for the main process, which tells people what is wrong, to end the job."""
    try:
        while True:
            word = group.hear("granted", "feed", "begin", "step", "end")
            if word["kind"] == "feed":
                group.collect({FAILED: " ".join(str(error).split())})
    except EndedError:
        return 0
    except TunesmithError:
        return _LOST


def _be_quiet(order: Order, rank: int) -> None:
    """Into the log of this process; and leave it to the main one to stop."""
    log = os.open(order.log(rank), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    form = f"%(asctime)s process {rank}: %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr, force=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _device(wanted: str) -> str:
    from tunesmith.training.strategy import choose_device

    return choose_device(wanted).type


def _say(error: TunesmithError) -> None:
    print(f"error: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
