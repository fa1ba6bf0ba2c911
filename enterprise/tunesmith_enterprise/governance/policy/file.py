# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Reading the policy file: all of it, or an error that says where and what."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from tunesmith.errors import SettingsError
from tunesmith_enterprise.governance.policy.schema import Policy

__all__ = ["read_policy"]

_MOST = 1 << 20  # bytes; a policy is read whenever something begins


def read_policy(path: Path) -> Policy:
    """The policy of a file.

    Raises:
        SettingsError: it cannot be read, is no TOML, or says something that no policy says.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)
        if len(content) > _MOST:
            raise ValueError(f"it is longer than {_MOST:,} bytes")
        value = tomllib.loads(content.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the policy {path} cannot be read",
            given=getattr(error, "strerror", None) or " ".join(str(error).split()),
            expected="a TOML file that this account may read",
            fix="correct it, then see what it says: `tunesmith policy check`",
        ) from error
    try:
        return Policy.model_validate(value)
    except ValidationError as error:
        raise _wrong(path, error) from None


def _wrong(path: Path, error: ValidationError) -> SettingsError:
    """The first thing that is wrong: the rest is seen when that is mended."""
    first, more = error.errors(include_url=False)[0], error.error_count() - 1
    where = ".".join(str(part) for part in first["loc"])
    what, given, expected = f"{where} of the policy {path} is not as it has to be", _shown(first["input"]), first["msg"]
    if first["type"] == "extra_forbidden":
        known = _keys(first["loc"][:-1])
        near = get_close_matches(str(first["loc"][-1]), known, n=1)
        what, given = f"the policy {path} has a key that nobody reads", where
        expected = near[0] if near else ", ".join(known)
    elif first["type"] == "missing":
        what, given = f"the policy {path} lacks {where}", "nothing"
        expected = {
            "version": "version = 1",
            "contact": 'contact = "…": whom people ask',
            "default": 'default = "deny" or "allow": what holds where no list is given',
        }.get(where, f"{where} = …")
    return SettingsError(
        what,
        given=given,
        expected=expected.removeprefix("Value error, "),
        fix=[
            "correct it",
            *([f"then look again: {more} more {'thing is' if more == 1 else 'things are'} wrong"] if more else []),
        ],
    )


def _keys(place: Sequence[str | int]) -> list[str]:
    """The keys that a table has, by its place in the file."""
    model: Any = Policy
    for part in place:
        if isinstance(part, str):
            model = _inner(model.model_fields[part].annotation)
    return list(model.model_fields)


def _inner(annotation: Any) -> Any:
    """The table in ``X``, ``X | None`` or ``list[X]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(found for part in annotation.__args__ if part is not type(None) and (found := _inner(part)))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
