# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A job of several processes from its first start to its end: started together, watched, and started again.

Each start is a round of its own (``meeting.py``), with a fresh elastic agent (``agent.py``). What the job told people
itself, such as a mistake in the recipe, ends it; what it could not tell, because a process or a machine was lost or
hangs, starts all processes again from the last checkpoint.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunesmith.errors import RecipeError, RunError, TrainingError, TunesmithError
from tunesmith.recipe import Recipe
from tunesmith.runs import Run
from tunesmith_enterprise.distributed.hooks import STRATEGIES
from tunesmith_enterprise.distributed.interfaces import LOOPBACK, interface_towards, use_interface
from tunesmith_enterprise.distributed.meeting import Meeting, Outcome, Place, Round, StoppedWaiting
from tunesmith_enterprise.distributed.order import Order
from tunesmith_enterprise.distributed.pulse import read_beats
from tunesmith_enterprise.distributed.report import JobReport
from tunesmith_enterprise.distributed.stops import Stops

if TYPE_CHECKING:
    from tunesmith_enterprise.distributed.agent import Agent

__all__ = ["WORKER", "Patience", "for_several", "launch"]

WORKER: Final = ("-m", "tunesmith_enterprise.distributed.worker")
_STRATEGY: Final = "enterprise/ddp"
_STOPPED: Final = 130
_LONGEST_PAUSE: Final = 30.0
_OVER: Final = "the job has ended"
_TO_HEAR: Final = 2.0
"""Seconds in which another machine, where a process was lost, says so before this one says that it noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When to give something up.

    Attributes:
        hang_timeout: seconds without a move of a process that others wait for.
        node_timeout: seconds without a word from another machine.
        max_restarts: how often all processes are started again.
    """

    hang_timeout: float = 600.0
    node_timeout: float = 60.0
    max_restarts: int = 3


def launch(
    order: Order, *, place: Place, patience: Patience = Patience(), interface: str = "",
    worker: Sequence[str] = WORKER,
) -> int:  # fmt: skip
    """Do a job, or this machine's part of it; gives its exit code, as of ``tunesmith train``.

    Args:
        order: ``folder`` is where logs are kept; empty: a folder of its own, which goes away when all is well.
        interface: by which processes talk to other machines; empty: the one that leads to the main machine.
        worker: what each process runs: arguments of Python, before the file of the order.

    Raises:
        TunesmithError: the job is not one for several processes; the machines did not come together; or something
            was lost more often than ``patience`` has it.
    """
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else: that a machine's address has no name
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    kept = bool(order.folder)
    folder = Path(order.folder or tempfile.mkdtemp(prefix="tunesmith-launch-")).resolve()
    # Machines may be given the same folder of a disk that they share.
    order = replace(order, folder=str(folder if place.nodes == 1 else folder / f"node-{place.node}"))
    code, stops = None, Stops()
    try:
        with order.held(), stops.counted():
            if place.node == 0 or order.recipe:
                order = for_several(order)
            _share_the_machine(place, interface)
            meeting = Meeting(place, timeout=order.join_timeout, stopped=lambda: bool(stops.count))
            job = _Job(order, meeting, patience, stops, worker)
            code = job.lead() if place.node == 0 else job.take_part()
    except StoppedWaiting:
        code = _STOPPED
    finally:
        if not kept and code in (0, _STOPPED):
            shutil.rmtree(folder, ignore_errors=True)
        elif not kept and code is not None:
            print(f"what the processes said: {folder}", file=sys.stderr)
    return code


class _Job:
    def __init__(self, order: Order, meeting: Meeting, patience: Patience, stops: Stops, worker: Sequence[str]) -> None:
        self._worker = tuple(worker)
        self._order, self._meeting, self._patience, self._stops = order, meeting, patience, stops
        self._place = meeting.place
        self._report = JobReport(order.report)

    def lead(self) -> int:
        """On the main machine: round by round, until the job is over."""
        restarts = 0
        try:
            if not self._order.run:
                Run.check_free(self._order.job().output)
            while True:
                begun = self._meeting.begin(self._order.recipe_of_run())
                self._report.begin(begun, self._place)
                code, why = self._round(begun, self._order)
                told = self._meeting.told() if code is None else None
                if told is not None:
                    code, why = told.code, " ".join(told.why.split())
                    self._say(f"error: {told.why}")
                if code is None and self._order.has_finished():
                    code, why = 0, f"{why}, when the run was finished"
                    self._say(why)
                elif code is None:
                    self._order.find_run()
                self._report.end(why, code, self._order.run)
                if code is not None:
                    self._meeting.finish(code, why)
                    return code
                if restarts == self._patience.max_restarts:
                    raise self._given_up(why, restarts)
                restarts += 1
                pause = min(2.0 ** (restarts - 1), _LONGEST_PAUSE)
                where = "from the last checkpoint" if self._order.started.exists() else "from the beginning"
                self._say(f"{why}; starting all again {where} ({restarts} of {self._patience.max_restarts})")
                self._pause(pause)
        except StoppedWaiting:
            self._meeting.finish(_STOPPED)
            raise
        except TunesmithError as error:
            self._meeting.finish(error.exit_code, " ".join(str(error).split()))
            raise

    def take_part(self) -> int:
        """On another machine: in every round that the main one begins."""
        while True:
            found = self._meeting.attend()
            if isinstance(found, Outcome):
                if found.why:
                    self._say(f"the job has ended: {found.why}")
                return found.code
            self._say(f"takes part in the job; {found.hosts[0]} (node 0) prints, and writes the run")
            order = self._order.with_recipe(found.recipe) if found.recipe else self._order
            _, why = self._round(found, order)  # how the job ended, the main machine says
            if why and why != _OVER:
                self._say(f"{why}; waiting for node 0 to start all again")

    def _round(self, begun: Round, order: Order) -> tuple[int | None, str]:
        """Do one; gives the exit code of the job, where it is over, and why the round ended, where it is not."""
        from tunesmith_enterprise.distributed.agent import Agent  # torch, which takes seconds
        from tunesmith_enterprise.distributed.watching import Watch

        order.forget_start()
        with Watch(
            self._meeting.connect,
            self._place,
            begun,
            partial(read_beats, Path(order.folder), socket.gethostname()),
            hang_timeout=self._patience.hang_timeout,
            node_timeout=self._patience.node_timeout,
        ) as watch:
            command = (*self._worker, str(order.write()))
            agent = Agent(self._place, begun, command, watch, self._stops, patience=order.join_timeout)
            try:
                failed = agent.run().is_failed()
            except (OSError, RuntimeError) as error:  # the agents did not come together: a link was cut just now
                failed, agent.ended = True, f"the start failed: {str(error).splitlines()[0][:200]}"
        order.forget_pulses()
        code = _outcome(order)
        if code is not None:
            if failed:  # processes on other machines may wait for one that is gone
                self._meeting.end_round(_OVER)
            return code, ""
        if self._stops.count or watch.asked_to_stop:
            return _STOPPED, ""
        if not failed:
            return (0 if self._place.node == 0 else None), ""
        told = order.told()
        if told is not None:
            self._meeting.tell(*told)
        return None, self._why(agent)

    def _why(self, agent: Agent) -> str:
        """What ended the round first, on any machine."""
        if agent.ended:
            return self._meeting.end_round(agent.ended)
        if self._place.nodes > 1 and (agent.lost is None or not agent.lost.is_cause):
            time.sleep(_TO_HEAR)
        return self._meeting.end_round(f"{agent.lost or 'a process was lost'} on {socket.gethostname()}")

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._stops.count:
                raise StoppedWaiting
            time.sleep(0.1)

    def _say(self, text: str) -> None:
        node = f"node {self._place.node} ({socket.gethostname()}): " if self._place.nodes > 1 else ""
        print(f"{node}{text}", file=sys.stderr, flush=True)

    def _given_up(self, why: str, restarts: int) -> TrainingError:
        order, place = self._order, self._place
        again = f"tunesmith launch --nproc {place.processes}"
        if place.nodes > 1:
            again += f" --nodes {place.nodes} --node-rank … --rendezvous {place.where}"
        return TrainingError(
            "the job lost a process, and was started again as often as it may be",
            given=f"{why}; started again {restarts} {'time' if restarts == 1 else 'times'}",
            expected="every process goes on to the end",
            fix=[
                f"see what the processes said: {order.folder}",
                *([f"then go on: {again} --resume {order.run}"] if order.run else []),
                "let it try more often: --max-restarts N",
            ],
        )


def for_several(order: Order) -> Order:
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
            expected=f"one of {', '.join(name for name in STRATEGIES if '/' not in name)}, or none",
            fix="start it with `tunesmith train`, or add --set train.strategy=ddp",
        )
    return replace(order, sets=(*order.sets, f"train.strategy={_STRATEGY}"))


def _share_the_machine(place: Place, interface: str) -> None:
    """For the processes that are started now: threads for each, and an address that the others can reach."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // place.processes)))
    found = interface or (LOOPBACK if place.nodes == 1 else interface_towards(place.host, place.port))
    if found:
        use_interface(found)


def _outcome(order: Order) -> int | None:
    return int(order.outcome.read_text()) if order.outcome.exists() else None
