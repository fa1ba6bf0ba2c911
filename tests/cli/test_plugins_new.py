# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith plugins new`: what is printed, for people and for programs; the words of its errors."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
import typer

from tunesmith._plugins.scaffold_parts import PARTS
from tunesmith_cli.commands import plugins_new
from tunesmith_cli.main import main


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_people_see_the_files_and_what_to_type_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "new", "film-stars"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("tunesmith-film-stars in tunesmith-film-stars, with dataset, task, command:\n")
    listed = [line.strip() for line in said.out.splitlines()[2:]]
    folder = tmp_path / "tunesmith-film-stars"
    assert listed == sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert "pip install -e './tunesmith-film-stars[test]'" in said.err
    assert str(datetime.now().year) in (folder / "LICENSE").read_text("utf-8")


def test_programs_get_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "new", "cards", "--with", "reader", "--out", "deep/down", "--json"]) == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert facts["plugin"] == "cards"
    assert facts["distribution"] == "tunesmith-cards"
    assert facts["package"] == "tunesmith_cards"
    assert facts["with"] == ["reader"]
    assert all((tmp_path / facts["folder"] / file).is_file() for file in facts["files"])
    assert facts["next"][-1] == "pytest ./deep/down"
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Film Stars"], ["a plugin cannot have this name", "given:    'Film Stars'", "call it film-stars"]),
        ([""], ["a plugin cannot have this name", "given:    ''", "choose a name such as film-stars"]),
        (["tunesmith"], ["the name 'tunesmith' is taken: it is that of the built-ins"]),
        (["import"], ["the name 'import' is taken: it is a word of the Python language"]),
        (["train"], ["the name 'train' is taken: `tunesmith train` is a command already", "my-train"]),
        (["stars", "--with", "comand"], ["nothing of this kind", "given:    comand", "did you mean --with command?"]),
    ],
)
def test_a_bad_call_is_explained_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    assert main(["plugins", "new", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert all(word in said.err for word in words), said.err
    assert not list(tmp_path.iterdir())


def test_the_name_of_a_command_is_free_for_a_plugin_without_one(tmp_path: Path) -> None:
    assert main(["plugins", "new", "train", "--with", "reader", "--quiet"]) == 0
    assert (tmp_path / "tunesmith-train").is_dir()


def test_a_second_time_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "new", "stars"]) == 0
    mine = tmp_path / "tunesmith-stars" / "README.md"
    mine.write_text("mine", "utf-8")
    assert main(["plugins", "new", "stars"]) == 2
    assert "tunesmith-stars is not empty, and nothing is overwritten" in capsys.readouterr().err
    assert mine.read_text("utf-8") == "mine"


def test_the_help_names_every_part() -> None:
    app = typer.Typer()
    app.command()(plugins_new.new)
    (option,) = [one for one in typer.main.get_command(app).params if one.name == "parts"]
    listed = option.help.removeprefix("What it brings: ").partition(". ")[0]  # type: ignore[attr-defined]
    assert listed.split(", ") == list(PARTS)
