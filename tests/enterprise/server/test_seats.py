# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Who gets a seat, for how long, and who does not."""

import json
import random
from datetime import timedelta

import pytest
from desk import DAY, NOW
from lending import DISTRIBUTED, read

from tunesmith_enterprise.server.refusals import Declined

SECOND = timedelta(seconds=1)


def declined(call, *arguments, **named):
    with pytest.raises(Declined) as caught:
        call(*arguments, **named)
    return caught.value


def test_a_lease_is_signed_by_the_server_that_the_pool_names_and_is_for_one_node_and_one_question(site):
    lease = read(site.lent(site.claim("node-a", {"distributed": {"gpus": 4}}, nonce="question-1")), site)
    assert (lease.pool_id, lease.node, lease.nonce, lease.borrowed) == ("pool-1", "node-a", "question-1", False)
    assert lease.features == {"distributed": {"gpus": 4}}
    assert (lease.granted_at, lease.expires_at) == (NOW, NOW + 60 * SECOND)
    assert lease.open_until == NOW + timedelta(hours=24)


def test_when_all_seats_are_taken_the_answer_says_who_has_them_and_when_to_come_again(site):
    for node in ("node-a", "node-a", "node-b"):
        site.claim(node)
    site.now += 20 * SECOND
    answer = declined(site.claim, "node-c")
    assert (answer.status, answer.code, answer.retry_after) == (409, "no-seat", 40)
    assert "all 3 seats of the pool pool-1 are taken" in answer.message
    assert answer.facts["holders"] == [{"node": "node-a", "seats": 2}, {"node": "node-b", "seats": 1}]


def test_a_seat_that_nobody_renews_comes_back_after_its_time_and_not_before(site):
    for _ in range(3):
        site.claim()
    site.now += 59 * SECOND
    assert declined(site.claim, "node-b").code == "no-seat"
    site.now += SECOND
    assert site.claim("node-b").node == "node-b"
    assert site.events().count("expired") == 3


def test_a_renewed_lease_keeps_its_seat_and_its_serial_rises(site):
    lease = site.claim()
    for _ in range(10):
        site.now += 50 * SECOND
        renewed = site.renew(lease)
        assert (renewed.lease_id, renewed.serial > lease.serial) == (lease.lease_id, True)
        assert renewed.expires_at == site.now + 60 * SECOND
        lease = renewed
    assert site.in_use == 1


def test_serials_rise_over_all_leases_also_after_a_restart(site):
    leases = [site.claim("node-a"), site.claim("node-b")]
    leases.append(site.renew(leases[0]))
    site.restart()
    leases.append(site.claim("node-c"))
    assert [lease.serial for lease in leases] == [1, 2, 3, 4]


def test_each_job_of_a_node_takes_a_seat_of_its_own(site):
    first, second = site.claim("node-a"), site.claim("node-a")
    assert first.lease_id != second.lease_id
    assert site.in_use == 2


def test_a_claim_that_is_asked_again_is_answered_with_the_same_lease_to_the_last_byte(site):
    first = site.lent(site.claim(nonce="same"))
    site.now += 5 * SECOND
    again = site.lent(site.claim(nonce="same"))
    assert again == first
    assert site.in_use == 1


def test_a_nonce_is_good_for_one_lease_only(site):
    lease = site.claim(nonce="same")
    assert declined(site.claim, "node-a", {"governance": {}}, nonce="same").code == "nonce-used"
    assert site.claim("node-b", nonce="same").lease_id != lease.lease_id  # another node's nonce is another one
    site.release(lease)
    assert "ask with a new nonce" in declined(site.claim, nonce="same").fix  # a late copy of the question takes no seat


def test_limits_hold_for_all_leases_together(site):
    site.pool(features={"distributed": {"gpus": 8}}, seats=10)
    site.claim("node-a", {"distributed": {"gpus": 5}})
    answer = declined(site.claim, "node-b", {"distributed": {"gpus": 4}})
    assert (answer.code, answer.retry_after) == ("limit", 60)
    assert "4 gpus; 3 of 8 are free" in answer.message
    site.claim("node-b", {"distributed": {"gpus": 3}})
    too_much = declined(site.claim, "node-c", {"distributed": {"gpus": 9}})
    assert (too_much.code, too_much.retry_after, too_much.fix) == ("limit", None, "ask for less")


def test_a_job_may_ask_for_more_while_it_runs_and_keeps_what_it_has_if_there_is_no_more(site):
    site.pool(features={"distributed": {"gpus": 8}, "governance": {}}, seats=2)
    lease, _ = site.claim("node-a", {"distributed": {"gpus": 4}}), site.claim("node-b", {"distributed": {"gpus": 2}})
    grown = site.renew(lease, {"distributed": {"gpus": 6}, "governance": {}})
    assert grown.features == {"distributed": {"gpus": 6}, "governance": {}}
    assert declined(site.renew, lease, {"distributed": {"gpus": 7}}).code == "limit"
    assert site.renew(lease).features == grown.features
    assert declined(site.renew, lease, {"optimizations": {}}).code == "not-included"


def test_a_feature_that_the_pool_does_not_have_is_declined(site):
    answer = declined(site.claim, features={"optimizations": {}})
    assert (answer.status, answer.code) == (403, "not-included")
    assert answer.facts["has"] == ["distributed", "governance"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"starts_at": NOW + DAY, "expires_at": None}, "upcoming"),
        ({"expires_at": NOW - 14 * DAY, "grace_days": 14}, "expired"),
        ({"expires_at": NOW - DAY, "grace_days": 14}, None),
        ({"expires_at": NOW - 20 * DAY, "maintenance_until": NOW - 20 * DAY}, None),  # this build is older than that
        ({"expires_at": NOW - 20 * DAY, "maintenance_until": NOW - 40 * DAY}, "expired"),
        ({"expires_at": None}, None),
    ],
)
def test_new_leases_are_given_in_the_term_its_grace_and_for_builds_of_the_maintenance(site, changes, code):
    site.pool(**{"starts_at": NOW - 100 * DAY} | changes)
    if code is None:
        assert site.claim().expires_at == NOW + 60 * SECOND
    else:
        assert declined(site.claim).code == code


def test_a_running_job_keeps_its_seat_after_the_end_of_the_pool(site):
    site.pool(expires_at=NOW + DAY, grace_days=0)
    lease = site.claim()
    for _ in range(50):
        site.now += timedelta(hours=1)
        site.renew(lease)  # late each time, but nobody else had the seat
    assert declined(site.claim, "node-b").code == "expired"
    assert site.renew(lease).expires_at == site.now + 60 * SECOND


def test_a_running_job_keeps_its_seat_when_the_vendor_revokes_the_pool(site):
    lease = site.claim()
    site.revoke()
    assert site.service.reload()
    answer = declined(site.claim, "node-b")
    assert (answer.status, answer.code) == (403, "revoked")
    assert "not paid" in answer.message
    assert site.renew(lease).lease_id == lease.lease_id


def test_a_lease_ends_with_its_pool_and_opens_no_job_after_it(site):
    site.pool(expires_at=NOW + 30 * SECOND, grace_days=0)
    lease = site.claim()
    assert (lease.expires_at, lease.open_until) == (NOW + 30 * SECOND, NOW + 30 * SECOND)


def test_a_borrowed_lease_lasts_for_days_is_not_renewed_and_comes_back_early(site):
    site.pool(seats=1)
    lease = site.claim("laptop", borrow_days=7)
    assert (lease.borrowed, lease.expires_at, lease.open_until) == (True, NOW + 7 * DAY, NOW + 7 * DAY)
    assert declined(site.renew, lease).code == "borrowed"
    site.now += DAY
    assert declined(site.claim, "node-b").code == "no-seat"
    assert site.status().usage.borrowed == 1
    site.release(lease)
    assert site.claim("node-b").node == "node-b"


def test_nobody_borrows_longer_than_the_pool_allows_or_lasts(site):
    assert "for 30 days at most" in declined(site.claim, borrow_days=31).message
    site.pool(expires_at=NOW + 3 * DAY, grace_days=2, serial=2)
    site.service.reload()
    assert site.claim(borrow_days=30).expires_at == NOW + 5 * DAY
    site.pool(borrow_days=0, serial=3)
    site.service.reload()
    assert "cannot be borrowed" in declined(site.claim, borrow_days=1).message


def test_a_late_renewal_keeps_the_seat_if_it_is_free_and_not_if_somebody_has_it(site):
    site.pool(seats=1)
    lease = site.claim("node-a")
    site.now += 120 * SECOND
    assert site.renew(lease).lease_id == lease.lease_id
    assert "resumed" in site.events()
    site.now += 120 * SECOND
    site.claim("node-b")
    assert declined(site.renew, lease).code == "no-seat"
    assert site.in_use == 1


def test_a_stranger_can_neither_renew_nor_return_a_lease(site):
    lease = site.claim()
    answer = declined(site.release, lease, "0" * 64)
    assert (answer.status, answer.code) == (403, "not-yours")
    assert site.in_use == 1


def test_a_returned_lease_is_free_at_once_and_is_not_renewed(site):
    site.pool(seats=1)
    lease = site.claim()
    site.release(lease)
    site.release(lease)  # an answer may be lost on the way
    assert declined(site.renew, lease).code == "gone"
    assert site.claim("node-b").node == "node-b"
    assert site.events().count("returned") == 1


def test_of_several_pools_the_one_that_has_a_seat_gives_it(site):
    second = site.desk.pool(site.key._private, pool_id="pool-2", seats=1, features=DISTRIBUTED)
    from tunesmith.licensing import armor

    site.pool(seats=1)
    site.pool_file.write_text(site.pool_file.read_text() + armor(second))
    assert [site.claim().pool_id, site.claim().pool_id] == ["pool-1", "pool-2"]
    assert declined(site.claim).code == "no-seat"
    assert declined(site.claim, pool="pool-3").code == "no-pool"
    assert declined(site.claim, features={"governance": {}}).code == "no-seat"  # that is the pool that has it


def test_the_log_tells_every_lease_and_no_renewal(site):
    lease = site.claim("node-a", {"distributed": {"gpus": 4}})
    site.renew(lease)
    site.release(lease)
    with pytest.raises(Declined):
        site.claim(features={"optimizations": {}})
    assert site.events() == ["pool", "taken", "returned", "declined"]
    taken = json.loads(site.log()[1].details)
    assert taken["node"] == "node-a"
    assert taken["features"] == {"distributed": {"gpus": 4}}
    assert taken["until"] == int((NOW + 60 * SECOND).timestamp())


def test_rows_of_leases_that_ended_long_ago_are_forgotten_and_the_log_is_not(site):
    site.claim("node-a", nonce="old")
    site.now += 30 * DAY
    site.claim("node-b")
    assert site.claim("node-a", nonce="old").serial == 3
    assert site.events().count("taken") == 3


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_asked_in_whatever_order_no_seat_and_no_quantity_is_given_twice(site, seed):
    """Against a list kept beside it: what is held, and until when."""
    draw = random.Random(seed)
    site.pool(seats=4, lease_seconds=10, features={"distributed": {"gpus": 6}, "governance": {}}, borrow_days=1)
    held, serial = {}, 0
    for _ in range(120):
        live = {name: lease for name, lease in held.items() if lease.expires_at > site.now}
        action = draw.choice(["claim", "claim", "renew", "release", "borrow", "wait"])
        chosen = held[draw.choice(sorted(held))] if held else None
        gpus = draw.randint(1, 4)
        used = sum(lease.features["distributed"]["gpus"] for lease in live.values())
        room = len(live) < 4 and used + gpus <= 6
        if action == "wait":
            site.now += timedelta(seconds=draw.choice([1, 5, 11]))
            continue
        lease = declined_with = None
        try:
            if action in ("claim", "borrow"):
                days = 1 if action == "borrow" else None
                lease = site.claim("node", {"distributed": {"gpus": gpus}}, borrow_days=days)
            elif action == "renew" and chosen is not None:
                lease = site.renew(chosen)
            elif action == "release" and chosen is not None:
                site.release(chosen)
                del held[chosen.lease_id]
        except Declined as answer:
            declined_with = answer.code
        assert declined_with in (None, "no-seat", "limit", "borrowed", "gone")
        if action in ("claim", "borrow"):
            assert (lease is not None) == room, "a seat was there and was not given, or the other way round"
        if lease is None:
            continue
        assert lease.serial > serial
        serial = lease.serial
        held[lease.lease_id] = lease
        now_live = [one for one in held.values() if one.expires_at > site.now]
        assert site.in_use == len(now_live) <= 4
        assert sum(one.features["distributed"]["gpus"] for one in now_live) <= 6
