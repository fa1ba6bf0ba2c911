# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A run done again is equal to the last bit; where it is not, the first difference is named."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import tunesmith
from tunesmith.errors import RunError
from tunesmith.training import replay
from tunesmith.training.replay import compare
from tunesmith_cli.main import main


def test_a_run_done_again_is_equal_to_the_last_bit(made):
    found = replay(made)
    assert found.equal
    assert (found.steps, found.first, found.figures, found.weights, dict(found.conditions)) == (4, None, (), None, {})
    assert found.evaluations >= 2
    assert found.tensors > 10
    assert found.repeated == made.path.with_name("run-replay")
    assert tunesmith.Run.open(found.repeated).manifest["status"] == "finished"


def test_it_computes_with_the_threads_of_the_run(made):
    before = torch.get_num_threads()
    made.update(threads=before + 1)
    found = replay(made, made.path.with_name("again"))
    assert tunesmith.Run.open(found.repeated).manifest["threads"] == before + 1
    assert torch.get_num_threads() == before


@pytest.fixture
def other(made):
    """The same run, but for a loss, a figure, a weight and a version."""
    import shutil

    shutil.copytree(made.path, made.path.with_name("other"))
    run = tunesmith.Run.open(made.path.with_name("other"))
    records = run.metrics()
    for record in records:
        if record["kind"] == "step" and record["step"] >= 3:
            record["loss"] += 1e-6
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    metrics = run.manifest["metrics"]
    metrics["validation"]["accuracy"] += 0.25
    environment = run.manifest["environment"]
    environment["packages"]["torch"] = "1.0"
    run.update(metrics=metrics, environment=environment, instructions="SSE9")
    file = run.model_folder / "model.safetensors"
    tensors = load_file(file)
    name = max(tensors)
    tensors[name].view(-1)[0] += 0.5
    save_file(tensors, file)
    return run, name


def test_the_first_difference_and_what_may_have_caused_it(made, other):
    run, name = other
    found = compare(made, run)
    assert not found.equal
    assert (found.first.where, found.first.name) == ("step 3", "loss")
    assert found.first.now == pytest.approx(found.first.before + 1e-6)
    assert [(figure.name, figure.now - figure.before) for figure in found.figures] == [("validation.accuracy", 0.25)]
    assert found.weights.tensors == (name,)
    assert found.weights.largest == pytest.approx(0.5)
    assert found.conditions["torch"][1] == "1.0"
    assert found.conditions["instructions"][1] == "SSE9"


def test_what_only_one_of_them_has(made, other):
    run, name = other
    file = run.model_folder / "model.safetensors"
    tensors = load_file(file)
    del tensors[name]
    save_file(tensors, file)
    (run.path / "metrics.jsonl").write_text("")
    found = compare(made, run)
    assert found.first.now is None
    assert found.weights.tensors == (name,)


def test_a_run_whose_model_was_deleted_is_compared_without_it(made, monkeypatch, capsys):
    import shutil

    for run in (made, tunesmith.Run.open(shutil.copytree(made.path, made.path.with_name("other")))):
        figures = run.manifest["metrics"]
        figures["validation"]["roc_auc"] = float("nan")  # the same both times
        run.update(metrics=figures)
    shutil.rmtree(made.model_folder)
    found = compare(made, run)
    assert (found.equal, found.tensors, found.weights) == (True, 0, None)
    monkeypatch.setattr("tunesmith.training.replay", lambda *_args, **_options: found)
    assert main(["replay", str(made.path), "--quiet"]) == 0
    assert "not compared: the run holds no model any more" in capsys.readouterr().out


def test_only_a_finished_run_whose_inputs_are_there(made):
    with (made.path.parent / "rows.csv").open("a") as file:
        file.write("pear,fruit\n")
    with pytest.raises(
        RunError, match=r"cannot be repeated: its inputs are not what they were[\s\S]*rows\.csv changed"
    ):
        replay(made)
    assert not made.path.with_name("run-replay").exists()
    made.update(status="interrupted")
    with pytest.raises(RunError, match=r"is not finished[\s\S]*tunesmith train --resume"):
        replay(made)


def test_the_command(made, other, monkeypatch, capsys):
    assert main(["replay", str(made.path), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "tensors: equal, bit by bit" in out
    assert "result       equal" in out
    monkeypatch.setattr("tunesmith.training.replay", lambda *_args, **_options: compare(made, other[0]))
    assert main(["replay", str(made.path), "--quiet"]) == 2
    out = capsys.readouterr().out
    assert "the first difference is at step 3: loss" in out
    assert "1 of " in out
    assert "result       not equal" in out
