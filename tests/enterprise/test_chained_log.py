# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The chained log: whatever is changed shows, and whatever crashes goes on."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.errors import OutputError
from tunesmith_enterprise import chained_log
from tunesmith_enterprise.chained_log import EMPTY, LINE_BYTES, TORN, Broken, ChainedLog, Head

SOUND = 12


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of twelve records, of which none is like another."""
    path = tmp_path_factory.mktemp("log") / "audit.jsonl"
    log = ChainedLog(path)
    for number in range(SOUND):
        log.append("train", run=f"runs/{number}", words='a "quote", ü and \n', steps=[number, None, 2.5])
    return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where hypothesis writes its changed copies."""
    return tmp_path_factory.mktemp("bench") / "audit.jsonl"


def verified(path: Path, data: bytes) -> Broken | None:
    path.write_bytes(data)
    return ChainedLog(path).verify()


def test_a_record_is_read_as_it_was_written(sound: Path) -> None:
    log = ChainedLog(sound)
    records = list(log.read())
    assert [record.seq for record in records] == list(range(1, SOUND + 1))
    assert records[3].event == "train"
    assert records[3].fields == {"run": "runs/3", "words": 'a "quote", ü and \n', "steps": [3, None, 2.5]}
    assert records[3].time.endswith("Z")
    assert log.verify() is None


def test_a_line_is_what_the_module_says_it_is(sound: Path) -> None:
    lines = sound.read_bytes().splitlines()
    third, fourth = lines[2], json.loads(lines[3])
    assert list(fourth) == ["seq", "time", "event", "fields", "prev", "hash"]
    assert fourth["prev"] == hashlib.sha256(third).hexdigest()
    assert fourth["hash"] == hashlib.sha256(lines[3].rpartition(b',"hash"')[0]).hexdigest()
    assert json.loads(lines[0])["prev"] == "0" * 64
    assert ChainedLog(sound).head() == Head(SOUND, hashlib.sha256(lines[-1]).hexdigest())


def test_a_log_that_is_not_there_is_empty_and_begins_with_the_first_record(tmp_path: Path) -> None:
    log = ChainedLog(tmp_path / "audit.jsonl")
    assert list(log.read()) == []
    assert log.head() == EMPTY
    assert log.append("train") == log.head()
    assert log.head().seq == 1
    if os.name == "posix":
        assert log.path.stat().st_mode & 0o077 == 0


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_found_and_its_line_named(sound: Path, bench: Path, data: st.DataObject) -> None:
    whole = bytearray(sound.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    broken = verified(bench, bytes(whole))
    assert broken is not None
    assert broken.line == sound.read_bytes()[:at].count(b"\n") + 1


@settings(max_examples=60, deadline=None)
@given(first=st.integers(0, SOUND - 2), count=st.integers(1, SOUND))
def test_removed_lines_are_found(sound: Path, bench: Path, first: int, count: int) -> None:
    lines = sound.read_bytes().splitlines(keepends=True)
    rest = lines[:first] + lines[first + count :]
    broken = verified(bench, b"".join(rest))
    if first + count < SOUND:
        assert broken is not None
        assert broken.line == first + 1
        assert f"record {first + 1} is expected here, and this is record {first + count + 1}" in broken.why
    else:  # at the end nothing is seen, unless the head is known from elsewhere
        assert broken is None
        kept = ChainedLog(bench).verify(ChainedLog(sound).head())
        assert str(kept) == f"line {first + 1}: the log ends with record {first}, and there was a record {SOUND}"


@settings(max_examples=60, deadline=None)
@given(pair=st.lists(st.integers(0, SOUND - 1), min_size=2, max_size=2, unique=True))
def test_swapped_lines_are_found(sound: Path, bench: Path, pair: list[int]) -> None:
    lines = sound.read_bytes().splitlines(keepends=True)
    lines[pair[0]], lines[pair[1]] = lines[pair[1]], lines[pair[0]]
    broken = verified(bench, b"".join(lines))
    assert broken is not None
    assert broken.line == min(pair) + 1


@settings(max_examples=120, deadline=None)
@given(at=st.integers(0, SOUND), what=st.one_of(st.integers(0, SOUND - 1), st.binary(max_size=80)))
def test_inserted_lines_are_found(sound: Path, bench: Path, at: int, what: int | bytes) -> None:
    lines = sound.read_bytes().splitlines(keepends=True)
    lines.insert(at, lines[what] if isinstance(what, int) else what + b"\n")
    broken = verified(bench, b"".join(lines))
    assert broken is not None
    assert broken.line in (at + 1, at + 2)


def test_a_line_forged_with_all_its_hashes_breaks_the_next(sound: Path, bench: Path) -> None:
    lines = sound.read_bytes().splitlines(keepends=True)
    bench.write_bytes(b"".join(lines[:5]))
    ChainedLog(bench).append("train", run="runs/forged")
    broken = verified(bench, bench.read_bytes() + b"".join(lines[6:]))
    assert broken == Broken(7, "it does not follow from the line before: that was changed, or this was put in")


def test_a_log_written_anew_shows_against_a_head_from_elsewhere(sound: Path, bench: Path) -> None:
    head = ChainedLog(sound).head()
    bench.unlink(missing_ok=True)
    for number in range(SOUND + 1):
        ChainedLog(bench).append("train", run=f"runs/{number}")
    assert ChainedLog(bench).verify() is None
    assert ChainedLog(bench).verify(head) == Broken(SOUND, f"record {SOUND} is another than the one that was kept")


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_torn_last_line_is_closed_by_the_next_append_and_told(sound: Path, bench: Path, data: st.DataObject) -> None:
    whole = sound.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    torn = whole[start : data.draw(st.integers(start + 1, len(whole) - 1))]
    bench.write_bytes(whole[:start] + torn)
    log = ChainedLog(bench)
    assert str(log.verify()) == f"line {SOUND}: it was never finished, or was changed: a crash, or a hand"
    log.append("train", run="after")
    assert bench.read_bytes().startswith(whole[:start] + torn + b"\n")  # nothing is cut off
    assert log.verify() is None
    closed, after = list(log.read())[-2:]
    if start + len(torn) == len(whole) - 1:  # nothing but the line break was missing
        assert (closed.seq, closed.event) == (SOUND, "train")
    else:
        assert (closed.seq, closed.event, closed.fields["bytes"]) == (SOUND, TORN, len(torn))
    assert (after.seq, after.fields) == (SOUND + 1, {"run": "after"})

    changed = bytearray(bench.read_bytes())
    changed[data.draw(st.integers(start, len(changed) - 1))] ^= 1
    assert verified(bench, bytes(changed)) is not None


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_crash_while_a_torn_line_is_closed_is_closed_as_well(sound: Path, bench: Path, data: st.DataObject) -> None:
    begun = sound.read_bytes()[:-40]
    bench.write_bytes(begun)
    log = ChainedLog(bench)
    log.append("train", run="after")
    whole = bench.read_bytes()
    bench.write_bytes(whole[: data.draw(st.integers(len(begun) + 1, len(whole) - 1))])
    log.append("train", run="later")
    assert log.verify() is None
    assert list(log.read())[-1].fields == {"run": "later"}


@pytest.mark.parametrize("torn", [b"{", b'{"seq":1,"time":"2026', b"x" * 0])
def test_the_very_first_line_may_be_torn(tmp_path: Path, torn: bytes) -> None:
    log = ChainedLog(tmp_path / "audit.jsonl")
    log.path.write_bytes(torn)
    log.append("train")
    assert log.verify() is None
    assert [record.event for record in log.read()] == ([TORN] if torn else []) + ["train"]


@pytest.mark.parametrize("data", [b"alias ll='ls -l'\n", b"{}\n", b'{"seq":1,"time":"x","hash":"y"}\n', b"a" * 300_000])
def test_nothing_is_added_to_a_file_that_is_no_such_log(tmp_path: Path, data: bytes) -> None:
    log = ChainedLog(tmp_path / "profile")
    log.path.write_bytes(data)
    with pytest.raises(OutputError) as caught:
        log.append("train")
    assert "does not end as a chained log does, and nothing is added to it" in str(caught.value)
    assert "tunesmith audit verify" in str(caught.value)
    assert log.path.read_bytes() == data
    with pytest.raises(OutputError):
        log.head()


def test_after_a_last_line_that_was_changed_nothing_is_added(sound: Path, tmp_path: Path) -> None:
    log = ChainedLog(tmp_path / "audit.jsonl")
    log.path.write_bytes(sound.read_bytes().replace(b"runs/11", b"runs/12"))
    with pytest.raises(OutputError, match="does not end as a chained log does"):
        log.append("train")
    assert log.verify() == Broken(SOUND, "it was never finished, or was changed: a crash, or a hand")


def test_long_lines_are_found_from_the_end(tmp_path: Path) -> None:
    log = ChainedLog(tmp_path / "audit.jsonl")
    for length in (10, LINE_BYTES - 400, 10, LINE_BYTES - 400, LINE_BYTES - 400):
        log.append("train", text="x" * length)
    log.path.write_bytes(log.path.read_bytes()[:-20])
    log.append("train")
    assert log.verify() is None
    assert log.head().seq == 6


@pytest.mark.parametrize(
    ("event", "fields", "kind", "words"),
    [
        ("train", {"text": "x" * LINE_BYTES}, ValueError, "a record of 'train' has 65,7"),
        ("train", {"loss": float("nan")}, ValueError, "Out of range"),
        ("train", {"path": Path("x")}, TypeError, "not JSON serializable"),
        (TORN, {}, ValueError, "written by the log itself"),
    ],
)
def test_what_cannot_be_a_record_leaves_the_log_as_it_was(
    tmp_path: Path, event: str, fields: dict[str, object], kind: type[Exception], words: str
) -> None:
    log = ChainedLog(tmp_path / "audit.jsonl")
    log.append("train")
    before = log.path.read_bytes()
    with pytest.raises(kind, match=words):
        log.append(event, **fields)
    assert log.path.read_bytes() == before


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ChainedLog(tmp_path / "audit.jsonl")
    log.append("train")
    before, write = log.path.read_bytes(), os.write
    room = [30]

    def nearly_full(handle: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written, room[0] = write(handle, data[: room[0]]), 0
        return written

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(OSError, match="No space left"):
        log.append("train")
    assert log.path.read_bytes() == before


def test_a_lock_that_is_never_given_back_is_an_error_not_a_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ChainedLog(tmp_path / "audit.jsonl")
    monkeypatch.setattr(chained_log, "_PATIENCE", 0.05)
    with log._locked(), pytest.raises(TimeoutError, match="has held its lock"):
        log.append("train")
    log.append("train")


def test_with_fsync_the_disk_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "fsync", asked.append)
    ChainedLog(tmp_path / "a.jsonl").append("train")
    assert asked == []
    ChainedLog(tmp_path / "b.jsonl", fsync=True).append("train")
    assert len(asked) == 1


def append_many(path: Path, name: str) -> None:
    for number in range(60):
        ChainedLog(path).append("train", name=name, number=number)


def test_several_processes_and_threads_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    fork = multiprocessing.get_context("fork") if os.name == "posix" else multiprocessing.get_context("spawn")
    workers: list[threading.Thread | multiprocessing.process.BaseProcess] = []
    workers += [fork.Process(target=append_many, args=(path, f"process {n}")) for n in range(3)]  # type: ignore[attr-defined]
    workers += [threading.Thread(target=append_many, args=(path, f"thread {n}")) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    log = ChainedLog(path)
    assert log.verify() is None
    written = [(record.fields["name"], record.fields["number"]) for record in log.read()]
    assert len(written) == 300
    for name in {name for name, _ in written}:
        assert [number for who, number in written if who == name] == list(range(60))


def test_an_append_to_a_large_log_is_as_quick_as_to_a_small_one(sound: Path, tmp_path: Path) -> None:
    log = ChainedLog(tmp_path / "audit.jsonl")
    for number in range(2000):
        log.append("train", number=number)
    took = []
    for number in range(200):
        begun = time.perf_counter()
        log.append("train", number=number)
        took.append(time.perf_counter() - begun)
    assert sorted(took)[len(took) // 2] < 0.002  # 0.07 ms on a quiet machine; the whole file read would be 20 ms
