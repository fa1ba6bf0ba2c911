# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The schema in plain words: what a key holds, what was given, what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["closest", "described", "field_at", "item_section", "section_of", "shown"]

_SHOWN = 60  # characters of a given value; the rest is cut off

_BASIC = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def described(field: FieldInfo) -> str:
    """What a field holds: ``a whole number of at least 1``, ``'best' or 'last'``, ``a list of texts``."""
    return _described(field.annotation, field.metadata)


def _described(annotation: Any, metadata: Sequence[Any]) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _described(next(arg for arg in args if arg is not type(None)), metadata)
    if origin is Annotated:
        return _described(args[0], [*args[1:], *metadata])
    if origin is Literal:
        return _either([shown(arg) for arg in args])
    if origin is tuple:
        return f"a list of {len(args)} numbers" + _bounds(_constraints(get_args(args[0])[1:]), " each")
    if origin is dict and get_origin(get_args(args[1])[0] if get_args(args[1]) else args[1]) is dict:
        return "sections by name, e.g. {privacy: {epsilon: 8}}"
    if origin is dict:
        return "a section of names and texts, e.g. {text: body}"
    if origin is list:
        one, many = ("text", "texts") if _section_in(args[0]) is None else ("name", "names and sections")
        return f"a {one} or a list of {many}" if _takes_one(metadata) else f"a list of {many}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        keys = ", ".join(annotation.model_fields)
        keys += " and more" if annotation.model_config.get("extra") == "allow" else ""  # those of what has the name
        return f"a name, or a section of {keys}" if _takes_one(metadata) else f"a section of {keys}"
    return _BASIC[annotation] + _bounds(_constraints(metadata), "")


def _takes_one(metadata: Sequence[Any]) -> bool:
    """A short form exists: the validator says that it also takes a bare text."""
    inputs = (getattr(item, "json_schema_input_type", None) for item in metadata)
    return any(str in get_args(kind) for kind in inputs)


def _constraints(metadata: Iterable[Any]) -> list[Any]:
    flat: list[Any] = []
    for item in metadata:
        flat += item.metadata if isinstance(item, FieldInfo) else [item]
    return flat


def _bounds(constraints: Iterable[Any], each: str) -> str:
    words = []
    for item in constraints:
        if isinstance(item, Gt):
            words.append(f"greater than {item.gt:.15g}")
        elif isinstance(item, Ge):
            words.append(f"of at least {item.ge:.15g}")
        elif isinstance(item, Lt):
            words.append(f"less than {item.lt:.15g}")
        elif isinstance(item, Le):
            words.append(f"of at most {item.le:.15g}")
    return f"{each} {' and '.join(words)}" if words else ""


def _either(options: Sequence[str]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"


def shown(value: object) -> str:
    """A value as a recipe would hold it, cut to one short line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a section of keys" if value else "an empty section"
    text = repr(list(value)) if isinstance(value, tuple) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, if one is near."""
    word, known = word.lower(), list(known)
    longer = [name for name in known if len(word) > 2 and name.startswith(word)]  # `warmup` for `warmup_steps`
    found = longer or difflib.get_close_matches(word, known, n=1)
    return found[0] if found else None


def field_at(model: type[BaseModel], path: Sequence[str | int]) -> FieldInfo | None:
    """The field that a path leads to, or leads into (an item of a list); ``None`` for an unknown key."""
    field: FieldInfo | None = None
    section: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int) and field is not None and item_section(field):
            section = item_section(field)
            continue
        if section is None:
            return field  # an index or a free name inside the field's value
        field = section.model_fields.get(str(part))
        if field is None:
            return None
        section = section_of(field)
    return field


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field holds, or ``None`` where it holds a value."""
    return _section_in(field.annotation)


def item_section(field: FieldInfo) -> type[BaseModel] | None:
    """The section that each item of a list is, or ``None`` where the field holds no list of sections."""
    return _section_in(get_args(field.annotation)[0]) if get_origin(field.annotation) is list else None


def _section_in(annotation: Any) -> type[BaseModel] | None:
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
