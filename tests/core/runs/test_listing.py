# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Lists and comparisons of runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunesmith.errors import RunError
from tunesmith.recipe import Recipe
from tunesmith.runs import Run, compare_runs, list_runs


def made(folder: Path, recipe: Recipe, created: str, **fields: Any) -> Run:
    run = Run.create(folder, recipe)
    run.update(**fields)
    manifest = run.manifest | {"created": created}
    (folder / "run.json").write_text(json.dumps(manifest))
    return run


def test_runs_are_found_wherever_they_lie(tmp_path: Path, recipe: Recipe) -> None:
    metrics = {"validation": {"loss": 0.4, "accuracy": 0.8}, "test": {"loss": 0.5, "accuracy": 0.75}}
    made(tmp_path / "b", recipe, "2026-01-02T00:00:00+00:00", status="finished", steps=30, metrics=metrics)
    made(tmp_path / "x" / "y" / "a", recipe, "2026-01-01T00:00:00+00:00", status="failed", error="out of memory")
    (tmp_path / "plain").mkdir()
    (tmp_path / "file").touch()
    made(tmp_path / ".hidden" / "run", recipe, "2026-01-01T00:00:00+00:00")
    first, second = list_runs(tmp_path)
    assert first.path == tmp_path / "x" / "y" / "a"
    assert (first.status, first.reason, first.metric, first.steps) == ("failed", "out of memory", None, None)
    assert second.path == tmp_path / "b"
    assert (second.task, second.model, second.method) == ("text-classification", "tunesmith/tiny", "full")
    assert (second.metric, second.value, second.steps) == ("test.accuracy", 0.75, 30)
    assert second.created == "2026-01-02T00:00:00+00:00"
    assert [summary.path for summary in list_runs(tmp_path / "b")] == [tmp_path / "b"]


def test_the_headline_is_of_the_validation_split_where_there_is_no_test(tmp_path: Path, recipe: Recipe) -> None:
    made(tmp_path / "a", recipe, "2026", status="finished", metrics={"validation": {"loss": 1.0, "accuracy": 0.5}})
    [summary] = list_runs(tmp_path)
    assert (summary.metric, summary.value) == ("validation.accuracy", 0.5)


def test_damaged_runs_are_listed_with_the_reason(tmp_path: Path, recipe: Recipe) -> None:
    whole = made(tmp_path / "whole", recipe, "2026", status="finished")
    broken = made(tmp_path / "broken", recipe, "2025")
    (broken.path / "run.json").write_text("{")
    headless = made(tmp_path / "headless", recipe, "2025")
    (headless.path / "run.json").unlink()
    spoiled = made(tmp_path / "spoiled", recipe, "2025", status="finished", metrics={"test": {"accuracy": 1.0}})
    (spoiled.path / "recipe.yaml").write_text("task: [")
    summaries = list_runs(tmp_path)
    assert summaries[0].path == whole.path
    assert [(run.path.name, run.status) for run in summaries[1:]] == [
        ("broken", "damaged"),
        ("headless", "damaged"),
        ("spoiled", "damaged"),
    ]
    reasons = [run.reason or "" for run in summaries[1:]]
    assert "run.json is damaged: Expecting property name" in reasons[0]
    assert "run.json is damaged: No such file" in reasons[1]
    assert "the recipe of" in reasons[2]


def test_links_in_circles_are_not_followed(tmp_path: Path, recipe: Recipe) -> None:
    made(tmp_path / "a", recipe, "2026")
    try:
        (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make links")
    assert len(list_runs(tmp_path)) == 1


def test_a_folder_without_runs_and_no_folder(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == []
    with pytest.raises(RunError, match="no such folder"):
        list_runs(tmp_path / "nowhere")


def test_runs_side_by_side(tmp_path: Path, recipe: Recipe) -> None:
    longer = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": 5.0})})
    environment = {"python": "3.11.7", "cores": 2, "packages": {"torch": "2.11", "numpy": "2.0"}}
    newer = environment | {"packages": {"torch": "2.13", "numpy": "2.0"}}
    data = {"files": [{"name": "a.csv", "sha256": "1"}, {"name": "b.csv", "sha256": "2"}]}
    other = {"files": [{"name": "a.csv", "sha256": "9"}, {"name": "b.csv", "sha256": "2"}]}
    a = made(
        tmp_path / "a",
        recipe,
        "2026",
        environment=environment,
        data=data,
        metrics={"test": {"accuracy": 0.7, "f1": 0.6}},
    )
    b = made(
        tmp_path / "b", longer, "2026", environment=newer, data=other, metrics={"test": {"accuracy": 0.7, "loss": 2}}
    )
    found = compare_runs([a, b.path])
    assert found.runs == (a.path, b.path)
    assert found.recipe == {"train.epochs": (None, 5.0)}
    assert found.metrics == {"test.accuracy": (0.7, 0.7), "test.f1": (0.6, None), "test.loss": (None, 2)}
    assert found.versions == {"torch": ("2.11", "2.13")}
    assert found.inputs == {"a.csv": ("1", "9")}


def test_a_comparison_needs_two_readable_runs(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a comparison needs two runs"):
        compare_runs([run])
    with pytest.raises(RunError, match="no such run"):
        compare_runs([run, tmp_path / "nowhere"])
    same = compare_runs([run, run])
    assert (same.recipe, same.metrics, same.versions, same.inputs) == ({}, {}, {}, {})
