# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A small finished run, made once."""

import shutil

import pytest

import tunesmith
from tunesmith.testing import tiny_bert


@pytest.fixture(scope="session")
def _made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    rows = [f"{word} {n},{label}" for n in range(8) for word, label in (("apple", "fruit"), ("iron", "metal"))]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    tiny_bert(folder / "bert")
    recipe = {
        "task": "text-classification",
        "model": str(folder / "bert"),
        "data": {"train": str(folder / "rows.csv"), "split": {"validation": 0.25}},
        "train": {"max_steps": 4, "tokens_per_batch": 64, "save_every": 2},
        "output": str(folder / "run"),
    }
    tunesmith.train(tunesmith.parse_recipe(recipe))
    return folder


@pytest.fixture
def made(_made, tmp_path):
    """A finished run, and a copy of its own of everything it read: ``run``, ``rows.csv``, ``bert``."""
    shutil.copytree(_made, tmp_path / "made")
    run = tunesmith.Run.open(tmp_path / "made" / "run")
    for name in ("run.json", "recipe.yaml"):
        file = run.path / name
        file.write_text(file.read_text().replace(str(_made), str(tmp_path / "made")))
    run.update(artefacts=tunesmith.runs.artefact_digests(run.path))
    return run
