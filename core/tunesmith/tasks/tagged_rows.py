# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows whose words have tags: words with a tag each, or a text with marked spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.data.rows import Origin, Row, RowError, half_character
from tunesmith.tasks.cells import is_missing, scalar_text, text_cell
from tunesmith.tasks.tagging import OUTSIDE
from tunesmith.tasks.words import Span, breaks, split_words

__all__ = ["TaggedExample", "read_tagged_row"]


@dataclass(frozen=True, slots=True)
class TaggedExample:
    """Words and their tags.

    Attributes:
        words: W of them.
        spaced: whether a space stands before each, (W,).
        tags: (W,); ``None`` when they are only to be predicted.
        text: what the words were found in; ``None`` where the row gave words.
        spans: ``[start, end)`` of each word in ``text``; empty where the row gave words.
        widened: marked spans that did not begin and end where words do.
        origin: where the row stands.
    """

    words: tuple[str, ...]
    spaced: tuple[bool, ...]
    tags: tuple[str, ...] | None
    text: str | None
    spans: tuple[Span, ...]
    widened: int
    origin: Origin

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The tags, in the words of :class:`tunesmith.tasks.labels.Labelled`."""
        return self.tags

    @property
    def several(self) -> bool:
        """A row has many tags."""
        return True


def read_tagged_row(row: Row, *, labelled: bool) -> TaggedExample:
    """``tokens`` with ``tags``, else ``text`` with ``entities``.

    Raises:
        RowError: neither, not as many tags as words, or spans that are not in the text or that overlap.
    """
    given = row.values.get("tokens")
    if given is None and isinstance(row.values.get("text"), (list, tuple)):
        given = row.values["text"]  # words alone, handed to ``predict``
    if given is not None:
        words = _words(_listed(given, "tokens", "words"))
        tags = _tags(row, len(words)) if labelled else None
        return TaggedExample(words, tuple(breaks(words)), tags, None, (), 0, row.origin)
    if row.values.get("text") is None:
        raise RowError("there are neither tokens nor text")
    text = text_cell(row, "text")
    spans = tuple(split_words(text))
    tags, widened = _marked(row, text, spans) if labelled else (None, 0)
    return TaggedExample(
        words=tuple(text[start:end] for start, end in spans),
        spaced=tuple(start > 0 and text[start - 1].isspace() for start, _ in spans),
        tags=tags,
        text=text,
        spans=spans,
        widened=widened,
        origin=row.origin,
    )


def _listed(value: Any, column: str, what: str) -> list[Any]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        raise RowError(f"{column} is {value!r:.60}; a list of {what} was expected")
    return list(value)


def _words(values: Sequence[Any]) -> tuple[str, ...]:
    if not values:
        raise RowError("tokens is an empty list")
    words = tuple(scalar_text(value) or "" for value in values)
    for place, word in enumerate(words):
        if not word:
            raise RowError(f"tokens[{place}] is {values[place]!r:.60}; a word was expected")
    half = half_character("".join(words))
    if half is not None:
        raise RowError(f"tokens hold half of a character: a {half} without its other half")
    return words


def _tags(row: Row, words: int) -> tuple[str, ...]:
    value = row.values.get("tags")
    if value is None:
        raise RowError("there are no tags beside the tokens")
    values = _listed(value, "tags", "tags")
    if len(values) != words:
        raise RowError(f"{words:,} tokens and {len(values):,} tags; each token needs one")
    tags = tuple((scalar_text(one) or "").strip() if not is_missing(one) else "" for one in values)
    for place, tag in enumerate(tags):
        if not tag:
            raise RowError(f"tags[{place}] is {values[place]!r:.60}; a tag was expected, {OUTSIDE!r} for none")
    return tags


def _marked(row: Row, text: str, words: Sequence[Span]) -> tuple[tuple[str, ...], int]:
    """IOB2 tags of the words that marked spans touch, and how many spans were widened to whole words."""
    value = row.values.get("entities")
    if value is None:
        raise RowError("there are no entities beside the text; a text without any has an empty list")
    tags, widened, last = [OUTSIDE] * len(words), 0, ""
    for start, end, label in sorted(_entity(one, text) for one in _listed(value, "entities", "spans")):
        touched = [place for place, (first, behind) in enumerate(words) if first < end and start < behind]
        shown = f"{label} {text[start:end]!r:.60}"
        if not touched:
            raise RowError(f"the entity {shown} at {start} holds no word")
        if any(tags[place] != OUTSIDE for place in touched):
            raise RowError(f"the entities {last} and {shown} share a word; entities may not overlap")
        widened += (words[touched[0]][0], words[touched[-1]][1]) != _trimmed(text, start, end)
        for place in touched:
            tags[place] = f"{'B' if place == touched[0] else 'I'}-{label}"
        last = shown
    return tuple(tags), widened


def _entity(value: Any, text: str) -> tuple[int, int, str]:
    """Start, end and label of ``{"start", "end", "label"}`` or ``[start, end, label]``."""
    if isinstance(value, Mapping):
        parts: list[Any] = [value.get(name) for name in ("start", "end", "label")]
    else:
        parts = list(value) if isinstance(value, (list, tuple)) else []
    if len(parts) != 3 or any(type(place) is not int for place in parts[:2]) or is_missing(parts[2]):
        raise RowError(f"the entity {value!r:.80} is not {{start, end, label}} with characters counted from 0")
    start, end, label = parts[0], parts[1], (scalar_text(parts[2]) or "").strip()
    if not 0 <= start < end <= len(text):
        raise RowError(f"the entity {label} stands at {start} to {end}, and the text has {len(text):,} characters")
    if not label:
        raise RowError(f"the label of the entity at {start} is {parts[2]!r:.60}; text was expected")
    stated = value.get("text") if isinstance(value, Mapping) else None
    if isinstance(stated, str) and stated != text[start:end]:
        raise RowError(f"the entity {label} {stated!r:.60}: at {start} to {end} there stands {text[start:end]!r:.60}")
    return start, end, label


def _trimmed(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
