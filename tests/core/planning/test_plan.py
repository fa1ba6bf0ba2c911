# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a plan says, against what is known of small files."""

import itertools
import json
from pathlib import Path

import pytest
import torch

import tunesmith
from tunesmith.errors import DataError
from tunesmith.machine.memory import Room
from tunesmith.planning import planner, rows
from tunesmith.planning.facts import MeasuredStep, Measurement, Plan
from tunesmith.planning.steps import _line
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama

ANSWER = "At nine, every day."


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {"bert": str(tiny_bert(folder / "bert")), "llama": str(tiny_llama(folder / "llama", context=128))}


def planned(recipe, **options):
    return tunesmith.plan(tunesmith.parse_recipe(recipe), **options)


def conversations(folder, models, *, max_length=120, repeat=1):
    lines = [
        {"prompt": "When?", "completion": ANSWER},
        {"prompt": "Why?", "completion": "x" * 200},
        {"prompt": "y" * 200, "completion": "no"},
    ]
    lines += [lines[0]] * repeat
    path = folder / "chats.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return {
        "task": "chat",
        "model": models["llama"],
        "data": {"train": str(path), "max_length": max_length},
        "output": str(folder / "run"),
    }


def table(folder, models, test="", **train):
    lines = [f"{'word ' * (1 + number % 7)}{number},{'ab'[number % 2]}" for number in range(40)]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    data = {"train": str(folder / "rows.csv")}
    if test:
        (folder / "test.csv").write_text(f"text,label\n{test}\n")
        data["test"] = str(folder / "test.csv")
    return {
        "task": "text-classification",
        "model": models["bert"],
        "data": data,
        "train": {"epochs": 2, "tokens_per_batch": 256, "precision": "fp32", **train},
        "output": str(folder / "run"),
    }


def test_rows_that_are_cut_or_come_to_nothing_are_named(tmp_path, models):
    found = planned(conversations(tmp_path, models), steps=False)
    file = tmp_path / "chats.jsonl"
    by_what = {finding.what.split(" ", 1)[1]: finding for finding in found.findings}
    assert by_what["of 4 rows truncated to 120 tokens (longest had 207)"].first == (f"{file}:2", f"{file}:3")
    cut = "row cut before the stop token of their last answer by the limit of 120 tokens"
    assert by_what[cut].first == (f"{file}:2",)
    nothing = "row skipped: no answer begins within 120 tokens, so there is nothing to learn"
    assert (by_what[nothing].first, by_what[nothing].count) == ((f"{file}:3",), 1)
    assert found.unusable == {"train": 1}
    assert {finding.what for finding in found.findings} <= set(found.notes)


def test_the_list_of_rows_is_short_and_the_count_is_whole(tmp_path, models):
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"{'w ' * 40}{n},{'ab'[n % 2]}\n" for n in range(30)))
    recipe = table(tmp_path, models) | {"data": {"train": str(tmp_path / "rows.csv"), "max_length": 20}}
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"{'w ' * 40}{n},{'ab'[n % 2]}\n" for n in range(30)))
    (finding,) = planned(recipe, steps=False).findings
    assert (finding.count, len(finding.first)) == (30, rows.SHOWN)


def test_rows_that_occur_twice(tmp_path, models):
    found = planned(table(tmp_path, models, test="word 0,a\nnew,b\nword 0,b"), steps=False)
    assert (found.repeats.rows, found.repeats.shared) == ({}, {"test": 1})  # the other has another label
    assert found.repeats.first == ((f"{tmp_path / 'test.csv'}:2", f"{tmp_path / 'rows.csv'}:2"),)
    assert "1 of 3 test rows are also training rows" in found.warnings[0]
    chat = planned(conversations(tmp_path, models, repeat=2), steps=False)
    assert chat.repeats.rows == {"train": 2}


def test_tokens_are_marked_by_whether_they_are_learned(tmp_path, models):
    found = planned(conversations(tmp_path, models), steps=False, samples=2)
    first = found.samples[0]
    assert first.origin.endswith("chats.jsonl:1")
    learned = "".join(piece.text for piece in first.pieces if piece.trained)
    read = "".join(piece.text for piece in first.pieces if not piece.trained)
    assert ANSWER in learned
    assert "When?" in read
    assert "When?" not in learned
    assert planned(conversations(tmp_path, models), steps=False, samples=0).samples == ()


def test_a_classifier_shows_its_label(tmp_path, models):
    found = planned(table(tmp_path, models), steps=False, samples=1)
    assert found.samples[0].answer == "a"
    assert not any(piece.trained for piece in found.samples[0].pieces)
    assert found.stop is None


def test_whether_the_stop_token_is_learned(tmp_path, models):
    recipe = conversations(tmp_path, models)
    found = planned(recipe, steps=False)
    assert (found.stop.rows, found.stop.trained) == (3, 2)
    (tmp_path / "chats.jsonl").write_text(json.dumps({"prompt": "Why?", "completion": "x" * 200}) + "\n")
    found = planned(recipe, steps=False)
    assert found.stop.trained == 0
    assert any("the model will not learn to stop" in warning for warning in found.warnings)


def test_a_document_is_cut_and_its_last_piece_stops(tmp_path, models):
    (tmp_path / "text.txt").write_text("line of text\n" * 60)
    recipe = {"task": "causal-lm", "model": models["llama"], "output": str(tmp_path / "run")}
    found = planned({**recipe, "data": {"train": str(tmp_path / "text.txt")}}, steps=False)
    assert (found.stop.rows, found.stop.trained) == (1, 1)
    assert found.findings[0].what.startswith("1 document cut into")
    assert found.samples[0].pieces[0].trained is False  # nothing comes before the first token


def test_steps_and_lengths_are_those_of_the_job(tmp_path, models):
    recipe = table(tmp_path, models)
    found = planned(recipe, steps=False)
    events = []
    run = tunesmith.train(tunesmith.parse_recipe(recipe), observers=[events.append])
    done = [event for event in events if type(event).__name__ == "StepDone"]
    assert found.steps.total == len(done) == run.manifest["steps"]
    assert found.steps.tokens == sum(event.tokens for event in done)
    assert found.rows["train"] == 40 == sum(bar.count for bar in found.lengths)
    assert 0 <= found.steps.padding < 0.5
    bars = found.lengths
    assert all(one.high + 1 == other.low for one, other in itertools.pairwise(bars))
    assert found.disk.model == pytest.approx(run.model_folder.joinpath("model.safetensors").stat().st_size, rel=0.2)
    checkpoint = max((run.path / "checkpoints").iterdir())
    real = sum(file.stat().st_size for file in checkpoint.iterdir())
    assert found.disk.checkpoint == pytest.approx(real, rel=0.25)


def test_measured_steps_change_nothing_that_is_trained_later(tmp_path, models):
    recipe = table(tmp_path, models)
    before = tunesmith.train(tunesmith.parse_recipe(recipe))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    found = planned(recipe | {"output": str(tmp_path / "other")})
    assert torch.equal(torch.rand(1), expected)
    after = tunesmith.train(tunesmith.parse_recipe(recipe | {"output": str(tmp_path / "other")}))
    weights = [run.model_folder.joinpath("model.safetensors").read_bytes() for run in (before, after)]
    assert weights[0] == weights[1]
    assert len(found.measurement.steps) == 3
    assert found.measurement.steps[0].rows * found.measurement.steps[0].length <= 256
    assert found.time.total == found.time.training + found.time.evaluation > 0
    assert not (tmp_path / "other" / "nothing").exists()


def test_a_plan_writes_no_run(tmp_path, models):
    planned(table(tmp_path, models), steps=False)
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()
    found = planned(table(tmp_path, models), steps=False)
    assert any("`train` would refuse the output" in warning for warning in found.warnings)


def test_steps_are_not_measured_where_they_would_not_fit(tmp_path, models, monkeypatch):
    monkeypatch.setattr("tunesmith.training.outlook.room_on", lambda _: Room(1, 1, "a thimble"))
    monkeypatch.setattr(planner, "measure", lambda _: pytest.fail("measured"))
    found = planned(table(tmp_path, models))
    assert found.measurement is None
    assert not found.fits
    assert found.outlook.remedies


def test_a_disk_that_is_too_small(tmp_path, models, monkeypatch):
    from tunesmith.planning import disk

    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    found = planned(table(tmp_path, models), steps=False)
    assert not found.disk.fits
    assert not found.fits


def test_a_bad_row_is_the_error_of_the_job(tmp_path, models):
    recipe = table(tmp_path, models)
    with (tmp_path / "rows.csv").open("a") as file:
        file.write("no label,\n")
    with pytest.raises(DataError, match=r"rows\.csv:42"):
        planned(recipe)


def test_images_have_no_tokens_to_show(tmp_path):
    from PIL import Image

    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (8, 8), 40 * number).save(tmp_path / "images" / label / f"{number}.png")
    model = tiny_image_model(tmp_path / "net", labels=2)
    recipe = {"task": "image-classification", "model": str(model), "output": str(tmp_path / "run")}
    found = planned({**recipe, "data": {"train": str(tmp_path / "images")}}, steps=False)
    assert (found.lengths, found.samples, found.stop) == ((), (), None)


def test_a_head_over_frozen_layers_is_planned_as_well(tmp_path, models):
    found = planned(table(tmp_path, models) | {"method": "head"})
    assert found.steps.total
    assert found.samples[0].answer == "a"


def test_the_json_is_documented(tmp_path, models, root: Path):
    data = planned(table(tmp_path, models)).as_json()
    assert json.loads(json.dumps(data)) == data
    page = (root / "docs/reference/plan.md").read_text(encoding="utf-8")
    for key in (*data, *data["memory"], *data["steps"], *data["disk"]):
        assert f"`{key}`" in page, key


def test_what_was_measured_comes_before_what_was_estimated(tmp_path, models):
    from dataclasses import replace

    found: Plan = planned(table(tmp_path, models), steps=False)
    assert found.peak == found.outlook.memory.peak
    measured = replace(found, measurement=Measurement((MeasuredStep(1, 1, 1.0),), 0.1, 10**15))
    assert measured.peak == 10**15
    assert not measured.fits


@pytest.mark.parametrize(
    ("sizes", "seconds", "line"),
    [
        ([100, 200, 300], [2, 3, 4], (1, 0.01)),
        ([100], [2], (2, 0)),
        ([100, 200], [3, 1], (2, 0)),
        ([1, 3], [0, 4], (0, 1)),
    ],
)
def test_the_line_through_measured_steps_starts_and_rises_at_0_or_above(sizes, seconds, line):
    assert _line(sizes, seconds) == pytest.approx(line)
