# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``python -m tunesmith_enterprise.distributed.worker ORDER``: one process of a job, as torch's launcher starts it.

The exit code is for that launcher: 0, the job has come to its end, good or bad, and how stands in the order's outcome;
anything else, a process was lost.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import runpy
import signal
import socket
import sys
from pathlib import Path

from tunesmith.errors import DeniedError, TunesmithError
from tunesmith_enterprise.distributed.agreement import FAILED, facts_of, refuse_differences
from tunesmith_enterprise.distributed.group import WORDS, EndedError, Group, join
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.pulse import Pulse

__all__ = ["main"]

_LOST = 1
_CRASHED = 70
_STOPPED = 130
_log = logging.getLogger("tunesmith.enterprise.distributed")


def main(path: str) -> int:
    """Take part in the job of an order; gives the exit code for the launcher."""
    _leave_on_signals()
    order, rank = Order.read(Path(path)), int(os.environ.get("RANK", "0"))
    pulse = Pulse(order.pulse(rank))
    pulse.keep_alive(os.getppid())
    log = _log_of(order, rank)
    if rank:
        _be_quiet(rank, log)
    try:
        group, problem = _joined(order)
        group.pulse = pulse
    except TunesmithError as error:
        if rank == 0:
            _say(error)
            order.outcome.write_text(str(error.exit_code))
        else:
            _log.error("%s", error)
        return 0
    pulse.preparing()
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
    group.started, group.job, group.start = order.started, order.token, order.start
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
    if group.refused is not None and code == DeniedError.exit_code:
        code = group.refused
    order.outcome.write_text(str(code))
    if group.apart:  # it failed alone, in the middle of what all do together: the others hear that it is gone
        return _LOST
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
    from tunesmith.training.outlook import memory_explained
    from tunesmith_enterprise.distributed.following import follow

    try:
        if problem is not None:
            raise problem
        _log.info("process %s of %s, with number %s", group.rank, group.world, os.getpid())
        with memory_explained():
            follow(group, order.job())
    except EndedError:
        return 0
    except TunesmithError as error:
        _log.error("%s", error)
        return _after(group, order, error)
    except Exception as error:
        _log.exception("%s", type(error).__name__)
        return _after(group, order, error)
    return 0


def _after(group: Group, order: Order, error: Exception) -> int:
    """Wait for the main process, which tells people what is wrong, to end the job.

    Where it cannot say so, or goes on instead, it would wait for this process without end. Then this one ends: if it
    can tell what is wrong, with words for people, which end the job; else it counts as lost.
    """
    if group.lost:
        return _LOST
    try:
        if not group.apart and _has_ended(group, error):
            return 0
    except TunesmithError:
        return _LOST
    if not isinstance(error, TunesmithError):
        return _CRASHED
    order.tell(error.exit_code, f"process {group.rank} of {group.world} on {socket.gethostname()}: {error}")
    return error.exit_code


def _has_ended(group: Group, error: Exception) -> bool:
    """Whether the main process ends the job, when it is told what is wrong here."""
    said = str(error) if isinstance(error, TunesmithError) else f"{type(error).__name__}: {error}"
    try:
        while True:
            word = group.hear(*WORDS)
            if word["kind"] in ("feed", "divide"):
                group.collect({FAILED: " ".join(said.split())})
            elif word["kind"] != "granted":
                return False
    except EndedError:
        return True


def _leave_on_signals() -> None:
    """Until there is something to save: `tunesmith train` takes over from here.

    The launcher asks by SIGINT. What schedulers send to all processes of a job at once comes from there too, and a
    second one would mean: leave at once. Ray's workers keep SIGINT from themselves, and so from what they start.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(_STOPPED))
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})


def _log_of(order: Order, rank: int) -> int:
    """The file of this process; where it is, whenever who started it wants to know, is written there."""
    log = os.open(order.log(rank), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file=log, all_threads=True)
    return log


def _be_quiet(rank: int, log: int) -> None:
    """Into the log of this process; and leave it to the main one to stop."""
    os.dup2(log, 1)
    os.dup2(log, 2)
    form = f"%(asctime)s {socket.gethostname()} process {rank}: %(levelname)s %(name)s: %(message)s"
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
