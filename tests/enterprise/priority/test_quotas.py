# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Quotas: never over them, whoever races; what is not used goes back; and `Retry-After` is right."""

from __future__ import annotations

import math
import threading

import pytest
from asked import TWO, Clock, Paper
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.engine import Origin, Ticket
from tunesmith.errors import BusyError, RequestError
from tunesmith_enterprise.priority.plan import read_plan
from tunesmith_enterprise.priority.quotas import quota_of
from tunesmith_enterprise.priority.scheduler import Ordering


def limited(**limits: int) -> Paper:
    return Paper(TWO | {"tenants": {"acme": dict(limits), "bolt": {}}}, slots=2)


def test_all_that_a_request_may_use_is_taken_at_once_and_the_rest_given_back() -> None:
    paper = limited(tokens_per_minute=60)
    first = paper.ask("acme", "batch", prompt=10, most=40)
    assert paper.figure("quota_tokens_left") == {("acme",): 10.0}
    with pytest.raises(BusyError, match="acme has used its tokens of this minute") as caught:
        paper.ask("acme", "batch", prompt=5, most=10)
    assert caught.value.given == "5 tokens to read and up to 10 to make; 10 are left"
    assert caught.value.expected == "at most 60 tokens a minute"
    paper.ask("bolt", "batch")  # others are not concerned
    paper.step()
    paper.end(first, "cancelled")  # one token was made
    assert paper.figure("quota_tokens_left") == {("acme",): 49.0}
    assert paper.figure("refusals") == {("quota", "batch"): 1.0}


def test_a_request_that_never_began_costs_nothing() -> None:
    paper = limited(tokens_per_day=100)
    ticket = paper.ask("acme", "batch", prompt=50, most=50)
    paper.end(ticket, "failed")
    assert paper.figure("quota_tokens_left") == {("acme",): 100.0}


def test_retry_after_is_when_it_can_be_paid_and_not_before() -> None:
    paper = limited(tokens_per_minute=60, tokens_per_day=86_400)
    paper.ask("acme", "batch", prompt=30, most=30)
    with pytest.raises(BusyError) as caught:
        paper.ask("acme", "batch", prompt=10, most=11)
    seconds = caught.value.retry_after
    assert seconds == pytest.approx(21)  # a token a second
    paper.clock.now += seconds - 0.5
    with pytest.raises(BusyError):
        paper.ask("acme", "batch", prompt=10, most=11)
    paper.clock.now += 0.5
    paper.ask("acme", "batch", prompt=10, most=11)


def test_of_two_limits_the_one_that_is_missed_for_longer_is_told() -> None:
    paper = limited(tokens_per_minute=60, tokens_per_day=120)
    for _ in range(2):
        paper.ask("acme", "batch", prompt=30, most=30)
        paper.clock.now += 60
    with pytest.raises(BusyError, match="of this day") as caught:
        paper.ask("acme", "batch", prompt=1, most=1)
    assert caught.value.retry_after == pytest.approx((2 - 120 * 120 / 86_400) / (120 / 86_400), rel=1e-3)


def test_what_never_fits_is_no_question_of_time() -> None:
    paper = limited(tokens_per_minute=60)
    with pytest.raises(RequestError, match="acme may not use so many tokens at once") as caught:
        paper.ask("acme", "batch", prompt=10, most=51)
    assert (caught.value.parameter, caught.value.expected) == (
        "max_new_tokens",
        "at most 60 together, its tokens of one minute",
    )


def test_many_threads_at_once_never_get_more_than_there_is() -> None:
    quota = quota_of(1000, None, Clock())
    got: list[int] = []
    together = threading.Barrier(16)

    def take() -> None:
        together.wait()
        for _ in range(50):
            if quota.reserve(7) is None:
                got.append(7)

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 994
    assert quota.left() == 6


def test_two_models_of_one_server_share_the_tenants_quota() -> None:
    ordering = Ordering(read_plan({"classes": {"all": {}}, "tenants": {"acme": {"tokens_per_minute": 100}}}), Clock())
    queues = [ordering.queue(name, slots=1, waiting=1000) for name in ("one", "two")]
    taken: list[int] = []
    together = threading.Barrier(2)

    def submit(number: int) -> None:
        together.wait()
        for _ in range(30):
            ticket = Ticket()
            ticket.origin, ticket.prompt_tokens, ticket.most_tokens = Origin("acme"), 2, 1
            try:
                queues[number].add(ticket, [])
            except BusyError:
                continue
            taken.append(3)

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 99


@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(0, 30), st.floats(0, 1)), min_size=1, max_size=60),
    st.integers(20, 200),
)
def test_what_is_used_is_never_more_than_a_full_bucket_and_what_came_since(
    requests: list[tuple[int, float, float]], most: int
) -> None:
    clock = Clock()
    quota, used, begun = quota_of(most, None, clock), 0, clock.now
    for tokens, pause, part in requests:
        lack = quota.reserve(tokens)
        if lack is None:
            spent = round(tokens * part)
            quota.give_back(tokens - spent)
            used += spent
        elif lack.seconds is not None:
            assert tokens <= most
            clock.now += lack.seconds + 1e-6
            assert quota.reserve(tokens) is None
            used += tokens
        else:
            assert tokens > most
        assert used <= most + math.ceil((clock.now - begun) * most / 60) + 1
        clock.now += pause
