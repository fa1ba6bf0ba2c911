# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Folder and key of a compile cache: not open to others, and what is said where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunesmith.errors import SettingsError
from tunesmith_enterprise.optimizations.compile_cache import settings
from tunesmith_enterprise.optimizations.compile_cache.settings import check_folder, read_key

KEY = b"k" * 32
posix = pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    secret = tmp_path / "shared.key"
    secret.write_bytes(KEY + b"\n")
    secret.chmod(0o600)
    return secret


@posix
def test_a_folder_that_everybody_may_write_into_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open" / "own").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    for folder in (tmp_path / "open", tmp_path / "open" / "own"):
        with pytest.raises(SettingsError, match="everybody may write into the folder of compile_cache") as caught:
            check_folder(folder)
        assert f"{tmp_path / 'open'}, mode 777" in str(caught.value)
        assert f"chmod o-w {tmp_path / 'open'}" in str(caught.value)
    (tmp_path / "open").chmod(0o1777)  # as /tmp: nobody replaces what is another's
    check_folder(tmp_path / "open" / "own")
    with pytest.raises(SettingsError, match="everybody may write"):
        check_folder(tmp_path / "open")


def test_a_folder_that_is_not_there_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the folder of compile_cache cannot be used(?s:.*)mkdir -m 2770"):
        check_folder(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="is no folder"):
        check_folder(tmp_path / "file")


def test_a_key_must_be_secret_and_long_enough(key_file: Path) -> None:
    assert read_key(key_file) == KEY
    key_file.write_bytes(b"pass-word")
    with pytest.raises(SettingsError, match=r"too short to be a key(?s:.*)9 bytes(?s:.*)32 random bytes") as caught:
        read_key(key_file)
    assert "pass-word" not in str(caught.value)
    if os.name == "posix":
        key_file.chmod(0o640)
        with pytest.raises(SettingsError, match=r"others than its owner may use(?s:.*)mode 640(?s:.*)chmod 600"):
            read_key(key_file)
    key_file.unlink()
    with pytest.raises(SettingsError, match="the key_file of compile_cache cannot be read"):
        read_key(key_file)


@posix
def test_a_key_of_another_account_is_refused(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has it decides which code runs here, root's programs included."""
    uid = os.geteuid()
    facts = os.stat_result((0o100600, 1, 1, 1, uid + 7, 0, 33, 0, 0, 0))
    monkeypatch.setattr(settings.os, "fstat", lambda _: facts)
    with pytest.raises(SettingsError, match=rf"another account's(?s:.*)account {uid + 7}(?s:.*)chown {uid} "):
        read_key(key_file)
