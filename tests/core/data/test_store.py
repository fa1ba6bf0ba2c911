# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Records in Arrow files: what is read is what was written, whatever the arrays; parts are whole or not there."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tunesmith.data import store as module
from tunesmith.data.store import NotStorableError, PartWriter, Store, part_facts, whole_parts

DTYPES = [np.dtype(name) for name in ("bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "f8")]
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), ARRAYS, min_size=1, max_size=3), max_size=12)


def same(left, right) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and left[name].shape == right[name].shape
        and left[name].tobytes() == right[name].tobytes()
        for name in left
    )


def write(folder: Path, part: int, records, facts=None) -> None:
    writer = PartWriter(folder, part)
    writer.add(records)
    writer.finish(facts or {})


@settings(deadline=None, max_examples=30)
@given(RECORDS, RECORDS, st.integers(1, 5))
def test_what_is_read_is_what_was_written(first, second, batch):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BATCH", batch)
        write(Path(folder), 1, second)  # parts may be written in any order
        write(Path(folder), 0, first)
        found = Store(Path(folder))
        wanted = first + second
        assert len(found) == len(wanted)
        assert all(map(same, found, wanted))
        for place in reversed(range(len(wanted))):
            assert same(found[place], wanted[place])
            assert same(found[place - len(wanted)], wanted[place])


def test_slices_numbers_and_bounds(tmp_path):
    write(tmp_path, 0, [{"length": np.asarray(n), "x": np.arange(n, dtype=np.int32)} for n in range(5)])
    found = Store(tmp_path)
    assert found.numbers("length").tolist() == [0, 1, 2, 3, 4]
    assert [len(record["x"]) for record in found[1:4]] == [1, 2, 3]
    with pytest.raises(IndexError):
        found[5]
    with pytest.raises(ValueError, match="read-only"):
        found[2]["x"][0] = 1
    assert Store(tmp_path / "none").numbers("length").tolist() == []
    assert same(pickle.loads(pickle.dumps(found))[3], found[3])


def test_views_outlive_the_pages_that_were_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_RESIDENT", 100)
    records = [{"x": np.full(50, n)} for n in range(40)]
    write(tmp_path, 0, records)
    views = list(Store(tmp_path))
    assert all(map(same, views, records))


def test_objects_are_refused(tmp_path):
    for array in (np.asarray(["text"]), np.asarray([object()]), np.asarray([1j])):
        with pytest.raises(NotStorableError, match="numbers or truth values were expected"):
            write(tmp_path, 0, [{"x": array}])


def test_a_part_is_whole_or_written_again(tmp_path):
    record = {"x": np.arange(100)}
    for part in range(5):
        write(tmp_path, part, [record], {"rows": part})
    assert whole_parts(tmp_path) == {0, 1, 2, 3, 4}
    assert part_facts(tmp_path, 3) == {"rows": 3}
    file = tmp_path / "000001-00.arrow"
    file.write_bytes(file.read_bytes()[:-1])
    file = tmp_path / "000002-00.arrow"
    file.write_bytes(file.read_bytes().replace(b"\x07", b"\x08"))
    (tmp_path / "000003-00.arrow").unlink()
    (tmp_path / "000004.json").write_text("{")
    assert whole_parts(tmp_path) == {0}
    unfinished = PartWriter(tmp_path, 9)
    unfinished.add([record])
    assert 9 not in whole_parts(tmp_path)
