# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Making, opening and updating a run; what is refused, in which words."""

from __future__ import annotations

import errno
import json
import math
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tunesmith.errors import OutputError, RunError
from tunesmith.recipe import Recipe
from tunesmith.runs import Run
from tunesmith.runs import folder as run_folder


def test_a_new_run(tmp_path: Path, recipe: Recipe) -> None:
    folder = tmp_path / "deep" / "er" / "run"
    run = Run.create(folder, recipe)
    assert run.path == folder
    assert sorted(path.name for path in folder.iterdir()) == ["recipe.yaml", "run.json", "run.lock"]
    assert run.recipe() == recipe
    manifest = run.manifest
    created = datetime.fromisoformat(manifest.pop("created"))
    assert timedelta(0) <= datetime.now(timezone.utc) - created < timedelta(minutes=1)
    assert manifest == {
        "format": 1,
        "status": "running",
        "finished": None,
        "task": "text-classification",
        "method": "full",
        "model": {"name": "tunesmith/tiny"},
    }
    assert (run.model_folder, run.checkpoint_folder) == (folder / "model", folder / "checkpoints")
    assert run.report_file == folder / "report.html"
    assert run.metrics() == []


def test_an_empty_folder_may_be_used(tmp_path: Path, recipe: Recipe) -> None:
    assert Run.create(str(tmp_path), recipe).path == tmp_path


def test_the_home_folder_may_be_meant(tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert Run.create("~/run", recipe).path == tmp_path / "run"
    assert Run.open("~/run").manifest["status"] == "running"


# ---- what is in the way ------------------------------------------------------------------------------------------


def refused(folder: Path, recipe: Recipe) -> str:
    before = sorted(folder.rglob("*")) if folder.is_dir() else None
    with pytest.raises(OutputError) as early:
        Run.check_free(folder)
    with pytest.raises(OutputError) as caught:
        Run.create(folder, recipe)
    assert str(early.value) == str(caught.value)
    if before is not None:
        assert sorted(folder.rglob("*")) == before
    return str(caught.value)


def test_another_run_is_never_overwritten(run: Run, recipe: Recipe) -> None:
    created = run.manifest["created"]
    run.update(status="interrupted")
    assert refused(run.path, recipe).splitlines() == [
        f"{run.path} is not empty, and nothing is overwritten",
        f"  given:    another run: text-classification, interrupted, of {created}",
        "  expected: a folder that is empty or not there",
        "  to do:    choose another output: --set output=FOLDER",
        f"            or go on with that one: tunesmith train --resume {run.path}",
    ]
    run.update(status="finished")
    assert "finished" in refused(run.path, recipe)
    assert "--resume" not in refused(run.path, recipe)


def test_a_damaged_run_is_not_overwritten_either(run: Run, recipe: Recipe) -> None:
    (run.path / "run.json").write_text("{")
    assert "a run that cannot be read" in refused(run.path, recipe)
    (run.path / "run.json").unlink()
    text = refused(run.path, recipe)
    assert "what is left of a job that was killed before its first step" in text
    assert f"or delete it: rm -r {run.path}" in text


def test_other_files_are_named(tmp_path: Path, recipe: Recipe) -> None:
    for name in ("thesis.txt", "a", "b", "c", "d"):
        (tmp_path / name).touch()
    assert "given:    a, b, c and 2 more" in refused(tmp_path, recipe)


def test_a_file_in_the_way(tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / "run").touch()
    assert "is a file, and the run needs a folder of that name" in refused(tmp_path / "run", recipe)
    assert "a part of the path is a file, not a folder" in refused(tmp_path / "run" / "inside", recipe)


def test_a_parent_that_may_not_be_written(tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by chmod: the tests may run as root, whom nothing is forbidden.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    text = refused(tmp_path / "a" / "run", recipe)
    assert f"cannot write {tmp_path / 'a' / 'run'}: you may not write there" in text
    assert "--set output=FOLDER" in text
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("failing", ["mkdir", "write"])
def test_a_run_that_cannot_be_made_leaves_nothing(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full) if failing == "mkdir" else monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        Run.create(tmp_path / "a" / "b", recipe)
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_want_the_same_folder_one_gets_it(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Run.create(tmp_path / "run", recipe)
    monkeypatch.setattr(Run, "check_free", lambda folder: None)  # both looked while it was empty
    with pytest.raises(OutputError, match="nothing is overwritten"):
        Run.create(tmp_path / "run", recipe)
    assert Run.open(first.path).recipe() == recipe


# ---- opening -----------------------------------------------------------------------------------------------------


def test_a_claim_whose_maker_was_killed_is_taken_back(tmp_path: Path, recipe: Recipe) -> None:
    folder = tmp_path / "run"
    assert not Run.forget_unmade(folder)
    folder.mkdir()
    for name in ("run.lock", "recipe.yaml", ".run.json.0123abcd.tmp"):
        (folder / name).touch()
    assert Run.forget_unmade(folder)
    run = Run.create(folder, recipe)
    assert not Run.forget_unmade(folder)
    assert run.manifest["status"] == "running"
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.lock").touch()
    (other / "a letter").touch()
    assert not Run.forget_unmade(other)
    assert (other / "a letter").exists()


def test_a_claim_whose_maker_lives_is_left_to_it(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed: list[bool] = []

    def atomic_write(path: Path, text: str) -> None:  # meanwhile another process finds the claim
        freed.append(Run.forget_unmade(path.parent))
        path.write_text(text)

    monkeypatch.setattr(run_folder, "atomic_write", atomic_write)
    run = Run.create(tmp_path / "run", recipe)
    assert freed == [False, False]
    assert run.recipe() == recipe
    with run.locked():
        pass


def test_what_is_no_run(run: Run, tmp_path: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(RunError) as caught:
            Run.open(path)
        return str(caught.value)

    run.model_folder.mkdir()
    assert f"did you mean {run.path}?" in message(run.model_folder)
    assert f"did you mean {run.path}?" in message(run.checkpoint_folder / "step-00000010")
    assert f"tunesmith runs list {tmp_path} shows the runs in it" in message(tmp_path)
    assert f"tunesmith runs list {tmp_path.parent} shows the runs in it" in message(tmp_path.parent)
    assert "no such run" in message(tmp_path / "nowhere")
    assert f"{tmp_path} is not a run" in message(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"format": 1}', b'{"format": 1, "status": "asleep"}', b"\xff", b"[" * 9999]
)
def test_a_damaged_manifest(run: Run, content: bytes) -> None:
    (run.path / "run.json").write_bytes(content)
    with pytest.raises(RunError, match=r"run.json is damaged") as caught:
        Run.open(run.path)
    assert "bring the file back from a copy" in str(caught.value)


def test_a_run_of_a_newer_version(run: Run) -> None:
    (run.path / "run.json").write_text(json.dumps({"format": 2, "status": "dreaming"}))
    with pytest.raises(RunError, match="another format") as caught:
        Run.open(run.path)
    assert "given:    format 2" in str(caught.value)
    assert "pip install --upgrade tunesmith" in str(caught.value)


def test_a_damaged_recipe(run: Run) -> None:
    (run.path / "recipe.yaml").write_text("task: [")
    with pytest.raises(RunError, match=r"the recipe of .* cannot be read"):
        run.recipe()


# ---- the manifest ------------------------------------------------------------------------------------------------


def test_updates_are_merged_and_seen_by_everybody(run: Run) -> None:
    other = Run.open(run.path)
    run.update(seed=3, model={"name": "m", "digest": "sha256:0"})
    other.update(seed=4, folder=Path("a"), losses=(1.0, math.nan, -math.inf))
    manifest = run.manifest
    assert (manifest["seed"], manifest["folder"], manifest["model"]["digest"]) == (4, "a", "sha256:0")
    assert math.isnan(manifest["losses"][1])
    assert manifest["losses"][2] == -math.inf
    # Strict JSON, which has no NaN, for every other reader.
    json.loads((run.path / "run.json").read_text(), parse_constant=pytest.fail)


def test_the_end_is_dated(run: Run) -> None:
    run.update(status="finished")
    finished = datetime.fromisoformat(run.manifest["finished"])
    assert finished.utcoffset() == timedelta(0)
    run.update(metrics={})
    assert run.manifest["finished"] == finished.isoformat()
    run.update(status="running")
    assert run.manifest["finished"] is None


def test_what_cannot_be_stored(run: Run) -> None:
    before = run.manifest
    with pytest.raises(ValueError, match="the status must be one of running, interrupted, finished, failed"):
        run.update(status="done")
    with pytest.raises(ValueError, match="written once"):
        run.update(format=2)
    with pytest.raises(TypeError, match="cannot be stored as JSON"):
        run.update(thing=object())
    with pytest.raises(TypeError, match="a key must be text, given 1"):
        run.update(thing={1: 2})
    assert run.manifest == before
    assert repr(run) == f"Run({str(run.path)!r})"
