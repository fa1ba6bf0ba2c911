# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Records of numpy arrays in Arrow files, read in place.

A store is a folder of parts: ``000007-00.arrow`` … and ``000007.json``, which names them with their digests and is
written last, so that a part with its ``.json`` is whole. A file is an Arrow IPC file (arrow.apache.org/docs/format) of
record batches; a column holds the values of one array of all records end to end (``large_list``), and a column of
shapes beside it where there are several axes. Reading maps the files into memory and gives views: nothing is copied or
decoded, and the system keeps in memory what is used.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["NotStorableError", "PartWriter", "Record", "Store", "part_facts", "whole_parts"]

Array = np.ndarray[Any, Any]
Record = Mapping[str, Array]
_Key = tuple[str, str, int]  # name, dtype, axes
_BATCH = 2048  # records held in memory while they are written
_RESIDENT = 2**26  # bytes of records read, after which pages are given back


class NotStorableError(TypeError):
    """An array of a kind that no file can hold, such as one of Python objects."""


class PartWriter:
    """Writes one part of a store.

    Args:
        folder: of the store.
        part: its number; parts are read in the order of their numbers.
    """

    def __init__(self, folder: Path, part: int) -> None:
        self._folder, self._part = folder, part
        self._held: list[Record] = []
        self._columns: list[_Key] = []
        self._files: list[Path] = []
        self._writer: Any = None
        self._count = 0

    def add(self, records: Iterable[Record]) -> None:
        """Append records.

        Raises:
            NotStorableError: an array that is neither of numbers nor of truth values.
            OSError: the disk is full.
        """
        for record in records:
            self._held.append(record)
            if len(self._held) == _BATCH:
                self._write()

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write the rest, and that the part is whole.

        Args:
            facts: kept with it, as JSON.
        """
        from tunesmith.runs.hashing import file_digest

        self._write()
        self._close()
        names = []
        for path in self._files:
            final = path.with_name(path.name[1:])
            os.replace(path, final)
            names.append(final)
        told = {
            "records": self._count,
            "files": {path.name: [path.stat().st_size, file_digest(path)] for path in names},
            "facts": dict(facts),
        }
        temporary = self._folder / f".{self._part:06d}.json"
        temporary.write_text(json.dumps(told), encoding="utf-8")
        os.replace(temporary, self._folder / f"{self._part:06d}.json")

    def _write(self) -> None:
        import pyarrow as pa

        if not self._held:
            return
        columns = _columns_of(self._held)
        if columns != self._columns:  # a file has one schema; records of another one begin the next file
            self._close()
            self._columns = columns
        arrays = [array for column in columns for array in _arrow(column, self._held)]
        fields = [field for column in columns for field in _fields(column)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
        if self._writer is None:
            path = self._folder / f".{self._part:06d}-{len(self._files):02d}.arrow"
            self._files.append(path)
            self._writer = pa.ipc.new_file(str(path), batch.schema)
        self._writer.write_batch(batch)
        self._count += len(self._held)
        self._held = []

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _columns_of(records: Sequence[Record]) -> list[_Key]:
    found: dict[_Key, None] = {}
    for record in records:
        for name, array in record.items():
            found[(name, array.dtype.str, array.ndim)] = None
    for name, kind, _ in found:
        if np.dtype(kind).kind not in "biuf" or kind.startswith(">") or np.dtype(kind).itemsize > 8:
            raise NotStorableError(f"{name} is an array of {np.dtype(kind)}; numbers or truth values were expected")
    return list(found)


def _fields(column: _Key) -> list[Any]:
    import pyarrow as pa

    name, kind, axes = column
    facts = {"dtype": kind, "axes": str(axes)}
    values = pa.field(name, pa.large_list(pa.field("item", _arrow_type(kind), nullable=False)), metadata=facts)
    if axes < 2:
        return [values]
    return [values, pa.field(f"{name} shape", pa.list_(pa.int64(), axes))]


def _arrow_type(kind: str) -> Any:
    import pyarrow as pa

    dtype = np.dtype(kind)
    return pa.from_numpy_dtype(np.dtype(np.uint8) if dtype.kind == "b" else dtype)  # Arrow packs truth values into bits


def _arrow(column: _Key, records: Sequence[Record]) -> list[Any]:
    """One column of a batch; a record without it has null there."""
    import pyarrow as pa

    name, kind, axes = column
    found = [array if _has(array := record.get(name), column) else None for record in records]
    there = [array for array in found if array is not None]
    sizes = np.fromiter((0 if array is None else array.size for array in found), dtype=np.int64, count=len(found))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    flat = np.concatenate([array.reshape(-1) for array in there]) if there else np.empty(0, np.dtype(kind))
    values = pa.array(flat.view(np.uint8) if flat.dtype.kind == "b" else flat)
    mask = pa.array([array is None for array in found]) if len(there) < len(found) else None
    lists = pa.LargeListArray.from_arrays(
        pa.array(offsets), values, type=pa.large_list(pa.field("item", values.type, nullable=False)), mask=mask
    )
    if axes < 2:
        return [lists]
    shapes = np.zeros((len(found), axes), dtype=np.int64)
    for place, array in enumerate(found):
        if array is not None:
            shapes[place] = array.shape
    return [lists, pa.FixedSizeListArray.from_arrays(pa.array(shapes.reshape(-1)), axes)]


def _has(array: Array | None, column: _Key) -> bool:
    return array is not None and (array.dtype.str, array.ndim) == column[1:]


def part_facts(folder: Path, part: int) -> dict[str, Any]:
    """What was given to :meth:`PartWriter.finish`."""
    facts: dict[str, Any] = json.loads((folder / f"{part:06d}.json").read_text(encoding="utf-8"))["facts"]
    return facts


def whole_parts(folder: Path) -> set[int]:
    """The parts whose files are as they were written; each is read once, to compare digests."""
    from tunesmith.runs.hashing import file_digest

    whole = set()
    for path in folder.glob("[0-9]*.json"):
        try:
            files = json.loads(path.read_text(encoding="utf-8"))["files"].items()
            if all((folder / name).stat().st_size == size for name, (size, _) in files) and all(
                file_digest(folder / name) == digest for name, (_, digest) in files
            ):
                whole.add(int(path.stem))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # it is written again
    return whole


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    offsets: NDArray[np.int64]
    values: Array
    shapes: Array | None
    there: Array | None
    axes: int

    def at(self, place: int) -> Array | None:
        if self.there is not None and not self.there[place]:
            return None
        flat = self.values[self.offsets[place] : self.offsets[place + 1]]
        if self.axes == 1:
            return flat
        return flat.reshape(() if self.shapes is None else tuple(self.shapes[place]))


class Store(Sequence[Record]):
    """The records of a folder, in the order of parts and of writing; arrays are views that cannot be written to.

    Finding a record takes a search among the batches (one for 2,048 records) and no reading of others.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._batches: list[list[_Column]] = []
        self._maps: list[mmap.mmap] = []
        self._read = 0
        counts = []
        for path in sorted(folder.glob("[0-9]*.json")):
            for name in json.loads(path.read_text(encoding="utf-8"))["files"]:
                self._maps.append(_map(folder / name))
                for columns, count in _open(self._maps[-1]):
                    self._batches.append(columns)
                    counts.append(count)
        self._ends = np.cumsum(np.asarray(counts, dtype=np.int64))

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        index = place + len(self) if place < 0 else place
        if not 0 <= index < len(self):
            raise IndexError(f"record {place} of {len(self)}")
        batch = int(np.searchsorted(self._ends, index, side="right"))
        inside = index - (int(self._ends[batch - 1]) if batch else 0)
        record = {column.name: array for column in self._batches[batch] if (array := column.at(inside)) is not None}
        self._read += sum(array.nbytes for array in record.values())
        if self._read > _RESIDENT:
            self._let_go()
        return record

    def _let_go(self) -> None:
        """Give back the pages that were read. Views stay valid: what is read again comes from the system's cache.

        The system would take them back itself when memory runs short; until then they would count as ours.
        """
        self._read = 0
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED)

    def __iter__(self) -> Iterator[Record]:
        return (self[place] for place in range(len(self)))

    def numbers(self, name: str) -> NDArray[np.int64]:
        """One number of every record, for arrays without axes that every record has: int64 (N,)."""
        found = [column.values for batch in self._batches for column in batch if column.name == name]
        return np.concatenate(found).astype(np.int64) if found else np.empty(0, np.int64)

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.folder,)


def _map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _open(mapped: mmap.mmap) -> Iterator[tuple[list[_Column], int]]:
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped)))
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        yield list(_read_columns(batch)), batch.num_rows


def _read_columns(batch: Any) -> Iterator[_Column]:
    places = iter(range(batch.num_columns))
    for place in places:
        field, lists = batch.schema.field(place), batch.column(place)
        kind, axes = field.metadata[b"dtype"].decode(), int(field.metadata[b"axes"])
        values = lists.values.to_numpy(zero_copy_only=True)
        shapes = None
        if axes > 1:
            shapes = batch.column(next(places)).values.to_numpy(zero_copy_only=True).reshape(-1, axes)
        yield _Column(
            field.name,
            lists.offsets.to_numpy(zero_copy_only=True),
            values.view(np.bool_) if np.dtype(kind).kind == "b" else values,
            shapes,
            lists.is_valid().to_numpy(zero_copy_only=False) if lists.null_count else None,
            axes,
        )
