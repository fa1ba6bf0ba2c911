# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``mask-pii`` in a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tunesmith
from tunesmith.data.rows import RowError
from tunesmith.errors import DataError, RecipeError
from tunesmith.recipe import parse_recipe
from tunesmith.testing import tiny_bert
from tunesmith_privacy.transform import MaskPii


def test_a_row_is_masked_and_counted_and_its_label_is_not() -> None:
    mask = MaskPii()
    row = {"text": "I am a@example.com", "label": "b@example.com", "note": 3}
    assert mask.change(row) == {"text": "I am <EMAIL_ADDRESS>", "label": "b@example.com", "note": 3}
    assert row["text"] == "I am a@example.com"
    assert mask.change({"text": "(415) 555-2671 or c@example.com"})["text"] == "<PHONE_NUMBER> or <EMAIL_ADDRESS>"
    plain = {"text": "nothing"}
    assert mask.change(plain) is plain
    assert mask.counted() == ["3 values masked in 2 of 3 rows: 2 EMAIL_ADDRESS, 1 PHONE_NUMBER"]


def test_labels_are_masked_when_they_are_named() -> None:
    mask = MaskPii(columns=["label"])
    changed = mask.change({"text": "a@example.com", "label": "b@example.com"})
    assert changed == {"text": "a@example.com", "label": "<EMAIL_ADDRESS>"}


def test_nothing_found_is_told_and_so_is_a_column_that_no_row_has() -> None:
    mask = MaskPii(columns=["body"])
    mask.change({"text": "a@example.com"})
    assert mask.counted() == ["no value masked in 1 row", "no row has the column 'body', which was to be masked"]


def test_two_jobs_do_not_share_numbers_or_counts() -> None:
    first, second = MaskPii(pseudonym=True), MaskPii(pseudonym=True)
    assert first.change({"text": "a@example.com b@example.com"})["text"] == "<EMAIL_ADDRESS_1> <EMAIL_ADDRESS_2>"
    assert second.change({"text": "b@example.com"})["text"] == "<EMAIL_ADDRESS_1>"
    assert second.counted() == ["1 value masked in 1 of 1 row: 1 EMAIL_ADDRESS"]


def test_half_a_character_is_a_problem_of_its_row() -> None:
    with pytest.raises(RowError, match=r"messages holds half of a character: a \\ud83d"):
        MaskPii().change({"messages": [{"content": "x\ud83d"}]})


@pytest.mark.parametrize(
    "row",
    [
        {"text": "a@example.com is Jane", "entities": [{"start": 17, "end": 21, "label": "PER"}]},
        {"context": "a@example.com is Jane", "question": "who?", "answers": {"text": ["Jane"], "answer_start": [17]}},
    ],
)
def test_places_that_masking_would_move_are_refused(row: dict[str, Any]) -> None:
    with pytest.raises(RowError, match="by numbers of characters"):
        MaskPii().change(row)
    clean = {
        key: value.replace("a@example.com", "that") if isinstance(value, str) else value for key, value in row.items()
    }
    assert MaskPii().change(clean) == clean


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masked")
    tiny_bert(folder / "bert")
    rows = [{"text": f"mail u{n % 5}@example.com or not {n}", "label": "+" if n % 2 else "-"} for n in range(20)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def recipe(place: Path, output: Path, transform: Any) -> Any:
    return parse_recipe(
        {
            "task": "text-classification",
            "model": str(place / "bert"),
            "data": {"train": str(place / "rows.jsonl"), "split": {"test": 0.2}, "transform": transform},
            "train": {"max_steps": 1, "device": "cpu"},
            "output": str(output),
        }
    )


def test_a_job_learns_from_masked_rows_and_says_so(place: Path, tmp_path: Path) -> None:
    run = tunesmith.train(recipe(place, tmp_path / "run", [{"name": "mask-pii", "pseudonym": True}]))
    card = (run.path / "model" / "README.md").read_text()
    assert "mask-pii: 20 values masked in 20 of 20 rows: 20 EMAIL\\_ADDRESS" in card
    report = (run.path / "report.html").read_text()
    assert "@example.com" not in report
    assert "EMAIL_ADDRESS_" in report
    written = run.recipe().data.transform[0].model_dump()
    assert (written["language"], written["min_score"], written["replace"]) == ("en", 0.4, "<{entity}>")


def test_wrong_keys_are_told_before_anything_is_read(place: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", [{"name": "mask-pii", "entities": ["NAME"], "columns": 3}]))
    assert "data.transform[0].columns" in str(caught.value)
    with pytest.raises(RecipeError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", [{"name": "mask-pii", "entities": ["NAME"]}]))
    assert "data.transform[0]: nothing here finds this kind of personal data: given NAME" in str(caught.value)


def test_rows_with_half_a_character_are_told_by_line(place: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "fine", "label": "a"}\n{"text": "x\\ud83d", "label": "b"}\n')
    wanted = recipe(place, tmp_path / "run", ["mask-pii"])
    data = wanted.data.model_copy(update={"train": [str(tmp_path / "rows.jsonl")]})
    with pytest.raises(DataError, match=r"rows\.jsonl:2: half of a character"):
        tunesmith.train(wanted.model_copy(update={"data": data}))
