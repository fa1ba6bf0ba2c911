# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The format: what was sealed comes out again, and nothing else ever does."""

from __future__ import annotations

import io
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.errors import DataError, TunesmithError
from tunesmith_enterprise.governance.sealing import files
from tunesmith_enterprise.governance.sealing.errors import SealedFileError, SealKeyError
from tunesmith_enterprise.governance.sealing.files import header_of, rewrap_file, seal_file, write_opened
from tunesmith_enterprise.governance.sealing.header import SLOT_BYTES, Facts, check_name, slot_place
from tunesmith_enterprise.governance.sealing.keys import FileKey
from tunesmith_enterprise.governance.sealing.ring import KeyRing

KEY = FileKey(b"\x01" * 32)
RING = KeyRing((KEY,))
SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sealed")


def sealed(place: Path, content: bytes, *, chunk: int = 16, name: str = "a.bin", key: FileKey = KEY) -> Path:
    plain, target = place / "plain", place / "plain.sealed"
    plain.write_bytes(content)
    target.unlink(missing_ok=True)
    seal_file(plain, target, Facts.new(name, len(content), "0" * 32, chunk=chunk), key)
    return target


def opened(path: Path, ring: KeyRing = RING) -> bytes:
    out = io.BytesIO()
    write_opened(path, ring, out)
    return out.getvalue()


@SOME
@given(st.binary(max_size=200), st.integers(1, 40))
def test_what_is_sealed_comes_out_again(place: Path, content: bytes, chunk: int) -> None:
    path = sealed(place, content, chunk=chunk)
    assert opened(path) == content
    assert len(content) < 16 or content not in path.read_bytes()


@SOME
@given(st.binary(max_size=100), st.data())
def test_a_bit_that_is_flipped_anywhere_is_found_or_was_of_no_use(
    place: Path, content: bytes, data: st.DataObject
) -> None:
    path = sealed(place, content)
    raw = bytearray(path.read_bytes())
    used = [*range(slot_place(0) + 170), *range(slot_place(1) + SLOT_BYTES, len(raw))]
    where = data.draw(st.sampled_from(used))
    raw[where] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(raw))
    try:
        found = opened(path)
    except (SealedFileError, SealKeyError):
        return
    assert found == content  # padding of the slots, and the letters of base64 that say nothing
    assert where < slot_place(1)


@SOME
@given(st.integers(1, 100), st.integers(1, 5000))
def test_a_file_that_lost_its_end_is_found_before_anything_of_it_is_used(place: Path, size: int, lost: int) -> None:
    path = sealed(place, os.urandom(size))
    raw = path.read_bytes()
    path.write_bytes(raw[: max(0, len(raw) - lost)])
    out = io.BytesIO()
    with pytest.raises(SealedFileError, match=r"truncated|it ends within the header|not a sealed file"):
        write_opened(path, RING, out)
    assert out.getvalue() == b""


def test_chunks_that_change_places_are_named(place: Path) -> None:
    path = sealed(place, bytes(64))
    raw, start = path.read_bytes(), header_of(path).length
    chunks = [raw[start + n * 32 : start + (n + 1) * 32] for n in range(4)]
    path.write_bytes(raw[:start] + chunks[0] + chunks[2] + chunks[1] + chunks[3])
    with pytest.raises(SealedFileError, match="chunk 2 of 4 was changed, or belongs elsewhere") as caught:
        opened(path)
    assert "bytes 16 to 32 of a.bin" in str(caught.value)


def test_chunks_of_another_file_under_the_same_key_do_not_open(place: Path) -> None:
    one = sealed(place, bytes(32)).read_bytes()
    path = sealed(place, bytes(32))
    start = header_of(path).length
    path.write_bytes(path.read_bytes()[: start + 32] + one[start + 32 :])
    with pytest.raises(SealedFileError, match="chunk 2 of 2"):
        opened(path)


def test_a_shorter_file_cannot_be_made_of_whole_chunks_with_a_new_size(place: Path) -> None:
    path = sealed(place, bytes(64))
    raw, header = path.read_bytes(), header_of(path)
    path.write_bytes(raw[: header.length + 32].replace(b'"size":64', b'"size":16'))
    with pytest.raises(SealedFileError, match=r"header of .* was changed, or belongs to another file"):
        opened(path)


def test_the_name_is_authenticated(place: Path) -> None:
    path = sealed(place, b"x", name="model/a.bin")
    path.write_bytes(path.read_bytes().replace(b"model/a.bin", b"model/b.bin"))
    assert header_of(path).facts.name == "model/b.bin"  # without the key nothing is proved
    with pytest.raises(SealedFileError, match="was changed, or belongs to another file"):
        opened(path)


@pytest.mark.parametrize("name", ["../a", "/a", "a//b", "", ".", "a/..", "a\\b", "a\nb", "a" * 2000])
def test_a_name_leads_nowhere_else(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a file in a folder"):
        check_name(name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a sealed file"),
        (b"PK\x03\x04" * 2000, "not a sealed file"),
        (b"TMSEAL99" + bytes(5000), "sealed in a format that this release does not know"),
        (b"TMSEAL01" + bytes(100), "it ends within the header"),
        (b"TMSEAL01" + bytes(4096) + b"\0\2{}", "what it says of its content cannot be read"),
        (b"TMSEAL01" + bytes(4096) + b"\xff\xff" + bytes(65535), "it ends within the header"),
    ],
)
def test_what_is_no_sealed_file_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.sealed"
    path.write_bytes(content)
    with pytest.raises(SealedFileError, match=words):
        header_of(path)


@SOME
@given(st.binary(max_size=300), st.integers(0, 4106))
def test_whatever_stands_in_a_header_is_an_error_with_words(place: Path, junk: bytes, where: int) -> None:
    path = sealed(place, b"content")
    raw = path.read_bytes()
    path.write_bytes(raw[:where] + junk + raw[where + len(junk) :])
    try:
        assert opened(path) == b"content"
    except TunesmithError as error:
        told = error.what, error.fix
        assert all(told)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    plain, target = tmp_path / "big", tmp_path / "big.sealed"
    with plain.open("wb") as file:
        file.truncate(24 << 20)
    tracemalloc.start()
    seal_file(plain, target, Facts.new("big", 24 << 20, "0" * 32), KEY)
    with open(os.devnull, "wb") as nowhere:
        write_opened(target, RING, nowhere)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 6 << 20


def test_a_file_that_changes_meanwhile_is_not_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "rows"
    plain.write_bytes(b"x" * 10)
    with pytest.raises(DataError, match="changed while it was sealed"):
        seal_file(plain, tmp_path / "rows.sealed", Facts.new("rows", 9, "0" * 32), KEY)
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


# ---- keys change -----------------------------------------------------------------------------------------------


NEW = FileKey(b"\x03" * 32)
BOTH = KeyRing((NEW, KEY))


def test_rewrapping_changes_the_header_alone(place: Path) -> None:
    path = sealed(place, b"content" * 9)
    before, start = path.read_bytes(), header_of(path).length
    assert rewrap_file(path, BOTH)
    after = path.read_bytes()
    assert after[slot_place(1) + SLOT_BYTES :] == before[slot_place(1) + SLOT_BYTES :]
    assert len(after) == len(before) > start
    assert opened(path, KeyRing((NEW,))) == b"content" * 9
    with pytest.raises(SealKeyError, match="is not at hand"):
        opened(path, RING)
    assert not rewrap_file(path, BOTH)
    assert rewrap_file(path, KeyRing((KEY, NEW)))  # and back, into the slot that is empty now
    assert opened(path) == b"content" * 9


@pytest.mark.parametrize("writes", [0, 1])
@pytest.mark.parametrize("torn", [0, 1, 100, SLOT_BYTES])
def test_rewrapping_may_be_interrupted_anywhere(
    place: Path, monkeypatch: pytest.MonkeyPatch, writes: int, torn: int
) -> None:
    """As many slots are written as said, and of the next one a part: as after a power loss."""
    path = sealed(place, b"content")
    done = []

    def write(file: object, number: int, slot: object) -> None:
        if len(done) == writes:
            content = files.pack_slot(slot)[:torn]  # type: ignore[arg-type]
            os.pwrite(file.fileno(), content, slot_place(number))  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        done.append(number)
        real(file, number, slot)  # type: ignore[arg-type]

    real = files._write_slot
    with monkeypatch.context() as patched:
        patched.setattr(files, "_write_slot", write)
        with pytest.raises(KeyboardInterrupt):
            rewrap_file(path, BOTH)
    assert opened(path, BOTH) == b"content"
    rewrap_file(path, BOTH)
    assert opened(path, KeyRing((NEW,))) == b"content"
    assert [slot.key for slot in header_of(path).slots if slot] == [NEW.id]


def test_the_old_key_has_to_be_at_hand_to_change_it(place: Path) -> None:
    path = sealed(place, b"content")
    before = path.read_bytes()
    with pytest.raises(SealKeyError, match="is not at hand"):
        rewrap_file(path, KeyRing((NEW,)))
    assert path.read_bytes() == before


def test_a_lost_key_is_named_with_those_at_hand_and_nothing_is_destroyed(place: Path, other: KeyRing) -> None:
    path = sealed(place, b"content")
    before = path.read_bytes()
    with pytest.raises(SealKeyError) as caught:
        opened(path, other)
    assert KEY.id in str(caught.value.expected)
    assert other.keys[0].id in str(caught.value.given)
    assert "opens once the key is back" in str(caught.value)
    assert path.read_bytes() == before
    assert KEY.key.hex() not in str(caught.value) + repr(KEY)
