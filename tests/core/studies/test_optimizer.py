# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is tried next and what is given up, on figures made up: no model is trained."""

import pytest

from tunesmith.recipe import parse_recipe
from tunesmith.studies.optimizer import PRUNERS, SAMPLERS, check_grid, opened
from tunesmith.studies.space import parse_space
from tunesmith.studies.trials import Outcome

pytest.importorskip("optuna", reason="needs the extra `search`")

RECIPE = parse_recipe({"task": "chat", "model": "m", "method": "lora", "data": {"train": "a.csv"}, "output": "runs/x"})
SPACE = parse_space(RECIPE, {"train.learning_rate": "log:1e-5..1e-1", "method.rank": "4,8,16", "train.epochs": "1..3"})
GRID = parse_space(RECIPE, {"method.rank": "4,8", "train.warmup_steps": "0..2"})


def study(folder, space=SPACE, *, sampler="tpe", pruner="none", seed=0):
    return opened(folder, space, seed=seed, sampler=sampler, pruner=pruner, greater_is_better=True)


def figure(values):
    """Best near a rate of 1e-3."""
    rate = values["train.learning_rate"]
    return 1.0 - abs(rate - 1e-3) ** 0.5


def tried(folder, trials, *, session=99, **settings):
    """The values of so many trials; after each ``session`` of them the study is closed and opened again."""
    found = []
    while len(found) < trials:
        with study(folder, **settings) as optimizer:
            for _ in range(min(session, trials - len(found))):
                proposal = optimizer.propose()
                found.append(dict(proposal.values))
                optimizer.tell(proposal, Outcome("complete", figure(proposal.values), 1.0))
    return found


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_what_is_tried_hangs_on_the_seed_and_not_on_how_often_it_was_stopped(tmp_path, sampler):
    for name in "abc":
        (tmp_path / name).mkdir()
    once = tried(tmp_path / "a", 12, sampler=sampler)  # TPE draws at random ten times before it learns
    assert tried(tmp_path / "b", 12, session=5, sampler=sampler) == once
    assert tried(tmp_path / "c", 2, sampler=sampler, seed=1) != once[:2]
    assert len({values["train.learning_rate"] for values in once}) == 12


def test_a_trial_that_was_under_way_is_proposed_again_with_its_values(tmp_path):
    with study(tmp_path) as optimizer:
        killed = optimizer.propose()
        killed.hopeless(1, 0.5)
    with study(tmp_path) as optimizer:
        again = optimizer.propose()
        assert (again.number, again.values) == (killed.number, killed.values)
        assert not again.hopeless(1, 0.5)  # told before: neither an error nor a second entry
        optimizer.tell(again, Outcome("complete", 0.5, 1.0))
        assert [told.number for told in optimizer.told()] == [1]
        assert optimizer.propose().number == 2


def test_ended_trials_are_told_as_they_were(tmp_path):
    with study(tmp_path) as optimizer:
        outcomes = [Outcome("complete", 0.5, 2.5), Outcome("pruned", 0.1, 1.0), Outcome("diverged", None, 0.5)]
        values = []
        for outcome in outcomes:
            proposal = optimizer.propose()
            values.append(proposal.values)
            optimizer.tell(proposal, outcome)
    with study(tmp_path) as optimizer:
        assert [told.outcome for told in optimizer.told()] == outcomes
        assert [told.values for told in optimizer.told()] == values


@pytest.mark.parametrize(("pruner", "given_up"), [("median", True), ("none", False)])
def test_worse_than_the_median_is_hopeless_from_the_sixth_trial_on(tmp_path, pruner, given_up):
    with study(tmp_path, pruner=pruner) as optimizer:
        for at in range(5):
            proposal = optimizer.propose()
            assert not proposal.hopeless(1, at / 10)
            optimizer.tell(proposal, Outcome("complete", at / 10, 1.0))
        assert optimizer.propose().hopeless(1, 0.1) is given_up


def test_hyperband_gives_up_some(tmp_path):
    with study(tmp_path, pruner="hyperband") as optimizer:
        hopeless = 0
        for at in range(14):
            proposal = optimizer.propose()
            ends = [proposal.hopeless(evaluation, 1 - at / 14) for evaluation in range(1, 6)]
            hopeless += any(ends)
            optimizer.tell(proposal, Outcome("pruned" if any(ends) else "complete", 1 - at / 14, 1.0))
    assert 0 < hopeless < 14


def test_a_grid_is_every_combination_once_in_the_order_written(tmp_path):
    found = []
    for _ in range(3):  # taken up twice
        with study(tmp_path, GRID, sampler="grid") as optimizer:
            for _ in range(2):
                proposal = optimizer.propose()
                found.append((proposal.values["method.rank"], proposal.values["train.warmup_steps"]))
                optimizer.tell(proposal, Outcome("complete", 0.5, 1.0))
    assert found == [(4, 0), (4, 1), (4, 2), (8, 0), (8, 1), (8, 2)]
    assert len(found) == check_grid(GRID)
    with study(tmp_path, GRID, sampler="grid") as optimizer:
        assert optimizer.propose() is None


def test_the_names_are_those_of_the_command(root):
    page = (root / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in (*SAMPLERS, *PRUNERS))
