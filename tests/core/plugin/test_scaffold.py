# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A new plugin from the template: its names, its files, and that they are written whole or not at all."""

from __future__ import annotations

import ast
import errno
import os
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import tunesmith.plugin
from tunesmith._plugins.discover import GROUP
from tunesmith._plugins.records import PluginRecord
from tunesmith._plugins.scaffold import (
    LONGEST_NAME,
    choose_parts,
    next_commands,
    plugin_names,
    project_files,
    write_project,
)
from tunesmith._plugins.scaffold_parts import DEFAULT, PARTS
from tunesmith.errors import NotFoundError, OutputError, PluginError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VARIANTS = [*((part,) for part in PARTS), *combinations(PARTS, 2), tuple(PARTS)]


def made(name: str, *parts: str, version: str = "0.1.0") -> dict[str, str]:
    return project_files(plugin_names(name), choose_parts(parts), version=version, year=2031)


def refused(name: str, *records: PluginRecord, commands: tuple[str, ...] = ()) -> str:
    with pytest.raises(PluginError) as caught:
        plugin_names(name, records, commands=commands)
    return str(caught.value)


# ---- names -------------------------------------------------------------------------------------


def test_one_name_gives_the_three_that_pip_python_and_tunesmith_need() -> None:
    names = plugin_names("film.stars_2-b")
    assert names.distribution == "tunesmith-film-stars-2-b"
    assert names.package == "tunesmith_film_stars_2_b"
    assert plugin_names("3d").package == "tunesmith_3d"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Film Stars", "call it film-stars"),
        ("--", "choose a name such as film-stars"),
        ("", "choose a name such as film-stars"),
        ("a/../b", "call it a-b"),
        ("stars\n", "call it stars"),
        ("été", "call it t"),
        ("x" * (LONGEST_NAME + 1), "call it " + "x" * LONGEST_NAME),
    ],
)
def test_a_name_of_the_wrong_form_is_refused_with_one_that_would_do(name: str, near: str) -> None:
    text = refused(name)
    assert "a plugin cannot have this name" in text
    assert f"given:    {name!r}" in text
    assert "lower-case letters and digits, with '-', '_' or '.' between them; 40 at most" in text
    assert text.endswith(near)
    if near.startswith("call it "):
        plugin_names(near.removeprefix("call it "))


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("tunesmith", "it is that of the built-ins"),
        ("class", "it is a word of the Python language"),
        ("json", "it is a module of Python's standard library"),
        ("cli", "a module called tunesmith_cli can be imported already"),
        ("stars", "the plugin of acme-stars 2.1 is called that"),
        ("train", "`tunesmith train` is a command already"),
    ],
)
def test_a_name_that_something_else_has_is_refused_and_says_what(name: str, who: str) -> None:
    record = PluginRecord(name="stars", distribution="acme-stars", version="2.1", target="acme", status="broken")
    text = refused(name, record, commands=("train",))
    assert f"the name {name!r} is taken: {who}\n" in text
    assert f"choose another one, e.g. my-{name}" in text


def test_the_name_of_an_installed_distribution_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "tunesmith_night_sky-3.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tunesmith-night-sky\nVersion: 3.0\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "tunesmith-night-sky 3.0 is installed" in refused("night-sky")


# ---- parts -------------------------------------------------------------------------------------


def test_the_usual_parts_and_any_choice_come_in_one_order() -> None:
    assert choose_parts([]) == DEFAULT == ("dataset", "task", "command")
    assert choose_parts(["command", "Report-Section", "command", "dataset"]) == ("dataset", "command", "report_section")


def test_an_unknown_part_names_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="did you mean --with metric") as caught:
        choose_parts(["dataset", "metrics"])
    assert "given:    metrics" in str(caught.value)
    assert "dataset, task, command, reader, metric" in str(caught.value)
    with pytest.raises(NotFoundError, match="everything else is in the reference of hooks"):
        choose_parts(["zzz"])


def test_every_part_names_a_spec_of_its_own_kind() -> None:
    for word, part in PARTS.items():
        assert getattr(tunesmith.plugin, part.spec).kind == word


# ---- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", VARIANTS, ids="+".join)
def test_every_variant_is_whole_and_holds_nothing_of_the_template(parts: tuple[str, ...]) -> None:
    files = made("film.stars", *parts)
    package = "tunesmith_film_stars"
    for path, text in files.items():
        for left in ("_example", "-example", "<< ", "<% ", "The Tunesmith authors"):
            assert left not in path + text, f"{path} still holds {left!r}"
        if path.endswith(".py"):
            ast.parse(text)
            assert text.startswith("# SPDX-FileCopyrightText: 2031 The tunesmith-film-stars authors\n")
    hooks = [node for node in ast.parse(files[f"{package}/plugin.py"]).body if isinstance(node, ast.FunctionDef)]
    assert [hook.name for hook in hooks] == [f"tunesmith_{part}s" for part in parts]
    modules = {f"{package}/{PARTS[part].module}.py" for part in parts}
    others = {f"{package}/{file}" for part in parts for file in PARTS[part].beside}
    here = {path for path in files if path.startswith(package)}
    assert here == modules | others | {f"{package}/{name}" for name in ("__init__.py", "plugin.py", "py.typed")}
    project = tomllib.loads(files["pyproject.toml"])
    assert project["project"]["entry-points"] == {GROUP: {"film.stars": f"{package}.plugin"}}
    assert project["project"]["dependencies"][0] == "tunesmith>=0.1,<0.2"


@pytest.mark.parametrize(
    ("version", "bounds"),
    [("0.1.0", ">=0.1,<0.2"), ("0.9.3.dev1", ">=0.9,<0.10"), ("1.4.2", ">=1.4,<2"), ("2", ">=2.0,<3")],
)
def test_a_plugin_asks_for_the_tunesmith_it_was_made_with(version: str, bounds: str) -> None:
    project = tomllib.loads(made("stars", version=version)["pyproject.toml"])["project"]
    assert project["dependencies"][0] == f"tunesmith{bounds}"


def test_the_module_with_the_hooks_imports_nothing_heavy() -> None:
    tree = ast.parse(made("stars", *PARTS)["tunesmith_stars/plugin.py"])
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported == ["__future__", "collections.abc", "tunesmith.plugin"]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


def test_a_dataset_without_the_task_is_one_for_classifying() -> None:
    alone, together = made("stars", "dataset"), made("stars", "dataset", "task")
    assert '"label": 1}' in alone["tunesmith_stars/train.jsonl"]
    assert 'task="text-classification"' in alone["tunesmith_stars/plugin.py"]
    assert '"rating": 1}' in together["tunesmith_stars/train.jsonl"]
    assert 'task="stars"' in together["tunesmith_stars/plugin.py"]


def test_the_license_is_ours_with_the_name_of_the_author(root: Path) -> None:
    ours = (root / "LICENSE").read_text("utf-8")
    assert made("stars")["LICENSE"] == ours.replace("2026 The Tunesmith authors", "2031 The tunesmith-stars authors")


def test_the_next_commands_can_be_pasted() -> None:
    names = plugin_names("stars")
    commands = next_commands(names, DEFAULT, Path("my plugins/stars"))
    assert commands == [
        "pip install -e './my plugins/stars[test]'",
        "tunesmith plugins doctor stars",
        "tunesmith train --task stars --model tunesmith/tiny --train 'dataset:stars#train' "
        "--test 'dataset:stars#test' --out runs/stars",
        "pytest './my plugins/stars'",
    ]
    assert len(next_commands(names, ("reader",), Path("/there"))) == 3


# ---- writing -----------------------------------------------------------------------------------


def test_what_is_written_is_what_was_made(tmp_path: Path) -> None:
    files = made("stars")
    write_project(files, tmp_path / "new" / "stars")
    there = {
        path.relative_to(tmp_path / "new" / "stars").as_posix(): path.read_text("utf-8")
        for path in (tmp_path / "new").rglob("*")
        if path.is_file()
    }
    assert there == files


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    write_project({"a": "1"}, tmp_path)
    assert (tmp_path / "a").read_text() == "1"


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path) -> None:
    for name in ("one", "two", "three", "zone"):
        (tmp_path / name).touch()
    with pytest.raises(OutputError, match="is not empty, and nothing is overwritten") as caught:
        write_project({"a": "1"}, tmp_path)
    assert "given:    one, three, two and 1 more" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "three", "two", "zone"]


@pytest.mark.parametrize("link", [False, True])
def test_a_file_or_a_link_is_no_folder(tmp_path: Path, link: bool) -> None:
    place = tmp_path / "place"
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere") if link else place.write_text("mine")
    with pytest.raises(OutputError, match="is there and is no folder"):
        write_project({"a": "1"}, place)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert link or place.read_text() == "mine"


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    write, count = Path.write_text, 0

    def full(self: Path, *args: Any, **options: Any) -> int:
        nonlocal count
        count += 1
        if count > after:
            write(self, "half", encoding="utf-8")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, *args, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="the plugin cannot be written: No space left on device") as caught:
        write_project(made("stars"), tmp_path / "new" / "stars")
    assert "--out FOLDER; nothing was left behind" in str(caught.value)
    assert count == after + 1
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Path, target: Path) -> Path:
        assert (self / "a").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_project({"a": "1"}, tmp_path / "stars")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("reason", [errno.EROFS, errno.EACCES])
def test_a_place_that_cannot_be_written_is_told_by_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    # Not by its permissions: whoever runs the tests as root may write everywhere.
    def refuse(self: Path, *args: Any, **options: Any) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=f"the plugin cannot be written: {os.strerror(reason)}") as caught:
        write_project({"a": "1"}, tmp_path / "stars")
    assert f"given:    {tmp_path / 'stars'}" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_inside_a_file_is_told_by_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="the plugin cannot be written: Not a directory"):
        write_project({"a": "1"}, tmp_path / "file" / "stars")
