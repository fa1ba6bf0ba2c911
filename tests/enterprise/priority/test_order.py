# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Whose turn it is, played on paper: ranks, weights, least shares, who gives way, who is refused."""

from __future__ import annotations

from typing import Any

import pytest
from asked import TWO, Paper

from tunesmith.engine import Origin, Ticket
from tunesmith.engine.requests import OWN
from tunesmith.errors import BusyError, DeadlineError, DeniedError


def plan(**classes: Any) -> dict[str, Any]:
    return {"classes": classes, "tenants": {"acme": {}, "bolt": {}}}


# ---- shares ----------------------------------------------------------------------------------------------------------


def test_tenants_of_equal_weight_have_equal_tokens_whatever_they_ask_for() -> None:
    alike = Paper(TWO, slots=4)
    alike.keep_busy(2000, ("acme", "batch"), ("bolt", "batch"))
    # bolt's answers are four times as long, and it asks twice as often
    longer = Paper(TWO, slots=4)
    for _ in range(2000):
        for tenant, most, depth in (("acme", 10, 3), ("bolt", 40, 6)):
            while sum(one.origin.tenant == tenant for one in longer.waiting) < depth:
                longer.ask(tenant, "batch", most=most)
        longer.step()
    for paper in (alike, longer):
        read_and_made = paper.figure("tokens")
        ratio = read_and_made["model", "acme", "batch"] / read_and_made["model", "bolt", "batch"]
        assert ratio == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("weight", [2.0, 5.0])
def test_tokens_follow_the_weights_of_tenants(weight: float) -> None:
    paper = Paper(TWO | {"tenants": {"acme": {"weight": weight}, "bolt": {}}}, slots=4)
    made = paper.keep_busy(2000, ("acme", "batch"), ("bolt", "batch"), depth=8)
    assert made["acme", "batch"] / made["bolt", "batch"] == pytest.approx(weight, rel=0.1)


def test_tokens_follow_the_weights_of_classes_of_one_rank() -> None:
    paper = Paper(plan(one={"weight": 3.0}, other={"weight": 1.0}), slots=4)
    made = paper.keep_busy(2000, ("acme", "one"), ("acme", "other"), depth=8)
    assert made["acme", "one"] / made["acme", "other"] == pytest.approx(3, rel=0.1)


def test_a_tenant_that_comes_back_has_saved_nothing_up() -> None:
    paper = Paper(TWO, slots=2)
    paper.keep_busy(1000, ("acme", "batch"))
    made = paper.keep_busy(200, ("acme", "batch"), ("bolt", "batch"))
    assert made["acme", "batch"] > 0.4 * sum(made.values())


def test_a_class_behind_starves_unless_it_has_a_least_share() -> None:
    flows = (("acme", "top"), ("bolt", "low"))
    starved = Paper(plan(top={"rank": 0, "may_preempt": True}, low={"rank": 1}), slots=2)
    assert starved.keep_busy(1000, *flows)["bolt", "low"] == 0
    fed = Paper(plan(top={"rank": 0, "may_preempt": True}, low={"rank": 1, "min_share": 0.2}), slots=2)
    made = fed.keep_busy(2000, *flows)
    assert made["bolt", "low"] / sum(made.values()) == pytest.approx(0.2, abs=0.03)


def test_a_class_has_no_more_places_than_its_share() -> None:
    paper = Paper(plan(top={"rank": 0, "max_share": 0.5}, low={"rank": 1}), slots=4)
    for _ in range(4):
        paper.ask("acme", "top")
    paper.begin()
    assert len(paper.running) == 2
    paper.ask("acme", "low")
    paper.begin()
    assert [one.origin.request_class for one in paper.running] == ["top", "top", "low"]


def test_a_tenant_has_no_more_under_way_than_it_may_and_others_go_on() -> None:
    paper = Paper(TWO | {"tenants": {"acme": {"concurrency": 1}, "bolt": {}}}, slots=3)
    for tenant in ("acme", "acme", "acme", "bolt"):
        paper.ask(tenant, "batch")
    paper.begin()
    assert sorted(one.origin.tenant for one in paper.running) == ["acme", "bolt"]
    paper.end(next(one for one in paper.running if one.origin.tenant == "acme"))
    paper.begin()
    assert sorted(one.origin.tenant for one in paper.running) == ["acme", "bolt"]
    assert paper.figure("tenant_running")["acme",] == 1


def test_a_tenants_concurrency_counts_over_all_models() -> None:
    paper = Paper(TWO | {"tenants": {"acme": {"concurrency": 1}}}, slots=3)
    other = paper.ordering.queue("other", slots=3, waiting=9)
    paper.ask("acme", "batch")
    paper.begin()
    ticket = Ticket()
    ticket.origin = Origin("acme", "batch")
    other.add(ticket, [])
    assert other.next([ticket], []) is None
    paper.end(paper.running[0])
    assert other.next([ticket], []) is ticket


def test_within_a_tenant_callers_take_turns() -> None:
    paper = Paper(TWO, slots=2)
    many = [paper.ask("acme", "batch", caller="many") for _ in range(4)]
    few = paper.ask("acme", "batch", caller="few")
    paper.begin()
    assert paper.running == [many[0], few]


# ---- giving way ------------------------------------------------------------------------------------------------------


def test_whoever_began_last_in_the_class_furthest_behind_gives_way() -> None:
    paper = Paper(plan(top={"rank": 0, "may_preempt": True}, mid={"rank": 1}, low={"rank": 2}), slots=3)
    first = paper.ask("acme", "low")
    paper.step()
    paper.ask("acme", "mid")
    last = paper.ask("acme", "low")
    paper.step()
    top = paper.ask("bolt", "top")
    paper.begin()
    assert top in paper.running
    assert paper.waiting == [last]
    assert (last.paused, first.paused) == (1, 0)
    assert paper.figure("preemptions")["model", "low"] == 1


def test_a_class_that_may_not_preempt_waits_and_none_gives_way_to_its_own_rank() -> None:
    paper = Paper(plan(top={"rank": 0}, other={"rank": 1, "may_preempt": True}, low={"rank": 1}), slots=1)
    low = paper.ask("acme", "low")
    paper.begin()
    paper.ask("acme", "top")
    paper.ask("acme", "other")
    paper.begin()
    assert paper.running == [low]


def test_classes_behind_pause_while_one_before_them_is_under_way_as_far_as_it_says() -> None:
    for share, beside in ((0.0, 0), (0.5, 2)):
        first = {"rank": 0, "may_preempt": True, "behind_share": share}
        paper = Paper(plan(top=first, low={"rank": 1}), slots=4)
        for _ in range(4):
            paper.ask("acme", "low", most=20)
        paper.step()
        paper.ask("bolt", "top", most=3)
        paper.begin()
        assert [one.origin.request_class for one in paper.running].count("low") == beside
        for _ in range(3):
            paper.step()
            assert sum(one.origin.request_class == "low" for one in paper.running) == beside
        paper.step()
        assert len(paper.running) == 4  # it has ended, and all of them go on
        for _ in range(20):
            paper.step()
        assert len(paper.ended) == 5


def test_all_classes_behind_share_what_one_before_them_leaves() -> None:
    first = {"rank": 0, "may_preempt": True, "behind_share": 0.5}
    paper = Paper(plan(top=first, mid={"rank": 1}, low={"rank": 2}), slots=4)
    for name in ("low", "mid", "mid", "mid"):
        paper.ask("acme", name, most=20)
    paper.step()
    paper.ask("bolt", "top", most=4)
    for _ in range(3):
        paper.step()
        assert [one.origin.request_class for one in paper.running] == ["mid", "mid", "top"]  # two of four places
    while paper.waiting or paper.running:
        paper.step()
    assert len(paper.ended) == 5
    assert max(one.paused for one in paper.ended) == 1


def test_a_class_that_is_owed_its_share_runs_beside_one_that_wants_to_be_alone() -> None:
    alone = {"rank": 0, "may_preempt": True, "behind_share": 0.0}
    paper = Paper(plan(top=alone, low={"rank": 1, "min_share": 0.2}), slots=2)
    made = paper.keep_busy(2000, ("acme", "top"), ("bolt", "low"))
    assert made["bolt", "low"] / sum(made.values()) == pytest.approx(0.2, abs=0.03)


def test_who_gave_way_goes_on_before_those_that_came_later() -> None:
    paper = Paper(TWO, slots=1)
    early = paper.ask("acme", "batch")
    paper.step()
    later = paper.ask("acme", "batch")
    paper.ask("bolt", "interactive", most=3)
    while len(paper.ended) < 3:
        paper.step()
    assert paper.ended[1:] == [early, later]
    assert early.made_tokens == 10


def test_what_a_class_was_owed_is_not_taken_away_again() -> None:
    paper = Paper(plan(top={"rank": 0, "may_preempt": True}, low={"rank": 1, "min_share": 0.1}), slots=1)
    low = paper.ask("bolt", "low", most=30)
    while low not in paper.running:
        if not paper.waiting or len(paper.waiting) < 3:
            paper.ask("acme", "top")
        paper.step()
        assert len(paper.ended) < 50
    while low not in paper.ended:
        paper.ask("acme", "top") if len(paper.waiting) < 3 else None
        paper.step()
    assert low.paused == 0


# ---- who is refused --------------------------------------------------------------------------------------------------


def test_an_unknown_tenant_has_a_share_with_the_others_or_is_refused() -> None:
    paper = Paper(TWO)
    paper.ask("stranger", "batch")
    assert paper.figure("tenant_running").keys() == {("acme",), ("bolt",), ("(others)",), ("(server)",)}
    strict = Paper(TWO | {"others": "refuse"})
    for name in ("stranger", "", "(others)"):
        with pytest.raises(DeniedError, match="this tenant is not known here") as caught:
            strict.ask(name, "batch")
        assert caught.value.given == (name or "no tenant")
    assert strict.figure("refusals") == {("tenant", ""): 3.0}
    strict.queue.check(OWN, "", [])  # the server's own questions at its start are always answered


def test_a_class_that_is_not_for_a_tenant_is_refused() -> None:
    paper = Paper(TWO | {"tenants": {"acme": {"classes": ["batch"]}}})
    with pytest.raises(DeniedError, match="requests of acme may not be of this class") as caught:
        paper.ask("acme", "interactive")
    assert (caught.value.given, caught.value.expected) == ("interactive", "batch")
    assert paper.queue.lanes["batch"].waits == 0
    paper.ask("acme")
    assert paper.queue.lanes["batch"].waits == 1  # without a word it has the class that it may use
    with pytest.raises(DeniedError, match="may not be of this class"):
        paper.ask("bolt", "golden")


def test_half_of_the_queue_is_kept_for_the_first_rank_and_half_of_a_part_for_others() -> None:
    paper = Paper(TWO, waiting=8)
    for tenant in ("acme", "acme", "bolt"):
        paper.ask(tenant, "batch")
    with pytest.raises(BusyError, match="too much to do for you") as caught:
        paper.ask("acme", "batch")
    assert caught.value.expected == "fewer than 2: the rest is kept for others"
    paper.ask("bolt", "batch")
    with pytest.raises(BusyError, match="has too much to do\n") as caught:
        paper.ask("stranger", "batch")
    assert caught.value.expected == "fewer than 4: the rest is kept for classes of the first rank"
    for tenant in ("acme", "acme", "bolt", "bolt"):
        paper.ask(tenant, "interactive")
    with pytest.raises(BusyError, match="8 requests waiting"):
        paper.ask("stranger", "interactive")
    assert paper.figure("refusals") == {("busy", "batch"): 2.0, ("busy", "interactive"): 1.0}


def test_one_caller_does_not_fill_the_queue_where_no_tenant_is_named() -> None:
    paper = Paper({"classes": TWO["classes"]}, waiting=8)
    for _ in range(4):
        paper.ask("", "interactive", caller="many")
    with pytest.raises(BusyError, match="too much to do for you"):
        paper.ask("", "interactive", caller="many")
    paper.ask("", "interactive", caller="few")


# ---- deadlines -------------------------------------------------------------------------------------------------------


def test_a_class_brings_the_deadline_of_its_requests_forward() -> None:
    paper = Paper(plan(top={"deadline_seconds": 2.0}, low={}))
    assert paper.ask("acme", "top").deadline == pytest.approx(paper.clock() + 2)
    assert paper.ask("acme", "low").deadline is None


def refused(paper: Paper) -> DeadlineError:
    for _ in range(20):
        try:
            paper.ask("acme", "top", most=10)
        except DeadlineError as error:
            return error
    raise AssertionError("all of them were taken")


def test_what_could_not_be_in_time_is_refused_at_once() -> None:
    paper = Paper(plan(top={"rank": 0, "deadline_seconds": 2.0}, low={"rank": 1}), slots=1)
    paper.keep_busy(400, ("bolt", "top"))  # 100 tokens a second made, 50 read
    for _ in range(20):
        paper.ask("acme", "top", most=10)  # 15 tokens each: a tenth of a second
    error = refused(paper)
    assert "s of work before it, and 2.0 s left" in (error.given or "")
    assert paper.figure("refusals") == {("deadline", "top"): 1.0}
    paper.ask("bolt", "top")  # what others have asked for does not surely come before it
    paper.ask("acme", "top", caller="else")


def test_what_ran_out_of_time_is_counted() -> None:
    paper = Paper(plan(top={"deadline_seconds": 0.05}), slots=1)
    ticket = paper.ask("acme", most=100)
    for _ in range(6):
        paper.step()
    paper.end(ticket, "failed")
    assert paper.figure("deadlines_missed")["model", "top"] == 1


# ---- figures ---------------------------------------------------------------------------------------------------------


def test_figures_say_who_waits_for_how_long_and_who_used_what() -> None:
    paper = Paper(TWO, slots=1)
    paper.ask("acme", "batch", prompt=7, most=3)
    paper.ask("stranger", "interactive", prompt=2, most=2)
    assert paper.figure("waiting") == {("model", "interactive"): 1, ("model", "batch"): 1}
    paper.step()
    assert paper.figure("running") == {("model", "interactive"): 1, ("model", "batch"): 0}
    while paper.waiting or paper.running:
        paper.step()
    assert paper.figure("tokens") == {("model", "acme", "batch"): 10, ("model", "(others)", "interactive"): 4}
    waited = paper.figure("wait_seconds")["model", "batch"]
    assert (sum(waited.counts), waited.sum) == (1, pytest.approx(0.02))


def test_names_that_clients_choose_add_no_figures() -> None:
    paper = Paper(TWO, waiting=5000)
    for number in range(500):
        ticket = paper.ask(f"tenant-{number}", "batch", caller=f"caller-{number}")
        paper.begin()
        paper.end(ticket)
    assert sum(len(one.values) for one in paper.ordering.measures()) < 40
    assert paper.queue.lanes["batch"].waiting == {}
    assert paper.queue._entries == {}
    assert paper.queue._running == set()
    assert not paper.queue.lanes["batch"]._callers
