# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Cross-validation: every row scored once, taken up where it stopped."""

import json
import statistics
import threading

import pytest

import tunesmith
from tunesmith.errors import OutputError, RecipeError, RunError, StoppedError
from tunesmith.plugin import Evaluated, StepDone
from tunesmith.runs import Run
from tunesmith.studies.crossval import left_out


@pytest.fixture(scope="module")
def finished(place, tmp_path_factory):
    recipe = tunesmith.parse_recipe(
        {
            "task": "text-classification",
            "model": str(place / "bert"),
            "data": {"train": str(place / "rows.csv"), "split": {"seed": 3}},
            "train": {"epochs": 1, "tokens_per_batch": 256, "learning_rate": 1e-3},
            "output": str(tmp_path_factory.mktemp("crossval") / "study"),
        }
    )
    told = []
    return recipe, tunesmith.cross_validate(recipe, folds=3, tell=told.append), told


def test_every_fold_is_a_run_that_says_which_it_is(finished):
    _, found, told = finished
    assert list(found.folds) == told
    assert sum(fold.rows for fold in found.folds) == 96
    for number, fold in enumerate(found.folds, start=1):
        run = Run.open(fold.run)
        assert (run.recipe().data.split.folds, run.recipe().data.split.fold) == (3, number)
        assert run.manifest["metrics"]["test"] == fold.metrics
        assert (
            f"fold {number} of 3 of 96 rows, spread evenly by label (2 labels), with seed 3"
            in run.metrics()[0]["message"]
        )
        assert not run.model_folder.exists()
        assert not run.checkpoint_folder.exists()


def test_mean_and_deviation(finished):
    _, found, _ = finished
    values = [fold.metrics["accuracy"] for fold in found.folds]
    assert found.mean["accuracy"] == pytest.approx(statistics.fmean(values))
    assert found.deviation["accuracy"] == pytest.approx(statistics.stdev(values))
    study = json.loads((found.path / "study.json").read_text())
    assert study["mean"] == found.mean
    assert [fold["metrics"] for fold in study["folds"]] == [fold.metrics for fold in found.folds]


def test_the_report_shows_every_fold(finished):
    _, found, _ = finished
    page = found.report_file.read_text(encoding="utf-8")
    assert page.count('class="trial main"') == 3 * len(found.mean)
    assert "folds/3" in page
    assert "standard deviation" in page
    assert "<script" not in page


def test_stopped_in_the_second_fold_and_taken_up(finished, tmp_path):
    recipe, straight, _ = finished
    recipe = recipe.model_copy(update={"output": str(tmp_path / "study")})
    flag, begun = threading.Event(), []

    def observe(event):
        if isinstance(event, StepDone) and event.run.endswith("folds/2"):
            flag.set()

    with pytest.raises(StoppedError, match="stopped after 1 of 3 folds") as caught:
        tunesmith.cross_validate(recipe, folds=3, observers=[observe], stop=flag)
    assert f"tunesmith crossval --resume {recipe.output}" in str(caught.value)
    resumed = tunesmith.cross_validate(
        resume=recipe.output,
        observers=[lambda event: begun.append(event.run) if isinstance(event, Evaluated) else None],
    )
    assert [fold.metrics for fold in resumed.folds] == [fold.metrics for fold in straight.folds]
    assert not any(run.endswith("folds/1") for run in begun)  # what was done is not done again


def test_groups_are_asked_for_beside_the_recipe(job):
    found = tunesmith.cross_validate(
        job(**{"train.max_steps": 1, "data.split.validation": 0.2}), folds=2, group="writer"
    )
    for fold in found.folds:
        recipe = Run.open(fold.run).recipe()
        assert recipe.data.split.group == "writer"
        assert recipe.data.split.validation == 0.2
        assert "6 groups by 'writer' kept together" in Run.open(fold.run).metrics()[0]["message"]


def test_what_cannot_be_done(job, tmp_path):
    with pytest.raises(RecipeError, match="needs two folds"):
        tunesmith.cross_validate(job(), folds=1)
    with pytest.raises(RecipeError, match="one fold of a cross-validation already"):
        tunesmith.cross_validate(job(**{"data.split.folds": 2, "data.split.fold": 1}))
    with pytest.raises(RunError, match="is not a folder of tunesmith crossval"):
        tunesmith.cross_validate(resume=tmp_path)
    assert not (tmp_path / "study").exists()


def test_the_folder_of_an_earlier_one_is_left_alone_and_can_be_gone_on_with(finished):
    recipe, found, _ = finished
    before = (found.path / "study.json").read_bytes()
    with pytest.raises(OutputError, match="nothing is overwritten") as caught:
        tunesmith.cross_validate(recipe, folds=3)
    assert "an earlier tunesmith crossval" in str(caught.value)
    assert f"tunesmith crossval --resume {found.path}" in str(caught.value)
    assert (found.path / "study.json").read_bytes() == before


def test_what_was_first_asked_stays(finished):
    with pytest.raises(TypeError, match="folds cannot be given with resume"):
        tunesmith.cross_validate(resume=finished[1].path, folds=7)


def test_a_search_is_no_cross_validation(job, tmp_path):
    (tmp_path / "study.json").write_text('{"format": 1, "kind": "search", "asked": {}}')
    with pytest.raises(RunError, match="was made by another command") as caught:
        tunesmith.cross_validate(resume=tmp_path)
    assert f"tunesmith search --resume {tmp_path}" in str(caught.value)


def test_test_rows_that_are_left_out_are_told(job):
    assert left_out(job()) is None
    assert "test rows are left out" in left_out(job(**{"data.split.test": 0.1}))
