# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whatever is changed in or around a run is found, and nothing else."""

import json

import pytest

from tunesmith.testing import tiny_bert
from tunesmith.training import verify
from tunesmith_cli.main import main


def odd(run):
    return {
        check.name: (check.kind, check.state, check.detail) for check in verify(run).checks if check.state != "equal"
    }


def append(path, text="x"):
    with path.open("a") as file:
        file.write(text)


def test_an_untouched_run_is_whole(made):
    found = verify(made.path)
    assert found.whole
    assert odd(made) == {}
    names = {check.name for check in found.checks}
    assert {"recipe.yaml", "metrics.jsonl", "report.html", "model/model.safetensors", "model/rendering.json"} <= names
    assert {"checkpoints/step-00000002", "checkpoints/step-00000004"} <= names
    assert {str(made.path.parent / "rows.csv"), str(made.path.parent / "bert")} <= names


@pytest.mark.parametrize("name", ["metrics.jsonl", "report.html", "model/model.safetensors", "model/tokenizer.json"])
def test_a_changed_file_of_the_run(made, name):
    append(made.path / name)
    assert odd(made) == {name: ("artefact", "changed", "its bytes are others than when the run ended")}
    (made.path / name).unlink()
    assert odd(made) == {name: ("artefact", "missing", "it was there when the run ended")}


def test_a_file_that_somebody_put_beside_the_weights(made):
    append(made.path / "model" / "notes.txt")
    assert odd(made) == {"model/notes.txt": ("artefact", "added", "it was not there when the run ended")}


def test_an_edited_recipe(made):
    file = made.path / "recipe.yaml"
    file.write_text(file.read_text().replace("max_steps: 4", "max_steps: 5"))
    found = odd(made)
    assert found["recipe.yaml"][1] == "changed"
    assert "train.max_steps: 4 when it was started, 5 now" in {c.detail for c in verify(made).checks}


def test_a_key_that_came_later_is_no_change(made):
    """A run of an earlier version: neither its manifest nor its recipe.yaml knows the key."""
    stored = made.manifest["recipe"]
    del stored["train"]["betas"], stored["data"]["encoding"]
    made.update(recipe=stored)
    assert odd(made) == {}
    stored["train"]["learning_rate"] = 1.0
    made.update(recipe=stored)
    assert odd(made)["recipe.yaml"][2].startswith("train.learning_rate: 1.0 when it was started")


def test_a_damaged_checkpoint(made):
    append(made.checkpoint_folder / "step-00000002" / "weights.safetensors")
    assert odd(made) == {
        "checkpoints/step-00000002": ("checkpoint", "changed", "weights.safetensors has changed since it was written")
    }


def test_data_and_base_model(made):
    rows, base = made.path.parent / "rows.csv", made.path.parent / "bert"
    append(rows, "pear,fruit\n")
    tiny_bert(base, seed=7)
    assert odd(made) == {
        str(rows): ("data", "changed", "its content is another than training read"),
        str(base): ("base model", "changed", "its weights are others than training started from"),
    }
    rows.unlink()
    (base / "config.json").unlink()
    states = {name: state for name, (_, state, _) in odd(made).items()}
    assert states == {str(rows): "missing", str(base): "missing"}


def test_a_run_that_never_ended_has_no_digests_of_its_model(made):
    made.update(status="interrupted", artefacts=None)
    assert verify(made).whole
    assert odd(made) == {"model": ("artefact", "unknown", "the run is interrupted; a finished one says what it made")}


def test_the_command_says_it_and_ends_with_2(made, capsys):
    assert main(["verify", str(made.path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" equal")
    append(made.path / "report.html")
    assert main(["verify", str(made.path), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["whole"] is False
    assert [check["name"] for check in found["checks"] if check["state"] == "changed"] == ["report.html"]
