# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import os
import sys
from pathlib import Path

import pytest
from signed import license_document, refused, root_document

from tunesmith.licensing import armor, armor_line, read_document
from tunesmith.licensing.armor import TEXT

ENVELOPE = license_document()


@pytest.mark.parametrize("text", [armor(ENVELOPE), armor_line(ENVELOPE), armor(ENVELOPE).replace("\n", "\r\n")])
def test_a_document_is_read_from_a_file(tmp_path, text):
    (tmp_path / "customer.lic").write_bytes(text.encode())
    assert read_document(tmp_path / "customer.lic", "license") == ENVELOPE
    assert read_document(str(tmp_path / "customer.lic"), "license") == ENVELOPE


def test_another_kind_of_document_is_told(tmp_path):
    (tmp_path / "root.pem").write_text(armor(root_document()))
    with refused("wrong-kind", "the kind root"):
        read_document(tmp_path / "root.pem", "license")


@pytest.mark.parametrize("size", [0, 1, TEXT, TEXT + 1])
def test_row_12_sizes(tmp_path, size):
    (tmp_path / "a.lic").write_bytes(b"A" * size)
    reason = {0: "empty", 1: "unrecognized", TEXT: "unrecognized", TEXT + 1: "too-large"}[size]
    with refused(reason):
        read_document(tmp_path / "a.lic", "license")


@pytest.mark.skipif(sys.platform == "win32", reason="sparse files are made otherwise there")
def test_row_12_a_file_of_ten_gigabytes_is_not_read(tmp_path):
    with (tmp_path / "a.lic").open("wb") as file:
        file.truncate(10 * 2**30)
    with refused("too-large", "10,737,418,240 bytes", "at most 4,194,304"):
        read_document(tmp_path / "a.lic", "license")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes here")
def test_row_12_nobody_waits_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "a.lic")
    with refused("not-a-file", "not a folder, pipe or device"):
        read_document(tmp_path / "a.lic", "license")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero here")
def test_row_12_a_device_without_an_end_is_not_read():
    with refused("not-a-file", "/dev/zero"):
        read_document("/dev/zero", "license")


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be opened there")
def test_row_12_a_folder_is_no_file(tmp_path):
    with refused("not-a-file", str(tmp_path)):
        read_document(tmp_path, "license")


def test_row_12_a_file_that_grows_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.lic"
    path.write_text(armor(ENVELOPE))
    look = os.fstat

    def and_then_it_grows(number):
        status = look(number)
        with path.open("ab") as file:
            file.write(b" " * TEXT)
        return status

    monkeypatch.setattr(os, "fstat", and_then_it_grows)
    with refused("too-large"):
        read_document(path, "license")


def test_a_file_that_is_not_there(tmp_path):
    with refused("no-file", "customer.lic", "typing errors"):
        read_document(tmp_path / "customer.lic", "license")
    with refused("unreadable"):
        read_document("a\0b", "license")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own there")
def test_links_are_followed_and_loops_are_told(tmp_path):
    (tmp_path / "secret").write_text(armor(ENVELOPE))
    (tmp_path / "a.lic").symlink_to(tmp_path / "secret")
    assert read_document(tmp_path / "a.lic", "license") == ENVELOPE
    (tmp_path / "b.lic").symlink_to(tmp_path / "nowhere")
    with refused("no-file"):
        read_document(tmp_path / "b.lic", "license")
    (tmp_path / "c.lic").symlink_to(tmp_path / "c.lic")
    with refused("unreadable", "c.lic"):
        read_document(tmp_path / "c.lic", "license")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    (tmp_path / "a.lic").write_text(armor(ENVELOPE))
    (tmp_path / "a.lic").chmod(0)
    with refused("unreadable", "permissions"):
        read_document(tmp_path / "a.lic", "license")
