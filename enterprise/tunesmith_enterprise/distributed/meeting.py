# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""How the launchers of a job, one for each machine, come together: over a store that the first one holds.

A job goes in *rounds*: in each, all processes are started once. The first machine begins a round, and says when the job
is over; any machine may end one. The store outlives the rounds, and everything that the processes of a round leave in
it has the round's name: torch's own restarts (``max_restarts``) do without that, so that processes that are started
again read the addresses of those that are gone, and wait for them.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from tunesmith.errors import TrainingError

__all__ = ["Meeting", "Outcome", "Place", "Round", "StoppedWaiting"]

_OPERATION: Final = timedelta(seconds=20)
_LOOK: Final = 0.1
_LOOK_FOR_HOST: Final = 2.0
_FAREWELL: Final = 5.0
"""Seconds that the first machine waits for the others to read how the job ended."""


class StoppedWaiting(Exception):  # noqa: N818 -- no error: somebody asked to stop
    """While the machines came together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a launcher is among those of its job.

    Attributes:
        node: 0 is the main machine.
        nodes: how many machines there are.
        processes: on this machine.
        host: of the main machine, as all of them can reach it.
        port: of its store; 0 on a single machine: any free one.
    """

    node: int = 0
    nodes: int = 1
    processes: int
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Round:
    """All processes are about to be started.

    Attributes:
        name: no other round of any job has it.
        number: 1-based.
        recipe: of the run that is gone on with, as text; empty: a new run, of the recipe that each machine has.
        hosts: the machines, by node.
    """

    name: str
    number: int
    recipe: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The job is over.

    Attributes:
        code: its exit code.
        why: for those that have not said it themselves; may be empty.
    """

    code: int
    why: str


class Meeting:
    """The launcher's side of it. Made on the main machine, the store is open from then on.

    Args:
        timeout: seconds to come together, for each round.
        stopped: somebody asked to stop.

    Raises:
        TrainingError: the main machine cannot hold the store there.
    """

    def __init__(self, place: Place, *, timeout: float, stopped: Callable[[], bool] = lambda: False) -> None:
        self.place, self._timeout, self._stopped = place, timeout, stopped
        self._token = uuid4().hex
        self._job, self._number = "", 0
        self._held: Any = None
        self._store: Any = None
        if place.node == 0:
            self._held, port = _hold(place)
            self.place = Place(
                node=0, nodes=place.nodes, processes=place.processes, host=place.host, port=port
            )  # the port that was free
            self._store = self._held
            self._job = uuid4().hex
            self._store.set("job", self._job)

    def connect(self) -> Any:
        """A connection of its own: for another thread.

        Raises:
            OSError: nobody answers there.
            RuntimeError: it is no store.
        """
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        # An attempt of ours first: the store's own would say on the terminal that it tries again.
        socket.create_connection((self.place.host, self.place.port), timeout=_LOOK_FOR_HOST).close()
        return TCPStore(self.place.host, self.place.port, is_master=False, wait_for_workers=False, timeout=_OPERATION)

    # ---- rounds ----------------------------------------------------------------------------------

    def begin(self, recipe: str) -> Round:
        """Begin the next round, and wait for all machines; called on the main one.

        Args:
            recipe: see :class:`Round`.

        Raises:
            TrainingError: not all came in time, or one is there for another job.
            StoppedWaiting: somebody asked to stop.
        """
        self._number += 1
        self._store.set(f"plan/{self._number}", json.dumps({"recipe": recipe}))
        self._store.set("round", str(self._number))
        self._arrive()
        keys = {node: f"here/{self._number}/{node}" for node in range(self.place.nodes)}
        deadline = time.monotonic() + self._timeout
        while missing := [node for node, key in keys.items() if not self._store.check([key])]:
            self._wait(deadline, lambda: self._not_all(missing))
        here = [json.loads(self._store.get(key)) for key in keys.values()]
        for node, one in enumerate(here):
            if one["nodes"] != self.place.nodes:
                raise TrainingError(
                    "the machines of the job were not started for the same job",
                    given=f"node {node} ({one['host']}) was started for {one['nodes']} machines",
                    expected=f"{self.place.nodes}, as node 0 was",
                    fix="give the same --nodes on every machine",
                )
        hosts = tuple(str(one["host"]) for one in here)
        self._store.set(f"go/{self._number}", json.dumps(hosts))
        return Round(self._name, self._number, recipe, hosts)

    def attend(self) -> Round | Outcome:
        """Wait for the next round, or for the end of the job; called on the other machines.

        Raises:
            TrainingError: neither came in time, or another launcher is this node too.
            StoppedWaiting: somebody asked to stop.
        """
        deadline = time.monotonic() + self._timeout
        store = self._reach(deadline)
        while True:
            try:
                if store.check(["outcome"]):
                    return self._hear_outcome(store)
                if self._is_new(store):
                    break
            except RuntimeError:  # the main machine, or the way to it, went away: it may come back
                store = self._reach(deadline)
            self._wait(deadline, self._nothing_begun)
        self._store = store
        self._arrive()
        go = f"go/{self._number}"
        while not store.check([go]):
            if store.check(["outcome"]):
                return self._hear_outcome(store)
            self._wait(deadline, lambda: self._not_all(self._missing()))
        holder = json.loads(store.get(f"here/{self._number}/{self.place.node}"))
        if holder["token"] != self._token:
            raise TrainingError(
                f"two launchers take part in the job as node {self.place.node}",
                given=f"this one, and one on {holder['host']} with number {holder['pid']}",
                expected="one for each --node-rank",
                fix="give every machine a --node-rank of its own, from 0",
            )
        recipe = str(json.loads(store.get(f"plan/{self._number}"))["recipe"])
        return Round(self._name, self._number, recipe, tuple(json.loads(store.get(go))))

    def end_round(self, why: str) -> str:
        """Say that this round is over; gives what was said first, here or elsewhere."""
        try:
            return str(self._store.compare_set(f"ended/{self._number}", "", why).decode())
        except RuntimeError:  # the main machine cannot be reached: it will miss this one
            return why

    def tell(self, code: int, why: str) -> None:
        """Pass on what a process of this machine told, by which the job is over. Before :meth:`end_round`."""
        with suppress(RuntimeError):  # the main machine cannot be reached: it will miss this one
            self._store.compare_set(f"told/{self._number}", "", json.dumps({"code": code, "why": why}))

    def told(self) -> Outcome | None:
        """What a process on any machine told in this round first. Called on the main machine."""
        key = f"told/{self._number}"
        return Outcome(**json.loads(self._store.get(key))) if self._store.check([key]) else None

    def finish(self, code: int, why: str = "") -> None:
        """The job is over; waits a little for the others to hear it. Called on the main machine."""
        self._store.set("outcome", json.dumps({"code": code, "why": why}))
        deadline = time.monotonic() + _FAREWELL
        others = [f"bye/{node}" for node in range(1, self.place.nodes)]
        there = [key for key in others if self._store.check([key.replace("bye/", f"here/{self._number}/")])]
        while not all(self._store.check([key]) for key in there) and time.monotonic() < deadline:
            time.sleep(_LOOK)

    # ---- parts -----------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return f"{self._job}-{self._number}"

    def _arrive(self) -> None:
        me = {"host": socket.gethostname(), "pid": os.getpid(), "nodes": self.place.nodes, "token": self._token}
        self._store.set(f"here/{self._number}/{self.place.node}", json.dumps(me))

    def _reach(self, deadline: float) -> Any:
        while True:
            with suppress(OSError, RuntimeError):
                return self.connect()
            self._wait(deadline, self._nobody)

    def _is_new(self, store: Any) -> bool:
        """A round that this launcher has not been part of; takes note of it."""
        if not store.check(["job", "round"]):
            return False
        job, number = store.get("job").decode(), int(store.get("round"))
        if (job, number) == (self._job, self._number) or store.check([f"ended/{number}"]):
            return False
        if store.check([f"go/{number}"]):  # begun without this launcher, which was started again
            store.compare_set(f"ended/{number}", "", f"node {self.place.node} was started again")
            return False
        self._job, self._number = job, number
        return True

    def _hear_outcome(self, store: Any) -> Outcome:
        found = json.loads(store.get("outcome"))
        with suppress(RuntimeError):
            store.set(f"bye/{self.place.node}", "1")
        return Outcome(int(found["code"]), str(found["why"]))

    def _missing(self) -> list[int]:
        keys = [f"here/{self._number}/{node}" for node in range(self.place.nodes)]
        return [node for node, key in enumerate(keys) if not self._store.check([key])]

    def _wait(self, deadline: float, problem: Callable[[], TrainingError]) -> None:
        if self._stopped():
            raise StoppedWaiting
        if time.monotonic() > deadline:
            raise problem()
        time.sleep(_LOOK)

    def _not_all(self, missing: list[int]) -> TrainingError:
        came = []
        for node in range(self.place.nodes):
            if node not in missing:
                one = json.loads(self._store.get(f"here/{self._number}/{node}"))
                came.append(f"node {node} ({one['host']})")
        absent = ", ".join(f"node {node}" for node in missing)
        return TrainingError(
            f"the machines of the job did not come together within {self._timeout:g} seconds",
            given=f"at {self.place.where} came {', '.join(came)}; missing: {absent}",
            expected=f"{self.place.nodes} machines",
            fix=[
                f"there: tunesmith launch --nodes {self.place.nodes} --node-rank {missing[0]} "
                f"--rendezvous {self.place.where} …",
                f"see that they can reach port {self.place.port} of {self.place.host}",
                "give them more time: --join-timeout SECONDS",
            ],
        )

    def _nobody(self) -> TrainingError:
        return TrainingError(
            f"the main machine of the job was not found within {self._timeout:g} seconds",
            given=f"node {self.place.node} ({socket.gethostname()}) waited at {self.place.where}; nobody answers there",
            expected="`tunesmith launch --node-rank 0` on that machine",
            fix=[
                f"see that it runs, and that this machine can reach port {self.place.port} of {self.place.host}",
                "give it more time: --join-timeout SECONDS",
            ],
        )

    def _nothing_begun(self) -> TrainingError:
        return TrainingError(
            f"the main machine of the job began nothing within {self._timeout:g} seconds",
            given=f"node {self.place.node} ({socket.gethostname()}) waited at {self.place.where}",
            expected="the next start of all processes, or the end of the job",
            fix="see what node 0 says",
        )


def _hold(place: Place) -> tuple[Any, int]:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    # A store asks nobody who he is: it is open on the one address that was named, not on all of this machine's.
    try:
        family, _, _, _, address = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family)
    except OSError as error:
        raise TrainingError(
            "the main machine cannot hold the job's rendezvous",
            given=f"{place.where} on {socket.gethostname()}: {error.strerror or error}",
            expected="an address of the machine with --node-rank 0, and a free port",
            fix="give every machine the same --rendezvous HOST:PORT; HOST is the machine with --node-rank 0",
        ) from None
    port = listener.getsockname()[1]
    store = TCPStore(
        place.host, port, is_master=True, wait_for_workers=False, multi_tenant=True, timeout=_OPERATION,
        master_listen_fd=listener.detach(),
    )  # fmt: skip
    return store, port
