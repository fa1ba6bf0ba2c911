# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""YAML with line numbers, and without the traps of YAML 1.1.

PyYAML reads YAML 1.1, in which ``2e-4`` is a text, ``no`` is false, ``010`` is eight, ``1:30`` is ninety and
``2026-01-01`` is a date. Here plain values follow the core schema of YAML 1.2 (section 10.3.2 of its
specification): ``2e-4`` is a number, only ``true`` and ``false`` are booleans, everything else is what it says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tunesmith.errors import RecipeError

__all__ = ["Lines", "Loader", "read_flow", "read_plain", "read_yaml"]

Lines = Mapping[tuple[str | int, ...], int]
"""Where a value stands: the path of keys (and indices of lists) to a 1-based line."""

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*\Z")
_PLAIN = (
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), "tTfF"),
    ("null", re.compile(r"(?:~|null|Null|NULL|)\Z"), "~nN\0"),
    ("int", _INT, "-+0123456789"),
    (
        "float",
        re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)\Z"),
        "-+.0123456789",
    ),
)


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the plain values of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 -- PyYAML's own way


for _kind, _form, _first in _PLAIN:
    Loader.add_implicit_resolver(_TAG + _kind, _form, ["" if letter == "\0" else letter for letter in _first])


def read_yaml(text: str, source: str) -> tuple[Any, Lines]:
    """The value of a YAML text, and the line of every key and item.

    Raises:
        RecipeError: not YAML, a key twice, a key that is no text, tags, more than one document.
    """
    reader = _Reader(source)
    try:
        node = yaml.compose(text, Loader=Loader)
        value = None if node is None else reader.value(node, ())
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(source, _line(error.problem_mark or error.context_mark), _reason(error)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _not_yaml(source, line, f"the character {chr(error.character)!r} is not allowed") from error
    except RecursionError as error:
        raise RecipeError(f"{source}: the values are nested too deeply") from error
    return value, reader.lines


def read_flow(text: str, source: str) -> Any:
    """One value in quotes, brackets or braces, as it stands behind ``--set KEY=``."""
    return read_yaml(text, source)[0]


def read_plain(text: str) -> Any:
    """One value without quotes: a boolean, a number, nothing, or a text."""
    for kind, form, _ in _PLAIN:
        if form.match(text):
            return _scalar(kind, text)
    return text


class _Reader:
    """Turns nodes into values and notes their lines."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: dict[tuple[str | int, ...], int] = {}
        self._open: list[yaml.Node] = []
        self._done: dict[int, Any] = {}  # a node that aliases repeat is read once, or ten lines would fill the memory

    def value(self, node: yaml.Node, path: tuple[str | int, ...]) -> Any:
        self.lines.setdefault(path, _line(node.start_mark))
        if id(node) in self._done:
            return self._done[id(node)]
        if node in self._open:
            raise self._wrong(node, "a value that holds itself")
        self._open.append(node)
        if isinstance(node, yaml.MappingNode):
            value: Any = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq")
            value = [self.value(item, (*path, at)) for at, item in enumerate(node.value)]
        else:
            value = self._plain(node)
        self._open.pop()
        self._done[id(node)] = value
        return value

    def _mapping(self, node: yaml.MappingNode, path: tuple[str | int, ...]) -> dict[str, Any]:
        self._check_tag(node, "map")
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.value(key_node, (*path, "\0key")) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                given = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a list or section"
                raise self._wrong(key_node, "a key must be text", given=given, fix="put it in quotes")
            here = (*path, key)
            if key in values:
                raise RecipeError(
                    f"{self.source}, line {_line(key_node.start_mark)}: the key {key!r} stands twice",
                    given=f"{key!r} on line {self.lines[here]} and on line {_line(key_node.start_mark)}",
                    expected="each key once",
                    fix="keep one of the two lines",
                )
            self.lines[here] = _line(key_node.start_mark)
            values[key] = self.value(value_node, here)
        return values

    def _plain(self, node: yaml.Node) -> Any:
        kind = node.tag.removeprefix(_TAG)
        value = _scalar(kind, node.value)
        if value is _UNKNOWN:
            raise self._wrong(node, f"cannot read {node.value!r} as {node.tag!r}", fix="remove the tag")
        return value

    def _check_tag(self, node: yaml.Node, kind: str) -> None:
        if node.tag != _TAG + kind:
            raise self._wrong(node, "tags are not used in recipes", given=node.tag, fix="remove the tag")

    def _wrong(self, node: yaml.Node, what: str, *, given: object = None, fix: str | None = None) -> RecipeError:
        return RecipeError(f"{self.source}, line {_line(node.start_mark)}: {what}", given=given, fix=fix)


_UNKNOWN = object()


def _scalar(kind: str, text: str) -> Any:
    if kind == "str":
        return text
    form = next((form for name, form, _ in _PLAIN if name == kind), None)
    if form is None or not form.match(text):  # an explicit tag that does not fit: `!!int x`
        return _UNKNOWN
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return _whole(text)
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _whole(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text  # thousands of digits: Python refuses, and so will the schema


def _line(mark: yaml.Mark | None) -> int:
    return 1 if mark is None else mark.line + 1


def _reason(error: yaml.MarkedYAMLError) -> str:
    reason = (error.problem or error.context or "cannot be read").strip()
    if "'\\t'" in reason:
        return "a tab; YAML is indented with spaces"
    if reason == "but found another document":
        return "a second document begins here; a recipe is one"
    return f"{reason} ({error.context})" if error.context and error.problem else reason


def _not_yaml(source: str, line: int, reason: str) -> RecipeError:
    return RecipeError(
        f"{source}, line {line}: not valid YAML",
        given=reason,
        expected="`key: value` lines, sections indented by two spaces; texts with : or # in quotes",
    )
