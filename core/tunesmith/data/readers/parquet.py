# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Parquet, a batch of rows at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunesmith.data.rows import Origin, Problem, ReadOptions, Row
from tunesmith.errors import DataError

__all__ = ["read"]

_BATCH = 1024


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Rows of a Parquet file; an origin's line is the 1-based row.

    As Hugging Face datasets write them: images, structs ``{bytes, path}``, become their bytes, or their path where the
    bytes are not in the file; labels, numbers whose names stand beside the schema, become these names, and -1, which
    is a label that nobody gave, becomes ``None``.

    Raises:
        DataError: not Parquet, damaged or truncated, no rows, a column twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    file = str(path)
    number = 0
    try:
        with parquet.ParquetFile(path) as table:
            names = list(table.schema_arrow.names)
            _check_names(path, names)
            images = {field.name for field in table.schema_arrow if _is_image(field.type)}
            labels = _label_names(table.schema_arrow.metadata)
            for batch in table.iter_batches(batch_size=_BATCH):
                for values in batch.to_pylist():
                    number += 1
                    for name in images:
                        values[name] = _image_bytes(values[name])
                    for name in labels.keys() & values.keys():
                        values[name] = _named(values[name], labels[name])
                    yield Row(values, Origin(file, number))
    except (pa.ArrowException, OSError) as error:
        size = path.stat().st_size if path.exists() else 0
        raise DataError(
            f"{path}: the Parquet file cannot be read" + (f" after row {number:,}" if number else ""),
            given=f"{size:,} bytes; {str(error).splitlines()[0]}" if size else "an empty file",
            expected="a whole Parquet file (it begins and ends with PAR1)",
            fix="copy or write it again",
        ) from error
    if number == 0:
        raise DataError(f"{path}: the file has no rows", given=f"columns {', '.join(names)}")


def _check_names(path: Path, names: list[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DataError(
            f"{path}: duplicate column: {', '.join(twice)}",
            given=f"{len(names)} columns: {', '.join(names)}",
            expected="every column named once",
        )


def _is_image(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_struct(kind) and {"bytes", "path"} == {kind.field(i).name for i in range(kind.num_fields)}


def _image_bytes(value: Any) -> Any:
    return None if value is None else value["bytes"] or value["path"]


def _label_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """Column to the names of its labels, by the ``ClassLabel`` features that Hugging Face datasets note in the file."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"].items()
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return {}  # not there, or not as they write it: the numbers stand for themselves
    found = {}
    for column, feature in features:
        inner = feature.get("feature", feature) if isinstance(feature, dict) else None  # a list holds its own inside
        names = inner.get("names") if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" else None
        if isinstance(names, list) and names:
            found[column] = names
    return found


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    if value == -1:
        return None
    return str(names[value]) if type(value) is int and 0 <= value < len(names) else value
