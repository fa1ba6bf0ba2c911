# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The model card: true, portable, and readable by the hub."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import yaml

from tunesmith.evaluate import write_card
from tunesmith.evaluate.card import render_card

MakeRun = Callable[..., Any]


def front_matter(card: str) -> dict[str, Any]:
    _, matter, _ = card.split("---\n", 2)
    parsed = yaml.safe_load(matter)
    assert isinstance(parsed, dict)
    return parsed


def test_front_matter_for_the_hub(make_run: MakeRun) -> None:
    matter = front_matter(render_card(make_run()))
    assert matter["pipeline_tag"] == "text-classification"
    assert matter["tags"] == ["tunesmith", "text-classification", "full"]
    result = matter["model-index"][0]["results"][0]
    assert result["dataset"] == {"type": "local", "name": "train.csv", "split": "test"}
    assert result["metrics"][0] == {"type": "accuracy", "value": 0.928}
    assert "license" not in matter
    assert "base_model" not in matter  # models/minilm is a folder here, not a model of the hub


def test_the_rows_that_were_scored_are_the_data_set_of_the_figures(make_run: MakeRun) -> None:
    data = {"train": "data/train.csv", "test": ["data/a.csv", "hub:owner/name#test"]}
    result = front_matter(render_card(make_run(recipe={"data": data})))["model-index"][0]["results"][0]
    assert result["dataset"] == {"type": "local", "name": "a.csv, hub:owner/name#test", "split": "test"}


def test_a_hub_model_is_named_as_the_base(make_run: MakeRun) -> None:
    run = make_run(model={"name": "owner/name", "revision": "abc", "parameters": 1})
    assert front_matter(render_card(run))["base_model"] == "owner/name"


def test_it_lies_beside_the_weights_and_names_no_path_of_this_machine(make_run: MakeRun) -> None:
    run = make_run(
        model={"name": "/home/somebody/models/minilm", "digest": "sha256:00"},
        data={"files": [{"name": "/home/somebody/train.csv", "rows": 3, "sha256": "0f", "bytes": 9}], "train": 3},
        records=[{"kind": "note", "message": "/home/somebody/train.csv: cut in order"}],
    )
    file = write_card(run)
    assert file == run.model_folder / "README.md"
    card = file.read_text(encoding="utf-8")
    assert "somebody" not in card
    assert str(run.path) not in card
    assert "fine-tuned from `minilm`" in card
    assert "`train.csv`" in card
    assert "- train.csv: cut in order" in card


def test_results_before_and_after(make_run: MakeRun) -> None:
    card = render_card(make_run())
    assert "On the test split (3,080 rows)." in card
    assert "| accuracy | 1.3 % | **92.8 %** |" in card
    assert "- learning rate: 0.0002" in card
    assert "- time: 3 min 7 s on cpu" in card
    assert 'model.predict(["a text"])' in card


def test_no_score_is_said_and_not_invented(make_run: MakeRun) -> None:
    card = render_card(make_run(metrics={}))
    matter = front_matter(card)
    assert "model-index" not in matter
    assert "The model was not scored: no validation or test rows were given." in card
    assert "Nobody has measured how good it is." in card


def test_validation_figures_say_that_they_chose_the_weights(make_run: MakeRun) -> None:
    assert "also chose the weights" in render_card(make_run(metrics={"validation": {"accuracy": 0.9}}))


def test_nan_stays_out_of_the_index(make_run: MakeRun) -> None:
    card = render_card(make_run(metrics={"test": {"loss": math.nan}}))
    assert "model-index" not in front_matter(card)
    assert "**NaN**" in card


def test_language_models_and_scratch(make_run: MakeRun) -> None:
    run = make_run(task="chat", model={"name": "scratch:llama-1m", "parameters": 1_000_000})
    card = render_card(run)
    assert "trained from scratch (`llama-1m`)" in card
    assert "model.chat(" in card
    assert "which need not be true" in card
    assert front_matter(card)["pipeline_tag"] == "text-generation"


def test_markdown_from_outside_stays_text(make_run: MakeRun) -> None:
    evil = "a|b`c` <img src=x>\n# Title [link](x)"
    run = make_run(
        records=[{"kind": "note", "message": evil}],
        method=evil,
        data={"files": [{"name": evil, "rows": 1, "sha256": "0f", "bytes": 1}], "train": 1},
    )
    card = render_card(run)
    assert "<img" not in card.replace("\\<img", "").replace("`x>", "").split("---\n", 2)[2].replace(
        "`a¦b'c' <img src=x> # Title [link](x)`", ""
    )
    assert "\n# Title" not in card.split("---\n", 2)[2]
    assert "[link](x)" not in card.split("---\n", 2)[2].replace("`a¦b'c' <img src=x> # Title [link](x)`", "")
    assert front_matter(card)["tags"][2] == evil
