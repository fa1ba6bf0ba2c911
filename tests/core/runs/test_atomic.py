# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Writing is whole or has not happened, and the disk's complaints are in plain words."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tunesmith.errors import OutputError, RunError
from tunesmith.runs import atomic_write, file_digest, writing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_writes_and_replaces(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", "é\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\n"
    atomic_write(str(tmp_path / "a"), b"\x00")
    assert (tmp_path / "a").read_bytes() == b"\x00"
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_the_file_is_for_whoever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic_write(tmp_path / "a", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_was_there_stays_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    atomic_write(tmp_path / "a", "old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OutputError) as caught:
        atomic_write(tmp_path / "a", "new")
    assert str(caught.value).splitlines() == [
        f"cannot write {tmp_path / 'a'}: the disk is full",
        "  to do:    free some space, or write to another folder: --set output=FOLDER",
    ]
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_being_stopped_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "a", "new")
    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of this kind")
def test_a_real_limit_of_the_system(tmp_path: Path) -> None:
    program = """
        import resource, signal, sys
        from tunesmith.errors import OutputError
        from tunesmith.runs import Run, atomic_write
        from tunesmith.recipe import parse_recipe
        recipe = parse_recipe({"task": "t", "model": "m", "data": {"train": "a"}, "output": "o"})
        run = Run.create(sys.argv[1], recipe)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        for doing in (lambda: run.update(text="x" * 30_000), lambda: [run.log({"n": n}) for n in range(9_999)]):
            try:
                doing()
            except OutputError as error:
                print(error.what.partition(": ")[2])
        numbers = [record["n"] for record in run.metrics()]
        print(numbers == list(range(len(numbers))), len(numbers) > 1_000, "text" in run.manifest)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "run")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    reason = "the file would be larger than this file system or your limits allow"
    assert shown.stdout.splitlines() == [reason, reason, "True True False"]
    assert names(tmp_path / "run") == ["metrics.jsonl", "recipe.yaml", "run.json", "run.lock"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "your share of the disk (quota) is used up"),
        (errno.EACCES, "you may not write there"),
        (errno.EROFS, "the file system is read-only"),
        (errno.ENOTDIR, "a part of the path is a file, not a folder"),
        (errno.EIO, "the disk reports an input/output error"),
        (errno.ETXTBSY, os.strerror(errno.ETXTBSY)),
    ],
)
def test_errors_of_the_disk_in_plain_words(number: int, reason: str) -> None:
    with pytest.raises(OutputError) as caught, writing("some/file"):
        raise OSError(number, os.strerror(number))
    assert caught.value.what == f"cannot write some/file: {reason}"
    assert caught.value.fix
    assert isinstance(caught.value.__cause__, OSError)


def test_other_errors_pass() -> None:
    with pytest.raises(RunError, match="mine"), writing("a"):
        raise RunError("mine")


def test_real_obstacles(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="a part of the path is a file, not a folder"):
        atomic_write(tmp_path / "file" / "a", "")
    with pytest.raises(OutputError, match="a part of the path is not there"):
        atomic_write(tmp_path / "nowhere" / "a", "")
    with pytest.raises(OutputError, match="a folder of that name is there"):
        atomic_write(tmp_path / "folder", "")
    with pytest.raises(OutputError, match="the name is too long"):
        atomic_write(tmp_path / ("x" * 300), "")
    assert names(tmp_path) == ["file", "folder"]


def test_a_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1 and B.3
    assert file_digest(tmp_path / "a") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "b").write_bytes(b"a" * 1_000_000 + b"a" * 0)
    assert file_digest(tmp_path / "b") == "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    (tmp_path / "c").write_bytes(b"a" * (1 << 20) + b"b")
    assert file_digest(tmp_path / "c") != file_digest(tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "nowhere")
