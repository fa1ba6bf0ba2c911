# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The cache: where it is, whole entries only, damage found, two processes at once."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tunesmith.data.cache import (
    cache_entries,
    cache_folder,
    clear_cache,
    entry_facts,
    find_entry,
    making_entry,
    noting_entries,
    publish,
)
from tunesmith.runs.lock import hold

KEY = "ab" * 32


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make(text: str = "hello", key: str = KEY) -> Path:
    with making_entry("items", key) as folder:
        assert folder is not None
        (folder / "a.txt").write_text(text)
        return publish(folder, {"rows": 3})


def begin(ending: type[BaseException]) -> None:
    with making_entry("items", KEY) as folder:
        assert folder is not None
        (folder / "part").write_text("one")
        raise ending


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path))
    assert cache_folder("items") == tmp_path / "items"
    for off in ("", "off", "OFF"):
        monkeypatch.setenv("TUNESMITH_CACHE", off)
        assert cache_folder("items") is None
        with making_entry("items", KEY) as folder:
            assert folder is None
        assert find_entry("items", KEY) is None
        assert cache_entries() == []
    monkeypatch.delenv("TUNESMITH_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("items") == tmp_path / "xdg" / "tunesmith" / "items"


def test_made_once_and_found(root):
    assert find_entry("items", KEY) is None
    path = make()
    assert find_entry("items", KEY) == path == root / "items" / KEY
    assert entry_facts(path) == {"rows": 3}
    assert (path / "a.txt").read_text() == "hello"
    entry = cache_entries()[0]
    assert (entry.kind, entry.key, entry.whole) == ("items", KEY, True)
    if os.name == "posix":
        assert root.joinpath("items").stat().st_mode & 0o077 == 0  # rows of users lie in it


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "a.txt").write_text("hellO"),
        lambda path: (path / "a.txt").write_text("hell"),
        lambda path: (path / "a.txt").unlink(),
        lambda path: (path / "entry.json").write_text("{"),
        lambda path: (path / "entry.json").write_text("[]"),
    ],
    ids=["changed", "cut", "gone", "no JSON", "other JSON"],
)
def test_damage_is_found_and_the_entry_removed(root, damage, caplog):
    damage(make())
    with caplog.at_level(logging.WARNING):
        assert find_entry("items", KEY) is None
    assert "is damaged and is made again" in caplog.text
    assert find_entry("items", KEY) is None
    assert find_entry("items", make().name) is not None


def test_what_an_interrupted_process_left_is_there_again(root):
    with pytest.raises(KeyboardInterrupt):
        begin(KeyboardInterrupt)
    assert find_entry("items", KEY) is None
    assert [entry.whole for entry in cache_entries()] == [False]
    with making_entry("items", KEY) as folder:
        assert (folder / "part").read_text() == "one"


def test_a_full_disk_leaves_nothing(root):
    with pytest.raises(BlockingIOError):
        begin(BlockingIOError)
    assert cache_entries() == []


def test_two_at_once_make_the_same_entry(root):
    with making_entry("items", KEY) as first, making_entry("items", KEY) as second:
        assert first != second
        for folder in (first, second):
            (folder / "a.txt").write_text("hello")
        assert publish(second, {}) == publish(first, {})
    assert len(cache_entries()) == 1
    assert find_entry("items", KEY) is not None


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "file"))
    with making_entry("items", KEY) as folder:
        assert folder is None
    assert "nothing is cached" in caplog.text


def test_clearing_leaves_what_is_being_made_and_what_is_young(root):
    make()
    make(key="cd" * 32)
    assert clear_cache(older_than=1) == []
    with hold(root / "items" / f".{KEY}.lock"):
        assert [entry.key for entry in clear_cache()] == ["cd" * 32]
    assert [entry.key for entry in clear_cache()] == [KEY]
    assert cache_entries() == []


def test_what_is_taken_out_and_put_in_is_noted_and_can_be_cleared_by_its_name(root):
    make()
    with noting_entries() as noted:
        assert find_entry("items", KEY) is not None
        assert find_entry("items", "ef" * 32) is None
        make(key="cd" * 32)
    make(key="12" * 32)
    assert noted == {f"items/{KEY}", f"items/{'cd' * 32}"}
    assert {entry.key for entry in clear_cache(only=noted)} == {KEY, "cd" * 32}
    assert [entry.key for entry in cache_entries()] == ["12" * 32]
