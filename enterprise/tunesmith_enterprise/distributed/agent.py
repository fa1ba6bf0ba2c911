# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Torch's elastic agent, for one round: it starts the processes of this machine, and sees to it that all of them end.

What is ours: signals go to the main process alone, which saves and ends the job; a round that is over elsewhere is over
here; and nobody is waited for who cannot come to an end.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from torch.distributed.elastic.agent.server.api import RunResult, WorkerGroup, WorkerSpec, WorkerState
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs
from torch.distributed.elastic.rendezvous.static_tcp_rendezvous import StaticTCPRendezvous

from tunesmith_enterprise.distributed.ending import end_all

if TYPE_CHECKING:
    from tunesmith_enterprise.distributed.meeting import Place, Round
    from tunesmith_enterprise.distributed.stops import Stops
    from tunesmith_enterprise.distributed.watching import Watch

__all__ = ["LOST", "Agent", "Lost"]

LOST: Final = 1
"""Exit code of a process that lost another one: a consequence, not a cause."""
_TO_FOLLOW: Final = 3.0
"""Seconds that processes have to end on their own, after one of them was lost."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The process of this machine that was lost first: others are lost because of it."""

    rank: int
    pid: int
    code: int

    @property
    def is_cause(self) -> bool:
        """Not only because another process was lost before."""
        return self.code != LOST

    def __str__(self) -> str:
        end = f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"
        return f"process {self.rank} (number {self.pid}) ended with {end}"


class Agent(LocalElasticAgent):
    """One round on one machine.

    Args:
        command: arguments of Python: what each process runs.
        patience: seconds that the agents of all machines wait for each other.
    """

    def __init__(
        self, place: Place, begun: Round, command: Sequence[str], watch: Watch, stops: Stops, *, patience: float
    ) -> None:
        os.environ["TORCHELASTIC_SIGNALS_TO_HANDLE"] = "SIGQUIT"  # the others are ours
        meeting = StaticTCPRendezvous(place.host, place.port, place.node, place.nodes, begun.name, int(patience) + 1)
        spec = WorkerSpec(
            role="default",
            local_world_size=place.processes,
            entrypoint=sys.executable,
            args=tuple(command),
            rdzv_handler=meeting,
            max_restarts=0,
            monitor_interval=0.1,
        )
        super().__init__(spec, DefaultLogsSpecs(log_dir=os.devnull))
        self._place, self._watch, self._stops = place, watch, stops
        self._passed_on = 0
        self.ended = ""
        """Why the round is over, where that was found out elsewhere."""
        self.lost: Lost | None = None

    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        self._pass_on_stops()
        self.ended = self.ended or self._watch.why_ended()
        if self.ended:
            end_all(self._processes(), told=True)
            return RunResult(state=WorkerState.FAILED)
        codes = [process.poll() for process in self._processes()]
        if any(code not in (None, 0) for code in codes):
            self._let_follow()
            self.lost = self._first_lost(worker_group)
            end_all(self._processes(), told=False)
        elif None in codes:
            # PyTorch looks again, and ends all at once if one was lost just now: nobody would know any more which was
            # the cause. So it is asked only when nobody is left.
            return RunResult(state=WorkerState.HEALTHY)
        found: RunResult = super()._monitor_workers(worker_group)
        return found

    def _exit_barrier(self) -> None:
        """The launchers have a farewell of their own."""

    def _processes(self) -> list[Any]:
        context: Any = self._pcontext
        return [] if context is None else [one.proc for one in context.subprocess_handlers.values()]

    def _pass_on_stops(self) -> None:
        wanted = max(self._stops.count, int(self._watch.asked_to_stop))
        while self._passed_on < wanted:
            self._passed_on += 1
            if self._passed_on > 2:
                self.ended = "stopped"
            elif self._place.node:
                self._watch.ask_to_stop()
            else:
                self._processes()[0].send_signal(signal.SIGINT)

    def _first_lost(self, group: WorkerGroup) -> Lost:
        dead = [
            Lost(worker.global_rank, process.pid, process.poll())
            for worker, process in zip(group.workers, self._processes(), strict=True)
            if process.poll() not in (None, 0)
        ]
        return min(dead, key=lambda one: not one.is_cause)

    def _let_follow(self) -> None:
        deadline = time.monotonic() + _TO_FOLLOW
        while any(one.poll() is None for one in self._processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
