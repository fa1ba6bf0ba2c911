# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Where passphrases come from, and where they never come from."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.passphrases import Passphrases, refuse_weak, weakness


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_first_line_of_a_file_is_the_passphrase(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_bytes(b" with spaces \r\nnot this\n")
    assert Passphrases([str(file)])("any") == " with spaces "


def test_a_file_can_be_for_one_key_alone(tmp_path: Path) -> None:
    for name in ("all", "one"):
        (tmp_path / name).write_text(name)
    asked = Passphrases([f"{tmp_path}/all", f"issuer-1={tmp_path}/one"])
    assert (asked("issuer-1"), asked("root-1")) == ("one", "all")


def test_a_path_with_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "a=b").write_text("here")
    assert Passphrases([f"{tmp_path}/a=b"])("any") == "here"


def test_a_file_descriptor_is_read_once_for_all_keys() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"through the pipe\n")
    os.close(writing)
    asked = Passphrases(descriptor=reading)
    assert (asked("root-1"), asked("root-2")) == ("through the pipe", "through the pipe")


def test_a_closed_descriptor_is_an_error_with_an_example() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with pytest.raises(VendorError, match=r"--passphrase-fd 3 3< FILE"):
        Passphrases(descriptor=reading)("any")


@pytest.mark.parametrize("content", [b"", b"\nsecond line\n", b"x" * 2000])
def test_no_passphrase_in_a_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pass").write_bytes(content)
    with pytest.raises(VendorError, match="there is no passphrase"):
        Passphrases([str(tmp_path / "pass")])("any")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(VendorError, match="passphrase cannot be read") as caught:
        Passphrases([str(tmp_path / "nothing")])("any")
    assert "nothing" in str(caught.value)


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("typed where everybody sees it\n"))
    with pytest.raises(VendorError, match="issuer-1=FILE"):
        Passphrases()("issuer-1")


def test_a_person_is_asked_once_and_for_a_new_key_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "six words that dice drew")
    source = Passphrases()
    assert source("root-1") == source("root-1") == "six words that dice drew"
    assert len(asked) == 1
    source.new("root-2")
    assert asked == [
        "Passphrase or PIN of root-1: ",
        "New passphrase of root-2: ",
        "Once more, the new passphrase of root-2: ",
    ]


def test_two_different_ones_make_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["six words that dice drew", "six words that dice dwer"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    with pytest.raises(VendorError, match="the two passphrases differ"):
        Passphrases().new("root-1")


def test_variables_hold_no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TUNESMITH_PASSPHRASE", "TUNESMITH_DESK_PASSPHRASE", "PASSPHRASE"):
        monkeypatch.setenv(name, "six words that dice drew")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(VendorError, match="there is nobody to ask"):
        Passphrases()("root-1")


def test_short_ones_are_refused_and_weak_ones_get_a_word() -> None:
    with pytest.raises(VendorError, match="11 characters"):
        refuse_weak("elevenchars")
    refuse_weak("twelve chars")
    assert "12 characters, 11 different ones" in (weakness("twelve chars") or "")
    assert weakness("aaaaaaaaaaaaaaaaaaaaaaaaaaaa") is not None
    assert weakness("six words that dice have drawn") is None
