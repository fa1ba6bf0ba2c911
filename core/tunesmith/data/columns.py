# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The task's columns in the user's words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from tunesmith.data.rows import Column, Row
from tunesmith.errors import DataError

__all__ = ["apply_columns", "bind_columns", "map_columns"]

_FLAGS = frozenset({"text", "label"})  # columns with a flag of their own on the command line


def map_columns(
    row: Row, columns: Sequence[Column], mapping: Mapping[str, str], *, labelled: bool = True, recipe: bool = True
) -> Row:
    """One row with the task's names added: bind by this row's own columns, then apply.

    For files use :func:`bind_columns` once, so that a missing column is one error and not one a row.
    All columns of the row stay; a mapped name wins over a column that happens to have it.

    Raises:
        DataError: as :func:`bind_columns`.
    """
    binding = bind_columns(tuple(row.values), columns, mapping, labelled=labelled, where=str(row.origin), recipe=recipe)
    return apply_columns(row, binding)


def apply_columns(row: Row, binding: Mapping[str, str]) -> Row:
    """The row with every bound name added; a column that this row lacks (JSON) becomes ``None``."""
    bound = {word: row.values.get(column) for word, column in binding.items()}
    return Row({**row.values, **bound}, row.origin)


def bind_columns(
    available: Sequence[str],
    columns: Sequence[Column],
    mapping: Mapping[str, str],
    *,
    labelled: bool = True,
    where: str,
    recipe: bool = True,
) -> dict[str, str]:
    """Which of the available columns holds what the task reads.

    The mapping decides; without one the column of the task's own name, else the only one that has one of
    its aliases. A task without columns takes any mapping, since only it knows its words.

    Args:
        available: the columns of the file.
        columns: what the task reads.
        mapping: the task's word to the user's column (``data.columns``).
        labelled: False when predicting: target columns may be missing.
        where: the file, for messages.
        recipe: False for a model that is trained already: then messages speak of ``--columns`` instead of the recipe.

    Raises:
        DataError: a word the task does not have, columns that the file does not have, or a file with no column at
            all that the task reads; all in one.
    """
    _check_words(columns, mapping)
    binding: dict[str, str] = {}
    complaints: list[tuple[str, list[str]]] = []
    blamed: list[str] = []
    words = [column.name for column in columns] if columns else list(mapping)
    declared = {column.name: column for column in columns}
    for word in words:
        column = declared.get(word, Column(name=word, summary=word))
        needed = not column.optional and (labelled or not column.target)
        found = _candidates(available, column, mapping)
        if len(found) == 1:
            binding[word] = found[0]
        elif len(found) > 1:
            blamed.append(word)
            advice = [_set(word, found[0], recipe)]
            complaints.append((f"several columns could be {word!r}: {', '.join(found)}", advice))
        elif needed or (word in mapping and (labelled or not column.target)):
            blamed.append(word)
            complaints.append(_missing(available, column, mapping, recipe))
    if complaints:
        raise DataError(
            f"{where}: " + "; ".join(what for what, _ in complaints),
            given=f"columns {', '.join(map(_short, available))}" if available else "no columns",
            expected="; ".join(dict.fromkeys(_expected(declared.get(word), mapping) for word in blamed)),
            fix=[*(line for _, lines in complaints for line in lines), *_header_hint(available)],
        )
    if not binding and any(labelled or not column.target for column in columns):
        raise DataError(
            f"{where}: no column that the task reads",
            given=f"columns {', '.join(map(_short, available))}" if available else "no columns",
            expected="; ".join(f"{column.name} ({column.summary})" for column in columns),
            fix=["say which column is which: " + _set("WORD", "COLUMN", recipe), *_header_hint(available)],
        )
    return binding


def _candidates(available: Sequence[str], column: Column, mapping: Mapping[str, str]) -> list[str]:
    if column.name in mapping:
        return [mapping[column.name]] if mapping[column.name] in available else []
    if column.name in available:
        return [column.name]
    taken = set(mapping.values())
    return [alias for alias in dict.fromkeys(column.aliases) if alias in available and alias not in taken]


def _missing(
    available: Sequence[str], column: Column, mapping: Mapping[str, str], recipe: bool
) -> tuple[str, list[str]]:
    word = column.name
    wanted = mapping.get(word, word)
    folded = {name.lower(): name for name in reversed(available)}
    near = [folded[name] for name in difflib.get_close_matches(wanted.lower(), list(folded), n=1)]
    if near:
        advice = [f"did you mean {near[0]!r}? then {_set(word, near[0], recipe)}"]
    else:
        advice = [_set(word, "COLUMN", recipe)]
    if word in mapping:
        return f"no column {wanted!r}, which data.columns.{word} names", advice
    return f"no column for {word!r}", advice


def _set(word: str, column: str, recipe: bool) -> str:
    shown = f"'{column}'" if any(char.isspace() for char in column) else column
    if not recipe:
        return f'--columns {word}={shown} (in Python: columns={{"{word}": "{column}"}})'
    return f"--set data.columns.{word}={shown}" + (f" (or --{word} {shown})" if word in _FLAGS else "")


def _expected(column: Column | None, mapping: Mapping[str, str]) -> str:
    if column is None or column.name in mapping:
        return "data.columns to name columns of the file"
    others = [alias for alias in column.aliases if alias != column.name]
    return f"a column {column.name} ({column.summary})" + (f", also called {', '.join(others)}" if others else "")


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:39] + "…"


def _header_hint(available: Sequence[str]) -> list[str]:
    """Names that read like data are a file without a header."""
    if any(len(name) > 60 or name.count(" ") > 5 or _is_number(name) for name in available):
        return [
            "these names look like a row: the first line of a CSV or TSV file must name the columns,",
            "or data.column_names=[FIRST, SECOND, …] must",
        ]
    return []


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_words(columns: Sequence[Column], mapping: Mapping[str, str]) -> None:
    words = [column.name for column in columns]
    unknown = [word for word in mapping if columns and word not in words]
    if not unknown:
        return
    fix = []
    for word in unknown:
        near = difflib.get_close_matches(word, words, n=1)
        if near:
            fix.append(f"did you mean data.columns.{near[0]}?")
        elif mapping[word] in words:
            fix.append(f"the task's word comes first: data.columns.{mapping[word]}={word}")
    raise DataError(
        f"data.columns: the task reads no {', '.join(map(repr, unknown))}",
        given=", ".join(f"{word}: {mapping[word]}" for word in unknown),
        expected=f"words of the task: {', '.join(words)}",
        fix=fix or None,
    )
