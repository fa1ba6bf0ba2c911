# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Launchers come together, or say who did not; all in one process, over real connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tunesmith.errors import TrainingError
from tunesmith_enterprise.distributed.meeting import Meeting, Outcome, Place, Round, StoppedWaiting
from tunesmith_enterprise.distributed.pulse import STEPPING, Beat
from tunesmith_enterprise.distributed.watching import Watch

Aside = Callable[..., "Future[Any]"]


@pytest.fixture
def aside() -> Iterator[Aside]:
    with ThreadPoolExecutor(4) as threads:
        yield threads.submit


def main_machine(nodes: int = 2, timeout: float = 20, **more: Any) -> Meeting:
    return Meeting(Place(nodes=nodes, processes=1), timeout=timeout, **more)


def other(main: Meeting, node: int = 1, nodes: int = 2, timeout: float = 20, **more: Any) -> Meeting:
    place = Place(node=node, nodes=nodes, processes=1, host=main.place.host, port=main.place.port)
    return Meeting(place, timeout=timeout, **more)


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(TrainingError) as caught:
        work()
    return " ".join(str(caught.value).split())


def test_all_machines_begin_the_same_round(aside: Aside) -> None:
    main = main_machine()
    found = aside(other(main).attend)
    begun = main.begin("task: x")
    assert found.result() == begun
    assert (begun.number, begun.recipe, begun.hosts) == (1, "task: x", (socket.gethostname(),) * 2)


def test_every_round_has_a_name_of_its_own(aside: Aside) -> None:
    main = main_machine()
    second = other(main)
    rounds = []
    for _ in range(2):
        found = aside(second.attend)
        rounds.append(main.begin(""))
        assert found.result() == rounds[-1]
        main.end_round("a test")
    assert rounds[0].name != rounds[1].name


def test_a_machine_that_does_not_come_is_named() -> None:
    text = refused(lambda: main_machine(nodes=3, timeout=0.3).begin(""))
    assert "the machines of the job did not come together within 0.3 seconds" in text
    assert f"came node 0 ({socket.gethostname()}); missing: node 1, node 2" in text
    assert "tunesmith launch --nodes 3 --node-rank 1 --rendezvous 127.0.0.1:" in text


def test_a_main_machine_that_is_not_there_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = Meeting(Place(node=1, nodes=2, processes=1, port=port), timeout=0.3)
    text = refused(meeting.attend)
    assert "the main machine of the job was not found within 0.3 seconds" in text
    assert f"node 1 ({socket.gethostname()}) waited at 127.0.0.1:{port}; nobody answers there" in text


def test_an_address_of_another_machine_cannot_be_held() -> None:
    text = refused(lambda: Meeting(Place(nodes=2, processes=1, host="192.0.2.1", port=29400), timeout=1))
    assert "the main machine cannot hold the job's rendezvous" in text
    assert "192.0.2.1:29400" in text
    assert "--node-rank 0" in text


def test_machines_that_were_started_for_different_jobs(aside: Aside) -> None:
    main = main_machine()
    aside(other(main, nodes=3).attend)
    text = refused(lambda: main.begin(""))
    main.finish(3, "no")
    assert "was started for 3 machines" in text


def test_two_launchers_with_the_same_number(aside: Aside) -> None:
    main = main_machine(nodes=3)
    both = [aside(other(main, nodes=3).attend) for _ in range(2)]
    third = aside(other(main, node=2, nodes=3).attend)
    main.begin("")
    assert isinstance(third.result(), Round)
    problems = [one.exception() for one in both]
    assert sum(problem is None for problem in problems) == 1
    (problem,) = [str(problem) for problem in problems if problem is not None]
    assert "two launchers take part in the job as node 1" in problem


def test_how_the_job_ended_is_heard_and_why(aside: Aside) -> None:
    main = main_machine()
    second = other(main)
    found = aside(second.attend)
    main.begin("")
    found.result()
    found = aside(second.attend)
    began = time.monotonic()
    main.finish(3, "the license")
    assert found.result() == Outcome(3, "the license")
    assert time.monotonic() - began < 3


def test_what_was_said_first_of_an_end_counts(aside: Aside) -> None:
    main = main_machine()
    second = other(main)
    found = aside(second.attend)
    main.begin("")
    found.result()
    assert second.end_round("process 1 ended with signal 9") == "process 1 ended with signal 9"
    assert main.end_round("process 0 lost another") == "process 1 ended with signal 9"


def test_a_launcher_that_was_started_again_ends_the_round_without_it(aside: Aside) -> None:
    main = main_machine()
    found = aside(other(main).attend)
    main.begin("")
    found.result()
    found = aside(other(main).attend)
    store = main.connect()
    while not store.check(["ended/1"]):
        time.sleep(0.02)
    assert store.get("ended/1") == b"node 1 was started again"
    assert main.begin("") == found.result()


def test_who_is_stopped_while_waiting_waits_no_longer() -> None:
    with pytest.raises(StoppedWaiting):
        main_machine(stopped=lambda: True).begin("")


def watch(meeting: Meeting, begun: Round, beats: list[Beat], **patience: float) -> Watch:
    patience = {"hang_timeout": 60.0, "node_timeout": 60.0} | patience
    return Watch(meeting.connect, meeting.place, begun, lambda: beats, **patience)


def eventually(found: Callable[[], str]) -> str:
    deadline = time.monotonic() + 5
    while not found() and time.monotonic() < deadline:
        time.sleep(0.02)
    return found()


def test_a_process_that_hangs_on_another_machine_is_named_on_both(aside: Aside) -> None:
    main = main_machine()
    second = other(main)
    found = aside(second.attend)
    begun = main.begin("")
    found.result()
    waits = Beat(0, "a", 7, 3, STEPPING, "a sum over all", 9, 5.0, 0.1)
    stopped = Beat(1, "b", 8, 3, STEPPING, "", 8, 5.0, 5.0)
    with watch(main, begun, [waits], hang_timeout=1) as here, watch(second, begun, [stopped], hang_timeout=1) as there:
        assert eventually(here.why_ended).startswith("process 1 on b, number 8: step 3")
        assert eventually(there.why_ended) == here.why_ended()


def test_a_machine_that_is_not_heard_of_is_named(aside: Aside) -> None:
    main = main_machine()
    found = aside(other(main).attend)
    begun = main.begin("")
    found.result()
    with watch(main, begun, [], node_timeout=0.4) as here:
        assert f"node 1 ({socket.gethostname()}) was not heard of" in eventually(here.why_ended)


def test_a_machine_that_hears_nothing_of_the_main_one_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = Place(node=1, nodes=2, processes=1, port=free.getsockname()[1])
    begun = Round("x-1", 1, "", ("main", "here"))
    with watch(Meeting(place, timeout=1), begun, [], node_timeout=0.3) as alone:
        assert eventually(alone.why_ended) == "node 1 has not heard of node 0 (main) for 0 seconds"
