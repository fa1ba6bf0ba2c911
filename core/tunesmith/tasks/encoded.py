# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Encoded items that lie in files: the same objects as in a list, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from tunesmith.data.store import PartWriter, Record, Store
from tunesmith.tasks.base import Encoded

__all__ = ["StoredItems", "item_lengths", "item_rows", "write_items"]

_LENGTH, _TARGETS, _ROW = "#length", "#targets", "#row"  # beside the names of features


class StoredItems(Sequence[Encoded]):
    """The items of a store.

    Attributes:
        lengths, rows: of all items, int64 (N,).
    """

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)
        self.lengths: NDArray[np.int64] = self._store.numbers(_LENGTH)
        self.rows: NDArray[np.int64] = self._store.numbers(_ROW)

    def __len__(self) -> int:
        return len(self._store)

    @overload
    def __getitem__(self, place: int) -> Encoded: ...
    @overload
    def __getitem__(self, place: slice) -> list[Encoded]: ...
    def __getitem__(self, place: int | slice) -> Encoded | list[Encoded]:
        if isinstance(place, slice):
            return [_item(record) for record in self._store[place]]
        return _item(self._store[int(place)])

    def __iter__(self) -> Iterator[Encoded]:
        return map(_item, self._store)


def write_items(folder: Path, part: int, items: Sequence[Encoded], facts: dict[str, Any]) -> None:
    """Write one part of a store of items.

    Raises:
        NotStorableError: a feature that is no array of numbers.
        OSError: the disk is full.
    """
    writer = PartWriter(folder, part)
    writer.add(_record(item) for item in items)
    writer.finish(facts)


def item_rows(items: Sequence[Encoded]) -> NDArray[np.int64]:
    """Which example each item comes from: int64 (N,)."""
    if isinstance(items, StoredItems):
        return items.rows
    return np.fromiter((item.row for item in items), dtype=np.int64, count=len(items))


def item_lengths(items: Sequence[Encoded]) -> NDArray[np.int64]:
    """The lengths of items, in a list or in a store: int64 (N,)."""
    if isinstance(items, StoredItems):
        return items.lengths
    return np.fromiter((item.length for item in items), dtype=np.int64, count=len(items))


def _record(item: Encoded) -> Record:
    numbers = {_LENGTH: item.length, _TARGETS: item.targets, _ROW: item.row}
    return {**{name: np.asarray(number, dtype=np.int64) for name, number in numbers.items()}, **item.features}


def _item(record: Record) -> Encoded:
    features = {name: array for name, array in record.items() if not name.startswith("#")}
    return Encoded(features, int(record[_LENGTH]), int(record[_TARGETS]), int(record[_ROW]))
