# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Personal data in texts, replaced: in a text, and in every text of a value however deep it lies."""

from __future__ import annotations

import string
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from tunesmith_privacy.detector import Detector

__all__ = ["Masker", "check_template", "texts_of"]

_NO_TEXT = frozenset({"role"})
"""Keys of an object whose value is a word of the format, as that of a chat message."""

_SHORT = 256
"""Characters. Shorter texts may be remembered: the same few stand in row after row."""


class Masker:
    """Replaces what a detector finds, and counts it.

    Args:
        replace: stands in its place; ``{entity}`` in it is what was found.
        pseudonym: number the values of each entity, so that the same value is the same token: ``EMAIL_ADDRESS_1``.
        remember: keep what was found in short texts; the last 4,096 of them stay in memory.

    Attributes:
        counts: entity to how often it was replaced.
    """

    def __init__(
        self, detector: Detector, *, replace: str = "<{entity}>", pseudonym: bool = False, remember: bool = False
    ) -> None:
        self._detector, self._replace, self._pseudonym = detector, replace, pseudonym
        self._find_short = lru_cache(maxsize=4096)(detector.find) if remember else detector.find
        self._numbers: dict[str, dict[str, int]] = defaultdict(dict)
        self.counts: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """The text, masked."""
        pieces, done = [], 0
        find = self._find_short if len(text) <= _SHORT else self._detector.find
        for one in find(text):
            pieces += [text[done : one.start], self._token(one.entity, text[one.start : one.end])]
            done = one.end
            self.counts[one.entity] += 1
        return "".join([*pieces, text[done:]]) if pieces else text

    def value(self, value: Any) -> Any:
        """A value with every text in it masked: of lists, and of objects but for their keys. Others stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: part if key in _NO_TEXT else self.value(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(part) for part in value]
        return value

    def _token(self, entity: str, value: str) -> str:
        name = entity
        if self._pseudonym:
            known = self._numbers[entity]
            name = f"{entity}_{known.setdefault(' '.join(value.casefold().split()), len(known) + 1)}"
        return self._replace.replace("{entity}", name)


def check_template(replace: str, *, pseudonym: bool) -> None:
    """Whether it can stand in the place of what is found.

    Raises:
        ValueError: it has other fields than ``{entity}``, or tokens could not be told apart.
    """
    fields = [field for _, field, _, _ in string.Formatter().parse(replace) if field is not None]
    if any(field != "entity" for field in fields):
        raise ValueError(f"replace may hold {{entity}} and no other field, given {replace!r}")
    if pseudonym and not fields:
        raise ValueError(f"with pseudonym, replace must hold {{entity}}, given {replace!r}")


def texts_of(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text in a value that :meth:`Masker.value` would look at, with where it lies: ``messages[1].content``."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if key not in _NO_TEXT:
                yield from texts_of(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            yield from texts_of(part, f"{path}[{place}]")
