# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Files of the desk when the disk says no."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tunesmith_vendor import files
from tunesmith_vendor.desk import CHAIN, Desk
from tunesmith_vendor.errors import VendorError


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.json"
    files.replace_file(path, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VendorError, match="No space left on device"):
        files.replace_file(path, b"new")
    assert [item.name for item in tmp_path.iterdir()] == ["keys.json"]
    assert path.read_bytes() == b"old"


def test_a_full_disk_leaves_no_half_of_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VendorError, match="a file cannot be written"):
        files.write_new_file(tmp_path / "issuer.pem", b"half")
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_cannot_be_registered_keeps_its_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The private half is the thing that cannot be made again: it is written first and stays."""
    from tunesmith_vendor import keys

    monkeypatch.setattr(Desk, "keep", full)
    with pytest.raises(OSError, match="No space"):
        keys.make_key(desk, "issuer-2", "issuer", lambda _: "six words that dice have drawn")
    assert (desk.key_folder / "issuer-2.pem").exists()
    assert not [entry for entry in desk.register() if entry.name == "issuer-2"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VendorError, match="a folder cannot be made") as caught:
        files.make_private_folder(tmp_path / "file" / "desk")
    assert "file" in str(caught.value)


def test_a_folder_and_a_missing_file_are_no_content(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(VendorError, match="the draft cannot be read"):
            files.read_bytes(path, "the draft")


def test_a_damaged_chain_is_refused_and_nothing_is_signed(desk: Desk) -> None:
    chain = desk.folder / CHAIN
    chain.write_text(chain.read_text()[:-200])
    from tunesmith.errors import SignedDocumentError

    with pytest.raises(SignedDocumentError, match="missing"):
        desk.issue_sealed(b'{"schema":1}', "license", (), lambda _: "never asked")
