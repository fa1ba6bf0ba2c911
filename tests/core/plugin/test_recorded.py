# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tunesmith._plugins.recorded import Recorded, change_recorded, read_recorded, recorded_file, replaced
from tunesmith.errors import OutputError, SettingsError

ONE = Recorded(environment="/env", requirement="tunesmith-xlsx>=0.1", name="tunesmith-xlsx", version="0.1.0")


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))


def test_what_is_written_is_read() -> None:
    odd = replace(ONE, requirement='/a "b"\\c\x7f\n\tü😀', name="odd")

    assert read_recorded() == []
    change_recorded(lambda held: [*held, ONE, odd])

    assert read_recorded() == [ONE, odd]
    assert recorded_file().read_text("utf-8").startswith("# Written by `tunesmith plugins add`")


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files")
def test_nobody_else_may_read_it() -> None:
    change_recorded(lambda held: [ONE])

    assert stat.S_IMODE(recorded_file().stat().st_mode) == 0o600


def test_an_entry_takes_the_place_of_its_elder_in_the_same_environment_only() -> None:
    other, newer = replace(ONE, environment="/other"), replace(ONE, name="Tunesmith_XLSX", version="2")

    assert replaced([ONE, other], [newer]) == [other, newer]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[plugin", "cannot be used: "),
        ("", "expected format = 1"),
        ("format = 2\n", "expected format = 1"),
        ("format = 1\nplugin = 3\n", "plugin is not a list of tables"),
        ("format = 1\n[[plugin]]\nname = 'x'\n", "needs the texts environment, requirement, name, version, given name"),
    ],
)
def test_a_file_of_another_form_is_an_error_and_stays_as_it_is(text: str, words: str) -> None:
    path = recorded_file()
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")

    with pytest.raises(SettingsError) as caught:
        change_recorded(lambda held: [*held, ONE])

    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "it was left as it is" in str(caught.value)
    assert path.read_text("utf-8") == text
    assert [each.name for each in path.parent.iterdir() if not each.name.endswith(".lock")] == [path.name]


def test_a_change_that_fails_leaves_the_file_as_it_was() -> None:
    change_recorded(lambda held: [ONE])

    def fail(held: list[Recorded]) -> list[Recorded]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        change_recorded(fail)

    assert read_recorded() == [ONE]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "file"))

    with pytest.raises(OutputError, match="the list of plugins cannot be written"):
        change_recorded(lambda held: [ONE])
