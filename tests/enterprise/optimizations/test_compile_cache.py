# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The compile cache: what one machine compiled another takes, and nobody without the key gives."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from code_sharing import JOB, KEY, compiling, event, shared_file

from tunesmith_enterprise.optimizations.compile_cache import archive, sharing
from tunesmith_enterprise.optimizations.compile_cache import machine as machines
from tunesmith_enterprise.optimizations.compile_cache.archive import number_of, pack, unpack
from tunesmith_enterprise.optimizations.compile_cache.machine import archive_name
from tunesmith_enterprise.optimizations.compile_cache.settings import CacheWanted
from tunesmith_enterprise.optimizations.compile_cache.sharing import Sharing

CODE = {"ab/kernel.so": b"\x7fELF code", "ab/kernel.cpp": b"int main", "fxgraph/one": b"graph"}
TEAM = number_of(KEY)
posix = pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")


@pytest.fixture
def on(tmp_path: Path, wanted: CacheWanted) -> Callable[..., dict[str, bytes]]:
    """A process on a machine of some name that wants code; gives what it had in its folder before it compiled."""

    def process(name: str, compiles: dict[str, bytes], *, key: str = JOB, wanted: CacheWanted = wanted) -> Any:
        folder = tmp_path / name / key
        folder.mkdir(parents=True, exist_ok=True)
        one = Sharing(wanted)
        one.machine_code(event(folder, ready=False))
        brought = contents(folder)
        for path, content in compiles.items():
            if brought.get(path) != content:
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(content)
        one.machine_code(event(folder, ready=True))
        return brought

    return process


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ---- from one machine to another ---------------------------------------------------------------------------------


def test_what_one_machine_compiled_the_next_has_before_it_compiles(on: Any, wanted: CacheWanted) -> None:
    assert on("first", CODE) == {}
    assert on("second", CODE) == CODE
    if os.name == "posix":
        assert shared_file(wanted).stat().st_mode & 0o137 == 0


def test_it_is_written_again_only_where_something_new_was_compiled(on: Any, wanted: CacheWanted) -> None:
    on("first", CODE)
    written = shared_file(wanted).stat().st_ino
    on("second", CODE)
    on("second", CODE)
    assert shared_file(wanted).stat().st_ino == written
    more = CODE | {"ab/other.so": b"more"}
    on("second", more)
    assert on("third", more) == more


def test_what_is_here_already_is_shared_where_nobody_has_shared_it(on: Any, wanted: CacheWanted) -> None:
    on("first", CODE)
    shared_file(wanted).unlink()
    on("first", CODE)
    assert on("second", CODE) == CODE


def test_nothing_is_put_among_files_that_are_here(on: Any, wanted: CacheWanted) -> None:
    own = {"ab/kernel.so": b"of another index"}
    on("second", own)
    shared_file(wanted).unlink()
    on("first", CODE)
    assert on("second", {}) == own
    assert on("third", {}) == CODE


def test_locks_and_what_is_being_written_are_not_shared(on: Any) -> None:
    passing = {"locks/a.lock": b"", "ab/.1.2.tmp": b"half", "ab/step.nbi.tmp.17": b"half", "ab/.x.partial": b"half"}
    on("first", CODE | passing)
    assert on("second", CODE) == CODE


def test_of_two_that_give_at_once_one_whole_archive_is_there(on: Any, wanted: CacheWanted) -> None:
    codes = [{f"ab/{n}.so": bytes([n]) * 200_000 for n in range(start, start + 3)} for start in (0, 9)]
    both = [threading.Thread(target=on, args=(f"machine {n}", codes[n])) for n in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert on("third", {}) in codes
    assert [path.suffix for path in wanted.folder.iterdir()] == [".code"]


def test_the_least_used_goes_first_where_all_take_too_much(
    on: Any, wanted: CacheWanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = CacheWanted(wanted.folder, wanted.key_file, 1_500)
    names = []
    for number in range(3):
        key = str(number) * 64
        on("first", {"a.so": os.urandom(500)}, key=key)
        names.append(archive_name("numba", key, TEAM))
        os.utime(wanted.folder / names[-1], (number, number))
    on("second", {}, key="0" * 64, wanted=small)  # used: it is the newest now
    abandoned = wanted.folder / ".0123456789abcdef.partial"
    abandoned.write_bytes(b"half")
    os.utime(abandoned, (0, 0))
    on("first", {"a.so": os.urandom(500)}, key="3" * 64, wanted=small)
    left = {path.name for path in wanted.folder.iterdir()}
    assert left == {names[0], archive_name("numba", "3" * 64, TEAM)}


def test_code_of_another_machine_library_or_place_is_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [archive_name("numba", JOB, TEAM), archive_name("torch", JOB, TEAM), archive_name("numba", "0" * 64, TEAM)]
    for place, other in (("processor", lambda: "znver9 +avx9"), ("_version", lambda name: "9.0")):
        with monkeypatch.context() as patch:
            patch.setattr(machines, place, other)
            names.append(archive_name("numba", JOB, TEAM))
    names.append(archive_name("numba", JOB, number_of(b"x" * 32)))
    assert len(set(names)) == 6
    assert archive_name("numba", JOB, TEAM) == names[0]
    assert JOB not in names[0]


# ---- teams with keys of their own in one folder ------------------------------------------------------------------


def another_team(wanted: CacheWanted, tmp_path: Path, most_bytes: int = 5_000_000_000) -> CacheWanted:
    """The same folder with another key."""
    secret = tmp_path / "other.key"
    secret.touch(mode=0o600)
    secret.write_bytes(b"x" * 32)
    return CacheWanted(wanted.folder, secret, most_bytes)


def test_teams_with_other_keys_in_one_folder_do_not_take_each_others_place(
    on: Any, wanted: CacheWanted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other, theirs = another_team(wanted, tmp_path), {"ab/kernel.so": b"theirs"}
    on("first", CODE)
    assert on("a", theirs, wanted=other) == {}
    assert on("second", CODE) == CODE
    assert on("b", theirs, wanted=other) == theirs
    assert len(list(wanted.folder.iterdir())) == 2
    assert caplog.messages == []  # what the other team has put there is no damage to be told


def test_the_name_tells_teams_apart_and_nothing_of_their_keys(on: Any, wanted: CacheWanted) -> None:
    on("first", CODE)
    kind, team, digest = shared_file(wanted).stem.split("-")
    assert (kind, team, len(digest)) == ("numba", TEAM, 32)
    assert re.fullmatch("[0-9a-f]{16}", TEAM)
    assert TEAM not in (KEY.hex()[:16], hashlib.sha256(KEY).hexdigest()[:16], number_of(b"x" * 32))
    assert KEY not in shared_file(wanted).read_bytes()


def test_what_was_made_with_a_key_that_nobody_has_any_more_makes_room(
    on: Any, wanted: CacheWanted, tmp_path: Path
) -> None:
    on("first", {"a.so": os.urandom(500)})
    os.utime(shared_file(wanted), (0, 0))
    on("second", {"a.so": os.urandom(500)}, wanted=another_team(wanted, tmp_path, 1_000))
    assert shared_file(wanted).name == archive_name("numba", JOB, number_of(b"x" * 32))


# ---- what nobody with the key has written ------------------------------------------------------------------------


def harmed(path: Path, how: str) -> None:
    whole = path.read_bytes()
    changed = {
        "a bit of the code": whole[:-1] + bytes([whole[-1] ^ 1]),
        "a bit of the digest": whole[:20] + bytes([whole[20] ^ 1]) + whole[21:],
        "cut off": whole[: len(whole) // 2],
        "empty": b"",
        "another version": whole.replace(b"tunesmith-code-1", b"tunesmith-code-2"),
        "another key": pack(CODE, path.name, b"x" * 32),
        "another name": pack(CODE, "numba-0.code", KEY),
    }
    path.write_bytes(changed[how])


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("a bit of the code", "it was changed, or made with another key, or for another machine"),
        ("a bit of the digest", "it was changed, or made with another key"),
        ("cut off", "it was changed, or made with another key"),
        ("empty", "it is no archive of machine code of this version"),
        ("another version", "it is no archive of machine code of this version"),
        ("another key", "it was changed, or made with another key"),
        ("another name", "or for another machine"),
    ],
)
def test_what_was_changed_is_told_in_one_line_and_made_anew(
    on: Any, wanted: CacheWanted, caplog: pytest.LogCaptureFixture, how: str, words: str
) -> None:
    on("first", CODE)
    harmed(shared_file(wanted), how)
    assert on("second", CODE) == {}
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"shared code is not used, and is compiled here: {shared_file(wanted)}: ")
    assert words in said
    assert KEY.decode() not in said
    assert on("third", CODE) == CODE  # the second has put a whole one in its place


def test_nothing_of_an_archive_is_unpacked_before_its_digest_is_right(
    on: Any, wanted: CacheWanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    on("first", CODE)
    harmed(shared_file(wanted), "another key")
    monkeypatch.setattr(archive.tarfile, "open", lambda **_: pytest.fail("it was opened"))
    with pytest.raises(ValueError, match="made with another key"):
        unpack(shared_file(wanted).read_bytes(), shared_file(wanted).name, KEY)


@posix
def test_a_pipe_in_the_place_of_an_archive_keeps_nobody_waiting(
    on: Any, wanted: CacheWanted, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(wanted.folder / archive_name("numba", JOB, TEAM))
    assert on("first", {}) == {}
    assert "it is no file of at most 1,000,000,000 bytes" in caplog.text


@pytest.mark.parametrize(
    ("name", "type_"),
    [("../outside", tarfile.REGTYPE), ("/etc/x", tarfile.REGTYPE), ("a/../../x", tarfile.REGTYPE),
     ("a\\b", tarfile.REGTYPE), ("C:x", tarfile.REGTYPE), ("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE),
     ("pipe", tarfile.FIFOTYPE), ("folder", tarfile.DIRTYPE)],
)  # fmt: skip
def test_not_even_the_key_puts_something_else_than_files_below_the_folder(name: str, type_: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = type_, "/etc/passwd"
        tar.addfile(entry)
    content = packed.getvalue()
    signed = b"tunesmith-code-1\n" + archive._mac(content, "n", KEY) + content
    with pytest.raises(ValueError, match="an entry that no archive should have"):
        unpack(signed, "n", KEY)


def test_an_archive_that_unpacks_to_more_than_all_may_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack({"a": b"0" * 5_000, "b": b"0" * 5_000}, "n", KEY)
    monkeypatch.setattr(archive, "MOST_BYTES", 9_999)
    with pytest.raises(ValueError, match="an entry that no archive should have: 'b'"):
        unpack(packed, "n", KEY)


def test_a_folder_that_is_gone_or_full_costs_the_job_nothing(
    on: Any, wanted: CacheWanted, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes, mode: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sharing, "_write", full)
    assert on("first", CODE) == {}
    assert "compiled code is not shared" in caplog.text
    assert "No space left on device" in caplog.text


@posix
def test_accounts_of_the_group_read_what_is_shared_whatever_the_umask(on: Any, wanted: CacheWanted) -> None:
    before = os.umask(0o077)
    try:
        on("first", CODE)
    finally:
        os.umask(before)
    assert shared_file(wanted).stat().st_mode & 0o777 == 0o640


@posix
def test_code_of_a_folder_that_others_write_into_is_not_signed(
    on: Any, wanted: CacheWanted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "first" / JOB).mkdir(parents=True)
    (tmp_path / "first" / JOB).chmod(0o777)
    on("first", CODE)
    assert not list(wanted.folder.iterdir())
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == f"compiled code is not shared: others may write into {tmp_path / 'first' / JOB}"


def test_a_shared_folder_that_is_taken_away_is_not_made_anew(
    wanted: CacheWanted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = Sharing(wanted)
    wanted.folder.rmdir()
    compiling(one.machine_code, tmp_path / JOB)
    assert "compiled code is not shared" in caplog.text
    assert not wanted.folder.exists()


@posix
def test_a_link_that_is_changed_later_leads_nobody_elsewhere(wanted: CacheWanted, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(wanted.folder)
    one = Sharing(CacheWanted(tmp_path / "link", wanted.key_file, wanted.most_bytes))
    (tmp_path / "link").unlink()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    compiling(one.machine_code, tmp_path / JOB)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert shared_file(wanted).suffix == ".code"
