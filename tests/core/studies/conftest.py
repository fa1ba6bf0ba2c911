# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A small job to vary: a random encoder and 96 rows."""

import json

import pytest

import tunesmith
from tunesmith.testing import tiny_bert

WORDS = {"fruit": ("apple", "pear", "plum", "ripe fig"), "metal": ("iron", "zinc", "old tin", "copper wire")}


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    rows = [f"{word} {n},{label},{n % 6}" for n in range(12) for label, words in WORDS.items() for word in words]
    (folder / "rows.csv").write_text("text,label,writer\n" + "\n".join(rows) + "\n")
    tiny_bert(folder / "bert")
    return folder


@pytest.fixture
def job(place, tmp_path):
    """``job(out, **changes)``: the recipe; ``out`` lies in the test's own folder."""

    def make(out="study", **changes):
        base = {
            "task": "text-classification",
            "model": str(place / "bert"),
            "data": {"train": str(place / "rows.csv"), "split": {"validation": 0.25}},
            "train": {"epochs": 2, "tokens_per_batch": 256, "learning_rate": 1e-3},
            "output": str(tmp_path / out),
        }
        return tunesmith.parse_recipe(base, overrides=[f"{key}={json.dumps(value)}" for key, value in changes.items()])

    return make
