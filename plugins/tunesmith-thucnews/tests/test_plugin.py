# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Terms, dataset and command; and a job with made-up titles from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forge import Forge
from typer.testing import CliRunner

from tunesmith._plugins import get_host
from tunesmith.data.rows import ReadOptions, Row
from tunesmith.errors import DataError, SettingsError
from tunesmith.registry import get_registry
from tunesmith.testing import check_plugin
from tunesmith_thucnews import dataset, folders, terms, titles
from tunesmith_thucnews.cli import app

TOPICS = {
    "体育": ("球队", "主场", "夺冠", "教练", "进球"),
    "科技": ("手机", "芯片", "软件", "发布", "网络"),
    "财经": ("股市", "基金", "银行", "上涨", "利率"),
}


def made_up(folder: Path) -> Path:
    """Titles of two words each, in the layout with numbered classes."""
    folder.mkdir(parents=True)
    (folder / "class.txt").write_text("\n".join(TOPICS), encoding="utf-8")
    pairs = [(f"{a}{b}", index) for index, words in enumerate(TOPICS.values()) for a in words for b in words if a != b]
    parts = {"train.txt": pairs, "dev.txt": pairs[::7], "test.txt": pairs[3::7]}
    for name, rows in parts.items():
        (folder / name).write_text("".join(f"{title}\t{index}\n" for title, index in rows), encoding="utf-8")
    return folder


# ---- terms -------------------------------------------------------------------------------------


def test_nothing_is_read_before_the_terms_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_up(tmp_path / "copy")
    monkeypatch.setenv("TUNESMITH_THUCNEWS", str(folder))
    asked: list[Any] = [
        lambda: next(titles.read(folder / "train.txt", ReadOptions())),
        lambda: next(folders.read(folder, ReadOptions())),
        lambda: next(dataset.thucnews("train")),
    ]
    for ask in asked:
        with pytest.raises(DataError) as caught:
            ask()
        assert "the terms of THUCNews have not been accepted on this machine: free for research" in str(caught.value)
        assert "tunesmith thucnews accept" in str(caught.value)
    assert isinstance(CliRunner().invoke(app, ["check", str(folder)]).exception, DataError)


def test_they_are_shown_and_accepted_once(settings: Path) -> None:
    run = CliRunner().invoke
    assert "commercially first agrees on a licence" in run(app, ["terms"]).stdout
    assert "To accept them: tunesmith thucnews accept" in run(app, ["terms"]).stdout
    assert not settings.exists()

    first, second = run(app, ["accept"]), run(app, ["accept"])
    assert "commercially first agrees on a licence" in first.stdout
    assert f"noted in {settings / 'thucnews-terms.json'}" in first.stdout
    assert second.stdout.startswith("You accepted the terms on ")
    assert "You accepted them on " in run(app, ["terms"]).stdout
    terms.require_terms()


def test_terms_that_changed_are_accepted_anew(settings: Path) -> None:
    terms.accept()
    noted = json.loads((settings / "thucnews-terms.json").read_text())
    (settings / "thucnews-terms.json").write_text(json.dumps({**noted, "version": 0}))
    with pytest.raises(DataError, match="have not been accepted"):
        terms.require_terms()


@pytest.mark.parametrize("noted", ["", "[]", "{}", "null"])
def test_a_note_that_is_damaged_is_no_consent(settings: Path, noted: str) -> None:
    settings.mkdir(parents=True)
    (settings / "thucnews-terms.json").write_text(noted)
    with pytest.raises(SettingsError, match="run `tunesmith thucnews accept` again"):
        terms.require_terms()


def test_a_server_says_so_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_THUCNEWS_TERMS", "yes")
    with pytest.raises(DataError, match=r"given:    TUNESMITH_THUCNEWS_TERMS=yes\n"):
        terms.require_terms()
    monkeypatch.setenv("TUNESMITH_THUCNEWS_TERMS", "accepted")
    terms.require_terms()


# ---- dataset -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("accepted")
def test_the_dataset_takes_either_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(tmp_path / "copy" / "data")
    monkeypatch.setenv("TUNESMITH_THUCNEWS", str(tmp_path / "copy"))
    rows = {split: list(dataset.thucnews(split)) for split in ("train", "validation", "test")}
    assert {split: len(found) for split, found in rows.items()} == {"train": 60, "validation": 9, "test": 9}
    (tmp_path / "whole" / "体育").mkdir(parents=True)
    for n in range(10):
        (tmp_path / "whole" / "体育" / f"{n}.txt").write_text("夺冠", encoding="utf-8")
    monkeypatch.setenv("TUNESMITH_THUCNEWS", str(tmp_path / "whole"))
    assert sum(len(list(dataset.thucnews(split))) for split in ("train", "validation", "test")) == 10


@pytest.mark.usefixtures("accepted")
def test_without_a_copy_it_says_where_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError) as caught:
        next(dataset.thucnews("train"))
    assert "given:    TUNESMITH_THUCNEWS is not set" in str(caught.value)
    assert "get the collection from its authors: http://thuctc.thunlp.org" in str(caught.value)
    monkeypatch.setenv("TUNESMITH_THUCNEWS", str(tmp_path))
    with pytest.raises(DataError, match="where there is none"):
        next(dataset.thucnews("train"))


@pytest.mark.usefixtures("accepted")
def test_a_split_that_the_copy_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (made_up(tmp_path / "copy") / "dev.txt").unlink()
    monkeypatch.setenv("TUNESMITH_THUCNEWS", str(tmp_path / "copy"))
    with pytest.raises(DataError, match=r"no validation split\n  given:    no dev.txt in it"):
        next(dataset.thucnews("validation"))


# ---- host and command --------------------------------------------------------------------------


def test_the_host_loads_it() -> None:
    (record,) = [record for record in get_host().records if record.name == "thucnews"]
    assert (record.status, record.reason) == ("ok", "")
    assert dict(record.provides) == {
        "reader": ("thucnews-titles", "thucnews-folder"),
        "dataset": ("thucnews",),
        "command": ("thucnews",),
    }
    assert get_registry().load("dataset", "thucnews") is dataset.thucnews


def test_declaring_imports_nothing_heavy() -> None:
    code = "import sys, tunesmith_thucnews.plugin; print(sorted({'typer', 'numpy', 'torch'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.usefixtures("accepted")
def test_check_counts_and_names_every_problem(tmp_path: Path) -> None:
    folder = made_up(tmp_path / "copy")
    with (folder / "dev.txt").open("ab") as file:
        file.write("\n坏行\n".encode())
    result = CliRunner().invoke(app, ["check", str(folder)])
    assert result.exit_code == 1
    assert "train: 60 rows\n         20  体育\n" in result.stdout
    assert "  1 line passed over that hold nothing\n" in result.stdout
    assert f"  1 problem:\n    {folder / 'dev.txt'}:11: no tab" in result.stdout

    told = json.loads(CliRunner().invoke(app, ["check", str(folder / "test.txt"), "--json"]).stdout)
    assert [(one["split"], one["rows"], one["problems"]) for one in told] == [("test.txt", 9, 0)]
    assert isinstance(CliRunner().invoke(app, ["check", str(tmp_path)]).exception, DataError)


@pytest.mark.usefixtures("accepted")
def test_a_job_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forge: Forge) -> None:
    made_up(tmp_path / "copy")
    monkeypatch.setenv("TUNESMITH_THUCNEWS", "copy")

    def tunesmith(*words: str) -> str:
        done = forge.tunesmith(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    tunesmith(
        *("train", "--task", "text-classification", "--model", "scratch:bert-200k", "--out", "run"),
        *("--train", "dataset:thucnews#train", "--set", "data.validation=dataset:thucnews#validation"),
        *("--set", "model.tokenizer=byte", "--set", "train.max_steps=12", "--set", "train.learning_rate=3e-3"),
    )
    scored = json.loads(
        tunesmith("evaluate", "run", "--data", "copy/test.txt", "--format", "thucnews-titles", "--json")
    )
    assert scored["metrics"]["accuracy"] > 0.5  # of three classes with words of their own
    (tmp_path / "ask.csv").write_text("text\n银行利率\n", encoding="utf-8")
    (answer,) = [json.loads(line) for line in tunesmith("predict", "run", "ask.csv").splitlines()]
    assert answer["label"] in TOPICS


@pytest.mark.usefixtures("accepted")
def test_a_folder_of_articles_is_read_by_the_name_of_its_reader(tmp_path: Path) -> None:
    from tunesmith.data import read_rows
    from tunesmith.recipe.schema import DataSection

    (tmp_path / "体育").mkdir()
    (tmp_path / "体育" / "1.txt").write_text("夺冠\n正文", encoding="utf-8")
    section = DataSection(train=[str(tmp_path)], format="thucnews-folder")
    (row,) = read_rows([str(tmp_path)], section, get_registry())
    assert isinstance(row, Row)
    assert dict(row.values) == {"text": "夺冠\n正文", "title": "夺冠", "label": "体育"}


def test_it_passes_what_plugins_are_asked_to_pass(
    accepted: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_THUCNEWS", str(made_up(tmp_path / "copy")))
    assert check_plugin("thucnews").ok
