# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A trial under a judge that says when to stop."""

import json
import threading

import pytest

from tunesmith.errors import StoppedError
from tunesmith.plugin import StepDone
from tunesmith.runs import Run
from tunesmith.studies.trials import remove_weights, run_trial


class Judge:
    def __init__(self, last=None):
        self.heard, self._last = [], last

    def hopeless(self, evaluation, value):
        self.heard.append((evaluation, value))
        return evaluation == self._last


def test_a_hopeless_trial_stops_at_that_evaluation_and_leaves_its_figures(job):
    judge, recipe = Judge(last=1), job()
    outcome = run_trial(recipe, metric="accuracy", judge=judge)
    run = Run.open(recipe.output)
    assert (outcome.state, outcome.value) == ("pruned", judge.heard[-1][1])
    assert len(judge.heard) == 1
    assert run.manifest["status"] == "interrupted"
    assert outcome.seconds > 0
    remove_weights(run.path, model=True)
    assert {path.name for path in run.path.iterdir()} >= {"run.json", "recipe.yaml", "metrics.jsonl"}
    assert not {path.name for path in run.path.iterdir()} & {"model", "checkpoints"}


def test_a_trial_taken_up_hears_the_evaluations_of_earlier_sessions_first(job):
    recipe, flag = job(**{"train.epochs": 3}), threading.Event()
    first, second = Judge(), Judge()

    def observe(event):
        if isinstance(event, StepDone) and event.epoch > 1:
            flag.set()

    with pytest.raises(StoppedError):
        run_trial(recipe, metric="loss", judge=first, observers=[observe], stop=flag)
    assert len(first.heard) == 1
    outcome = run_trial(recipe, metric="loss", judge=second)
    assert second.heard[0] == first.heard[0]
    assert [evaluation for evaluation, _ in second.heard] == [1, 2, 3]
    assert outcome.state == "complete"
    assert run_trial(recipe, metric="loss", judge=Judge()) == outcome  # finished already: found so


@pytest.mark.parametrize("left", [{}, {"run.json": "{"}, {"run.json": json.dumps({"format": 1, "status": "running"})}])
def test_what_a_killed_process_had_hardly_begun_is_begun_again(job, tmp_path, left):
    (tmp_path / "study").mkdir()
    for name, text in left.items():
        (tmp_path / "study" / name).write_text(text)
    recipe = job(**{"train.max_steps": 1, "evaluate.before": False})
    assert run_trial(recipe, metric="accuracy", judge=Judge()).state == "complete"
