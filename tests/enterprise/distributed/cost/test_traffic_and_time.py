# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Bytes and seconds of sums, and of steps that are made of them, against what can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tunesmith.errors import RecipeError
from tunesmith.planning import JobShape, Row
from tunesmith_enterprise.distributed.cost.layouts import divide
from tunesmith_enterprise.distributed.cost.machines import LINKS_REACH, MACHINES, Link
from tunesmith_enterprise.distributed.cost.projecting import cost_of
from tunesmith_enterprise.distributed.cost.steps import step_of
from tunesmith_enterprise.distributed.cost.timeline import Schedule
from tunesmith_enterprise.distributed.cost.traffic import Group

MakeJob = Callable[..., JobShape]
H100 = MACHINES["h100"]
FREE = replace(H100, within=Link(1e18, 0.0), between=Link(1e18, 0.0))
"""Sends at once."""


@pytest.mark.parametrize("members", [2, 4, 8])
def test_a_ring_sends_what_no_algorithm_can_undercut(members: int) -> None:
    group = Group(H100, members, members, members)
    share = (members - 1) / members
    assert group.sum(1e9).sent == pytest.approx(2 * share * 1e9)
    assert group.gather(1e9).sent == group.scatter_sum(1e9).sent == pytest.approx(share * 1e9)
    assert group.sum(1e12).seconds == pytest.approx(2 * share * 1e12 / (LINKS_REACH * 450e9), rel=1e-3)


def test_gloo_sums_in_shards_by_a_whole_sum() -> None:
    group = Group(replace(H100, gloo=True), 4, 4, 4)
    assert group.scatter_sum(1e9) == group.sum(1e9)


def test_one_process_sends_nothing() -> None:
    assert Group(H100, 1, 1, 8).sum(1e9) == (0.0, 0.0)


def test_between_machines_the_cards_of_all_processes_count_that_send_at_once() -> None:
    everybody, one_each = Group(H100, 16, 8, 8), Group(H100, 2, 1, 8)
    assert everybody.bandwidth == pytest.approx(LINKS_REACH * 400e9)  # the eight cards of a machine
    assert one_each.bandwidth == pytest.approx(LINKS_REACH * 50e9)  # while seven other groups send as well
    assert (everybody.nodes, one_each.nodes) == (2, 2)


def test_latency_grows_with_the_ring_and_less_with_a_tree() -> None:
    small = [Group(H100, 8 * nodes, 8, 8).sum(8.0).seconds for nodes in (2, 16, 128)]
    rings = [Group(H100, 8 * nodes, 8, 8).gather(8.0).seconds for nodes in (2, 16, 128)]
    assert small[2] < 5 * small[0]
    assert rings[2] > 30 * rings[0]


def test_work_waits_for_its_queue_and_for_what_it_needs() -> None:
    schedule = Schedule()
    first = schedule.add("send", 2.0, sent=10)
    schedule.add("compute", 3.0, [first])
    schedule.add("send", 1.0, sent=5)  # behind the first, beside the computation
    timeline = schedule.done()
    assert (timeline.seconds, timeline.computing, timeline.sending, timeline.sent) == (5.0, 3.0, 3.0, 15.0)
    assert timeline.waiting == 2.0
    with pytest.raises(ValueError, match="no less than 0 seconds, given -1"):
        schedule.add("send", -1)


def test_alone_a_step_is_its_operations_by_the_rate(job: MakeJob) -> None:
    shape = job()
    step = step_of(shape, divide("ddp", shape, H100, world=1, per_node=1), H100, grown=False)
    known = 6 * (shape.parameters - 128_256 * 4096) * 16_384 + 12 * 32 * 4096 * 16_384 * 8192
    assert step.operations == pytest.approx(known, rel=1e-3)
    adam = 28 * shape.moving / H100.memory_bandwidth
    assert step.timeline.seconds == pytest.approx(step.operations / (0.35 * 989e12) + adam, rel=1e-6)
    assert (step.timeline.sent, step.timeline.waiting, step.tokens) == (0, pytest.approx(0, abs=1e-6), 16_384)


def test_ddp_sends_every_gradient_once_behind_the_step(job: MakeJob) -> None:
    shape = job()
    step = step_of(shape, divide("ddp", shape, H100, world=8, per_node=8), H100, grown=True)
    assert step.timeline.sent == pytest.approx(2 * 7 / 8 * 4 * shape.moving)
    assert step.timeline.waiting == pytest.approx(step.timeline.sending, rel=1e-6)


def test_fsdp_sends_weights_twice_in_bf16_and_gradients_once_in_fp32(job: MakeJob) -> None:
    shape = job()
    step = step_of(shape, divide("fsdp", shape, H100, world=8, per_node=8), H100, grown=True)
    inside = sum(one.parameters for one in shape.blocks)
    gathered = 2 * (shape.parameters + inside)
    assert step.timeline.sent == pytest.approx(7 / 8 * (gathered + 4 * shape.moving))
    kept = job(recipe={"plugins": {"enterprise": {"fsdp": {"reshard": False}}}})
    once = step_of(kept, divide("fsdp", kept, H100, world=8, per_node=8), H100, grown=True)
    assert once.timeline.sent == pytest.approx(7 / 8 * (2 * shape.parameters + 4 * shape.moving))


def test_what_fsdp_sends_is_hidden_behind_long_layers_and_not_behind_short_ones(job: MakeJob) -> None:
    long = cost_of("fsdp", job(), H100, processes=8, nodes=1, grown=True)
    assert long.step.timeline.waiting < 0.2 * long.step.timeline.sending
    short = job(batches=((Row(16, 16),),))
    exposed = cost_of("fsdp", short, H100, processes=8, nodes=1, grown=True)
    assert exposed.step.timeline.waiting > 0.8 * exposed.step.timeline.sending
    assert exposed.efficiency < 0.7 < long.efficiency


def test_parts_of_a_step_gather_anew_and_sum_with_ddp_once(job: MakeJob) -> None:
    def sent(strategy: str, parts: int) -> float:
        return cost_of(strategy, job(parts=parts), H100, processes=8, nodes=1, grown=True).step.timeline.sent

    assert sent("ddp", 4) == sent("ddp", 1)
    assert sent("fsdp", 4) == pytest.approx(4 * sent("fsdp", 1))


def test_hsdp_sends_shards_only_between_machines(job: MakeJob) -> None:
    shape = job()
    flat = cost_of("fsdp", shape, H100, processes=8, nodes=16, grown=True)
    hybrid = cost_of("hsdp", shape, H100, processes=8, nodes=16, grown=True)
    within = cost_of("fsdp", shape, H100, processes=8, nodes=1, grown=True)
    assert hybrid.step.timeline.sent == pytest.approx(within.step.timeline.sent + 2 * 15 / 16 * 4 * shape.moving / 8)
    assert hybrid.holding.state == within.holding.state > flat.holding.state


def test_tp_computes_a_part_of_every_layer_and_sums_activations(job: MakeJob) -> None:
    shape = job()
    alone = cost_of("ddp", shape, H100, processes=1, nodes=1, grown=False)
    cost = cost_of("tp", shape, H100, processes=8, nodes=1, grown=False)
    outside = 6 * 128_256 * 4096 * 16_384  # the output layer is in no plan
    assert cost.step.operations == pytest.approx((alone.step.operations - outside) / 8 + outside)
    assert cost.step.timeline.sent == pytest.approx(4 * 32 * 2 * 7 / 8 * 16_384 * 4096 * 2)
    inside = sum(one.parameters for one in shape.blocks)
    assert cost.holding.weights == pytest.approx(4 * (inside / 8 + shape.parameters - inside), rel=1e-6)


@pytest.mark.parametrize(
    ("strategy", "changes", "world", "words"),
    [
        ("tp", {"tensor_plan": False}, 2, "does not say how its layers are divided"),
        ("tp", {"heads": (32, 6)}, 4, "32 heads, 6 of keys and values"),
        ("hsdp", {"recipe": {"plugins": {"enterprise": {"hsdp": {"share": 3}}}}}, 8, "a multiple of 3"),
    ],
)
def test_what_cannot_be_divided_is_refused(
    job: MakeJob, strategy: str, changes: dict[str, object], world: int, words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        divide(strategy, job(**changes), H100, world=world, per_node=8)


def test_rows_are_divided_as_the_job_divides_them_and_the_busiest_decides(job: MakeJob) -> None:
    shape = job(batches=((Row(100, 100), Row(10, 10), Row(10, 10)),))
    cost = cost_of("ddp", shape, FREE, processes=2, nodes=1, grown=False)
    assert cost.step.operations == shape.forward(1, 100, 100) + shape.backward(1, 100, 100)
    assert cost.step.tokens == 120
    assert cost.step.balance == pytest.approx(0.6, abs=0.05)
    idle = cost_of("ddp", shape, FREE, processes=8, nodes=1, grown=False)
    assert idle.step.operations == cost.step.operations  # a row is not divided
    assert idle.efficiency < cost.efficiency


@pytest.mark.parametrize(("nodes", "published"), [(1, 5762), (16, 5605)])
def test_published_rates_are_met(job: MakeJob, nodes: int, published: int) -> None:
    """Llama 3.1 8B, fsdp, 8 and 128 H100, 8,192 tokens a row and two rows each; layers are not compiled.

    From benchmarks/llama3_h100_202412_torchtitan.md of pytorch/torchtitan. The first was fitted to, the second not.
    """
    cost = cost_of("fsdp", job(), H100, processes=8, nodes=nodes, grown=True)
    assert cost.step.rate / cost.world == pytest.approx(published, rel=0.08)
