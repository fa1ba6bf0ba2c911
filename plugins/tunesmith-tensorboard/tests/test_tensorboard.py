# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Event files are read back with TensorBoard's own reader."""

from __future__ import annotations

import subprocess
import sys
import threading
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

import tunesmith
from tunesmith._plugins import get_host
from tunesmith.errors import StoppedError
from tunesmith.plugin import Evaluated, RunFinished, RunNote, RunStarted, StepDone
from tunesmith.testing import tiny_bert

try:
    distribution("tunesmith-tensorboard")
except PackageNotFoundError:
    pytest.skip("tunesmith-tensorboard is not installed in this environment", allow_module_level=True)

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tunesmith_tensorboard.events import EventFile
from tunesmith_tensorboard.summaries import flat, scalars
from tunesmith_tensorboard.tracker import FILE, TensorBoard


def read(run: Path) -> Any:
    found = EventAccumulator(str(run), size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    return found


def points(found: Any, tag: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in found.Scalars(tag)]


@pytest.fixture
def recipe(tmp_path: Path) -> Any:
    rows = [f"{word} {n},{label}" for n in range(12) for label, word in (("fruit", "pear"), ("metal", "zinc"))]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    tiny_bert(tmp_path / "bert")

    def make(**changes: Any) -> tunesmith.Recipe:
        base = {
            "task": "text-classification",
            "model": str(tmp_path / "bert"),
            "data": {"train": str(tmp_path / "rows.csv"), "split": {"validation": 0.25}},
            "train": {"epochs": 3, "tokens_per_batch": 64, "save_every": 1, "learning_rate": 1e-3},
            "trackers": ["tensorboard"],
            "output": str(tmp_path / "run"),
        }
        return tunesmith.parse_recipe(base, overrides=[f"{key}={value}" for key, value in changes.items()])

    return make


def test_the_host_loads_it_and_a_recipe_has_to_name_it(recipe: Any) -> None:
    (record,) = [record for record in get_host().records if record.name == "tensorboard"]
    assert (record.status, record.reason) == ("ok", "")
    assert (dict(record.provides), record.observes) == ({"tracker": ("tensorboard",)}, ())
    run = tunesmith.train(recipe(trackers=[], **{"train.max_steps": 1}))
    assert not (run.path / FILE).exists()


def test_declaring_imports_nothing_heavy() -> None:
    code = "import sys, tunesmith_tensorboard.plugin; print({'tensorboard', 'numpy', 'torch'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


def test_a_run_as_tensorboard_reads_it(recipe: Any) -> None:
    run = tunesmith.train(recipe())
    found, records = read(run.path), run.metrics()
    steps = [record for record in records if record["kind"] == "step"]
    for tag, key in (("loss", "loss"), ("learning_rate", "learning_rate"), ("grad_norm", "grad_norm")):
        expected = [(record["step"], pytest.approx(record[key])) for record in steps]  # stored in 32 bits
        assert points(found, f"train/{tag}") == expected
    assert len(points(found, "train/tokens_per_second")) == len(steps)
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    for name in ("accuracy", "macro_f1", "loss"):
        expected = [(record["step"], pytest.approx(record["metrics"][name])) for record in evaluations]
        assert points(found, f"validation/{name}") == expected
    texts = [point.tensor_proto.string_val[0].decode() for point in found.Tensors("notes")]
    assert texts == [record["message"] for record in records if record["kind"] == "note"]
    assert "train.learning_rate: 0.001" in found.Tensors("recipe")[0].tensor_proto.string_val[0].decode()


def test_a_folder_of_runs_is_found_with_the_names_of_the_runs(tmp_path: Path) -> None:
    for name in ("first", "searched/trials/0001"):
        (tmp_path / name).mkdir(parents=True)
        tell(tmp_path / name, log_every=1)
    found = EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
    assert sorted(found.Runs()) == ["first", "searched/trials/0001"]


def test_hyperparameters_stand_in_the_table_of_runs(recipe: Any) -> None:
    found = read(tunesmith.train(recipe(**{"train.max_steps": 1, "method": "head"})).path)
    metadata = found.SummaryMetadata("_hparams_/session_start_info")
    values = HParamsPluginData.FromString(metadata.plugin_data.content).session_start_info.hparams
    assert values["train.learning_rate"].number_value == 0.001
    assert values["method.name"].string_value == "head"
    assert values["evaluate.before"].bool_value is True
    assert "method.rank" not in values
    assert "_hparams_/session_end_info" in found.summary_metadata


def test_a_resumed_run_leaves_no_step_twice(recipe: Any, tmp_path: Path) -> None:
    straight = tunesmith.train(recipe(output=tmp_path / "straight"))
    flag = threading.Event()

    def observe(event: Any) -> None:
        if isinstance(event, StepDone) and event.step == 5:
            flag.set()

    with pytest.raises(StoppedError):
        tunesmith.train(recipe(), observers=[observe], stop=flag)
    file = tmp_path / "run" / FILE
    with file.open("ab") as end:  # a killed job: steps beyond the checkpoint, and the beginning of a record
        end.write(b"\x20\x00\x00")
    EventFile(file).append(6, scalars({"train/loss": 99.0}))
    run = tunesmith.train(resume=tmp_path / "run")
    resumed, whole = read(run.path), read(straight.path)
    assert resumed.Tags()["scalars"] == whole.Tags()["scalars"]
    for tag in ("train/loss", "train/learning_rate", "validation/accuracy"):
        assert points(resumed, tag) == points(whole, tag)
    assert len(resumed.Tensors("notes")) == len(whole.Tensors("notes"))


def test_log_every_holds_here_too(tmp_path: Path) -> None:
    tell(tmp_path, log_every=3)
    assert [step for step, _ in points(read(tmp_path), "train/loss")] == [3, 6, 7]
    assert points(read(tmp_path), "test/accuracy") == [(0, 0.5), (7, 1.0)]


def tell(run: Path, *, log_every: int) -> None:
    place, board = str(run), TensorBoard()
    recipe = {"task": "chat", "train": {"log_every": log_every, "betas": (0.9, 0.999), "max_steps": None}}
    board.started(RunStarted(run=place, recipe=recipe, total_steps=7, unit="rows"))
    board.note(RunNote(run=place, message="2 of 9 rows cut"))
    board.evaluated(Evaluated(run=place, step=0, split="test", metrics={"accuracy": 0.5}, best=False))
    for step in range(1, 8):
        board.step_done(
            StepDone(
                run=place,
                step=step,
                total_steps=7,
                epoch=step / 7,
                loss=1 / step,
                learning_rate=1e-3,
                grad_norm=1.0,
                tokens=64,
                seconds=0.0 if step == 7 else 0.5,
            )
        )
    board.evaluated(Evaluated(run=place, step=7, split="test", metrics={"accuracy": 1.0}, best=True))
    board.finished(RunFinished(run=place, status="finished", steps=7, metrics={}, seconds=3.0))


def test_rows_are_called_rows_and_a_step_of_no_time_has_no_rate(tmp_path: Path) -> None:
    tell(tmp_path, log_every=1)
    assert points(read(tmp_path), "train/rows_per_second") == [(step, 128.0) for step in range(1, 7)]


def test_whatever_breaks_here_the_job_ends_well_and_says_so(recipe: Any, tmp_path: Path) -> None:
    def observe(event: Any) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            (tmp_path / "run" / FILE).unlink()

    run = tunesmith.train(recipe(), observers=[observe])
    assert run.manifest["status"] == "finished"
    (told,) = [record["message"] for record in run.metrics() if "tensorboard" in record.get("message", "")]
    assert told.startswith(
        "the tracker tensorboard/tensorboard failed and gets nothing from here on: FileNotFoundError: "
    )


def test_half_a_record_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    file = EventFile(tmp_path / FILE)
    file.begin()
    file.append(1, scalars({"loss": 1.0}))
    write, calls = os.write, []

    def full(handle: int, data: Any) -> int:
        calls.append(1)
        if len(calls) == 1:
            return write(handle, data[:5])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            file.append(2, scalars({"loss": 2.0}))
    file.append(3, scalars({"loss": 3.0}))
    assert points(read(tmp_path), "loss") == [(1, 1.0), (3, 3.0)]


def test_recipes_are_flat_and_hold_what_was_given() -> None:
    recipe = {
        "task": "chat",
        "method": {"rank": None, "targets": ["a", "b"]},
        "train": {"betas": (0.9, 0.999)},
        "on": True,
    }
    assert flat(recipe) == {"task": "chat", "method.targets": "a, b", "train.betas": "0.9, 0.999", "on": True}
