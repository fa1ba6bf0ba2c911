# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows that a task is tried with: good ones made up for the columns it reads, and broken ones made of good ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tunesmith.data.rows import Column

__all__ = ["COUNT", "broken_rows", "sample_rows"]

Values = Mapping[str, Any]
COUNT = 6
"""Rows that are made up."""

_WORDS = ["small", "kettle", "boils", "water", "quickly", "while", "loud", "heater", "hums", "near", "cold", "window"]


def sample_rows(columns: Sequence[Column]) -> list[Values] | None:
    """Rows for a task with these columns; None where one of them is not known here.

    Known are the words of the built-in tasks, and a ``rating``. A task whose columns are all answers reads a table.
    """
    names = {column.name for column in columns}
    wanted = {column.name for column in columns if not column.optional}
    for group in (("prompt", "chosen", "rejected"), ("messages",), ("tokens", "tags")):
        if not wanted and names.issuperset(group):
            wanted = set(group)
    makers = dict(_MAKERS)
    if "source" in names:
        makers["target"] = lambda n: " ".join(reversed(_words(n)))
    if not wanted <= makers.keys() or not wanted:
        return None
    if all(column.target for column in columns if column.name in wanted):
        wanted |= {"width", "height", "color"}  # a table: every other column is read
    return [{name: makers[name](number) for name in sorted(wanted)} for number in range(COUNT)]


def broken_rows(row: Values, columns: Sequence[Column]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows that are wrong in one place each, with what is wrong in words."""
    yield "a row without columns", {}
    for name in (column.name for column in columns if column.name in row):
        yield f"{name} missing", {key: value for key, value in row.items() if key != name}
        for words, value in _BROKEN.items():
            yield f"{name} is {words}", {**row, name: value}


_BROKEN: Mapping[str, Any] = {
    "None": None,
    "True": True,
    "a number": 7,
    "a negative number": -1,
    "a number of 400 digits": 10**400,
    "not a number": math.nan,
    "infinity": math.inf,
    "a list": [1, None, {}],
    "an empty list": [],
    "an object": {"a": [1]},
    "bytes that are no text": b"\xff\x00",
    "an empty text": "",
    "white space": " \t\r\n",
    "a text of 100,000 characters": "long " * 20_000,
    "half of a surrogate pair": "half \ud83d",
    "control characters": "\x00\x07\x1b[31m\u202e",
}


def _words(number: int) -> list[str]:
    """Texts of different lengths: padding has something to do."""
    return [_WORDS[(number + place) % len(_WORDS)] for place in range(3 + 2 * (number % 4))]


def _text(number: int) -> str:
    return " ".join(_words(number))


def _image(number: int) -> Any:
    import numpy as np

    rows = np.arange(64, dtype=np.uint8).reshape(8, 8)
    return rows * 3 if number % 2 else 255 - rows * 3


def _context(number: int) -> str:
    return f"It is said that {_text(number)} today."


def _answers(number: int) -> Values:
    answer = _words(number)[1]
    return {"text": [answer], "answer_start": [_context(number).index(answer)]}


def _messages(number: int) -> list[Values]:
    return [
        {"role": "user", "content": _text(number)},
        {"role": "assistant", "content": _text(number + 1)},
    ]


_MAKERS: Mapping[str, Callable[[int], Any]] = {
    "text": _text,
    "label": lambda number: ("odd", "even")[number % 2],
    "rating": lambda number: 1 + number % 3,
    "image": _image,
    "messages": _messages,
    "prompt": _text,
    "chosen": lambda number: _text(number + 1),
    "rejected": lambda number: _text(number + 5),
    "source": _text,
    "target": lambda number: 1.5 * number + 0.25,
    "anchor": _text,
    "positive": lambda number: _text(number + 1),
    "question": lambda number: f"What about {_words(number)[0]}?",
    "context": _context,
    "answers": _answers,
    "tokens": _words,
    "tags": lambda number: ["B-THING", *["O"] * (len(_words(number)) - 1)],
    "width": lambda number: 0.5 + 3 * number,
    "height": lambda number: (2.25, 7.5, 1.0)[number % 3] + number,
    "color": lambda number: ("red", "blue")[number % 2],
}
