# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Folders of articles."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from tunesmith.data.rows import Problem, ReadOptions, Row
from tunesmith.errors import DataError
from tunesmith_thucnews.folders import SPLITS, article_rows, read, split_of
from tunesmith_thucnews.lines import CLASSES, Tally

pytestmark = pytest.mark.usefixtures("accepted")


def make(root: Path, articles: dict[str, bytes | str]) -> Path:
    for name, content in articles.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def rows_of(root: Path) -> list[Row | Problem]:
    return list(read(root, ReadOptions()))


def test_an_article_is_a_row_with_its_title_and_its_folder(tmp_path: Path) -> None:
    root = make(
        tmp_path,
        {
            "科技/2.txt": "新芯片\n\u3000\u3000公司发布。\r\n\n\u3000\u3000完。\n",
            "体育/10.txt": "\ufeff夺冠\n",
            "体育/.DS_Store": "x",
            "体育/Thumbs.db": "x",
        },
    )
    rows = [row for row in rows_of(root) if isinstance(row, Row)]
    assert [dict(row.values) for row in rows] == [
        {"text": "夺冠", "title": "夺冠", "label": "体育"},
        {"text": "新芯片\n公司发布。\n完。", "title": "新芯片", "label": "科技"},
    ]
    assert rows[0].origin.file == str(root / "体育" / "10.txt")


def test_what_was_taken_off_is_counted(tmp_path: Path) -> None:
    root = make(tmp_path, {"体育/1.txt": "夺冠\r\n\u3000\u3000昨天。\r\n"})
    tally = Tally()
    list(article_rows(root, ReadOptions(), tally))
    assert (tally.returns, tally.wide) == (2, 1)


def test_every_file_that_is_no_article_is_told(tmp_path: Path) -> None:
    root = make(
        tmp_path,
        {
            "体育/1.txt": "好\n",
            "体育/2.txt": b"\xff\xfe",
            "体育/3.txt": " \n\u3000",
            "体育/4.txt": "坏\x00",
            "体育/more/5.txt": "x",
            "其他/1.txt": "x",
            "README": "x",
        },
    )
    rows = rows_of(root)
    assert sum(isinstance(row, Row) for row in rows) == 1
    said = [str(row).replace(str(root), "") for row in rows if isinstance(row, Problem)]
    assert said[0].startswith("/README: not a folder of one of the 14 classes: 体育, ")
    assert said[1].startswith("/体育/2.txt: not utf-8 at byte 0")
    assert said[2].startswith("/体育/3.txt: there is nothing in it; expected an article")
    assert said[3].startswith("/体育/4.txt: a control character (U+0000)")
    assert said[4].startswith("/体育/more: a folder inside the folder of a class")
    assert said[5].startswith("/其他: not a folder of one of the 14 classes")


def test_the_splits_are_apart_complete_and_always_the_same(tmp_path: Path) -> None:
    root = make(tmp_path, {f"{label}/{n}.txt": f"标题{n}" for label in CLASSES for n in range(30)} | {"x": "x"})
    parts = {split: list(article_rows(root, ReadOptions(), Tally(), split)) for split in SPLITS}
    rows = {split: {row.origin.file for row in part if isinstance(row, Row)} for split, part in parts.items()}
    assert set.union(*rows.values()) == {row.origin.file for row in rows_of(root) if isinstance(row, Row)}
    assert sum(map(len, rows.values())) == 420
    assert {split: len(found) for split, found in rows.items()} == {"train": 327, "validation": 49, "test": 44}
    assert [sum(isinstance(row, Problem) for row in part) for part in parts.values()] == [1, 0, 0]
    assert split_of("体育", "0.txt") == "train"  # as on every other machine


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    make(tmp_path, {"THUCNews/体育/1.txt": "夺冠"})
    with pytest.raises(DataError, match=r"not the folder of THUCNews\n(.*\n)+  to do:    give .*THUCNews$"):
        rows_of(tmp_path)
    with pytest.raises(DataError, match=r"none: not the folder of THUCNews\n  given:    no folder\n"):
        rows_of(tmp_path / "none")


def test_articles_are_not_held_in_memory(tmp_path: Path) -> None:
    text = "标题\n" + "内容" * 20_000
    root = make(tmp_path, {f"体育/{n}.txt": text for n in range(100)})
    tracemalloc.start()
    count = sum(isinstance(row, Row) for row in read(root, ReadOptions()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100
    assert peak < 10 * len(text.encode())  # of 100 articles; a few copies of one are under way at a time
