# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Searches of a few small trials: what is tried, kept, written down and taken up again."""

import json
import shutil
import sys
import threading

import pytest

import tunesmith
from tunesmith.errors import (
    OutOfMemoryError,
    PluginError,
    RecipeError,
    RunError,
    StoppedError,
    TooLargeError,
    TrainingError,
)
from tunesmith.plugin import StepDone
from tunesmith.recipe import read_recipe
from tunesmith.runs import Run
from tunesmith.studies import trials
from tunesmith.studies.space import with_values

pytest.importorskip("optuna", reason="needs the extra `search`")

RATES = {"train.learning_rate": "log:1e-4..1e-2"}
SPACE = {**RATES, "method": ["full", "head"]}


def weights(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def facts(found):
    return [(trial.number, trial.state, dict(trial.values), trial.figure) for trial in found.trials]


@pytest.fixture(scope="module")
def finished(place, tmp_path_factory):
    """Three trials, and what was told on the way."""
    out = tmp_path_factory.mktemp("search") / "study"
    recipe = tunesmith.parse_recipe(
        {
            "task": "text-classification",
            "model": str(place / "bert"),
            "data": {"train": str(place / "rows.csv"), "split": {"validation": 0.25, "test": 0.25}},
            "train": {"epochs": 2, "tokens_per_batch": 256},
            "output": str(out),
        }
    )
    told = []
    found = tunesmith.search(recipe, SPACE, trials=3, tell=told.append)
    return recipe, found, told


def test_every_trial_is_an_ordinary_run_with_the_values_it_was_given(finished):
    _, found, told = finished
    assert [trial.number for trial in found.trials] == [1, 2, 3]
    assert [(trial.number, trial.state) for trial in told] == [
        (number, state) for number in (1, 2, 3) for state in ("running", "complete")
    ]
    for trial in found.trials:
        run = Run.open(trial.run)
        assert run.manifest["status"] == "finished"
        assert run.recipe().train.learning_rate == trial.values["train.learning_rate"]
        assert run.recipe().method.name == trial.values["method"]
        assert run.manifest["metrics"]["validation"]["accuracy"] == trial.figure
        assert run.report_file.is_file()


def test_the_best_is_the_first_of_the_highest(finished):
    _, found, _ = finished
    assert found.metric == "accuracy"
    assert found.best == max(found.trials, key=lambda trial: (trial.figure, -trial.number))
    assert found.test == Run.open(found.best.run).manifest["metrics"]["test"]


def test_only_the_best_keeps_its_weights(finished):
    _, found, _ = finished
    kept = {trial.number for trial in found.trials if (trial.run / "model").exists()}
    assert kept == {found.best.number}
    assert not list(found.path.glob("trials/*/checkpoints"))


def test_the_best_recipe_gives_the_best_model_again_bit_for_bit(finished):
    recipe, found, _ = finished
    best = read_recipe(found.best_file)
    assert best == found.recipe
    assert best.evaluate.before == recipe.evaluate.before
    run = tunesmith.train(best)
    assert weights(run.model_folder) == weights(found.best.run / "model")


def test_what_was_found_stands_in_a_file_for_programs(finished):
    _, found, _ = finished
    study = json.loads((found.path / "study.json").read_text())
    assert study["asked"] == {
        "over": {"train.learning_rate": "log:1e-4..1e-2", "method": ["full", "head"]},
        "trials": 3,
        "seed": 0,
        "sampler": "tpe",
        "pruner": "median",
        "keep": "best",
    }
    assert study["metric"] == {"name": "accuracy", "greater_is_better": True}
    assert study["best"] == found.best.number
    assert [(one["number"], one["figure"]) for one in study["trials"]] == [(t.number, t.figure) for t in found.trials]


def test_the_report_shows_every_trial_and_asks_nothing_of_any_server(finished):
    _, found, _ = finished
    page = found.report_file.read_text(encoding="utf-8")
    assert page.count('class="trial best"') == 3  # the course, and one plot a key
    assert page.count("<circle") + page.count('<path class="trial') == 9
    assert "trials/0003" in page
    assert "train.learning_rate" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_stopped_within_a_trial_taken_up_and_gone_on_with(finished, tmp_path):
    """As if three trials had been asked for at once and nothing had happened."""
    recipe, straight, _ = finished
    recipe = with_values(recipe, {"output": str(tmp_path / "study"), "train.save_every": 1})
    flag, steps = threading.Event(), []

    def observe(event):
        if isinstance(event, StepDone):
            steps.append(event.step)
            if len(steps) == 6:  # an epoch has three
                flag.set()

    with pytest.raises(StoppedError, match=r"stopped after . of 2 trials; everything is saved") as caught:
        tunesmith.search(recipe, SPACE, trials=2, observers=[observe], stop=flag)
    assert f"tunesmith search --resume {recipe.output}" in str(caught.value)
    resumed = tunesmith.search(resume=recipe.output, trials=3)
    assert facts(resumed) == facts(straight)
    assert weights(resumed.best.run / "model") == weights(straight.best.run / "model")


def test_time_is_up_before_anything_has_ended(job):
    with pytest.raises(StoppedError, match="stopped after 0 of 20 trials"):
        tunesmith.search(job(), RATES, timeout=1e-9)


def test_a_grid_of_every_number_is_refused(job):
    with pytest.raises(RecipeError, match="a grid cannot hold every number of a range"):
        tunesmith.search(job(), RATES, sampler="grid")


def test_a_trial_that_diverges_is_a_result_and_not_the_end(job):
    found = tunesmith.search(job(), {"train.learning_rate": [1e-3, 1e30]}, sampler="grid", pruner="none")
    assert sorted(trial.state for trial in found.trials) == ["complete", "diverged"]
    assert found.best.values["train.learning_rate"] == 1e-3


@pytest.mark.parametrize("error", [TooLargeError("refused"), OutOfMemoryError("used up")], ids=["refused", "used up"])
def test_a_trial_that_does_not_fit_is_a_result_and_not_the_end(job, monkeypatch, error):
    def limited(recipe, **options):
        if recipe.train.tokens_per_batch == 512:
            raise error
        return train(recipe, **options)

    train = trials.train
    monkeypatch.setattr(trials, "train", limited)
    found = tunesmith.search(job(**{"train.max_steps": 1}), {"train.tokens_per_batch": [256, 512]}, sampler="grid")
    assert [trial.state for trial in found.trials] == ["complete", "too large"]
    assert found.best.values["train.tokens_per_batch"] == 256
    assert "too large" in found.report_file.read_text(encoding="utf-8")


def test_all_of_them_diverge(job):
    with pytest.raises(TrainingError, match="no trial of the search ran to its end") as caught:
        tunesmith.search(job(), {"train.learning_rate": [1e30, 2e30]}, sampler="grid", trials=1)
    assert "1 diverged" in str(caught.value)
    assert "smaller learning rates" in str(caught.value)


def test_it_needs_validation_rows(job):
    with pytest.raises(RecipeError, match="a search needs validation rows") as caught:
        tunesmith.search(job(**{"data.split.validation": 0}), RATES)
    assert "--set data.split.validation=0.1" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampler": "bayes"}, "tpe or random or grid"),
        ({"pruner": "hyper"}, "median or hyperband or none"),
        ({"keep": "two"}, "best or all or none"),
        ({"trials": 0}, "a whole number of at least 1"),
    ],
)
def test_settings_that_do_not_exist(job, tmp_path, changes, words):
    with pytest.raises(RecipeError, match=words):
        tunesmith.search(job(), RATES, **changes)
    assert not (tmp_path / "study").exists()


def test_what_is_no_search_cannot_be_taken_up(finished, tmp_path):
    with pytest.raises(RunError, match="is not a folder of tunesmith search"):
        tunesmith.search(resume=tmp_path)
    copy = shutil.copytree(finished[1].path, tmp_path / "copy")
    (copy / "study.db").write_bytes(b"not a database, but of some length" * 100)
    with pytest.raises(RunError, match=r"study\.db cannot be read"):
        tunesmith.search(resume=copy)
    (copy / "study.json").write_text("{")
    with pytest.raises(RunError, match=r"study\.json is damaged"):
        tunesmith.search(resume=copy)


def test_what_was_first_asked_stays(finished):
    with pytest.raises(TypeError, match="sampler cannot be given with resume"):
        tunesmith.search(resume=finished[1].path, sampler="random")


def test_without_optuna_it_says_what_to_install(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(PluginError, match="needs Optuna") as caught:
        tunesmith.search(job(), RATES)
    assert "pip install 'tunesmith[search]'" in str(caught.value)
