# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""From tokens to words: where the tokens of an item stand in their text, and what each word gets of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tunesmith.tasks.words import split_words
from tunesmith_explain.attributions import Piece

__all__ = ["token_spans", "word_pieces"]

Span = tuple[int, int]


def token_spans(tokenizer: Any, text: str, ids: Sequence[int], after: int = 0) -> list[Span | None]:
    """The place of every token in the text, in characters; ``None`` for one that the text does not hold, as ``[CLS]``.

    Args:
        tokenizer: a fast one.
        text: whole.
        ids: all tokens of the text, or some of them in a row, with or without what stands around a text.
        after: of a part of a text: the character at which it begins or after which.
    """
    whole = tokenizer(text, add_special_tokens=True, return_offsets_mapping=True, verbose=False)
    marks = whole.encodings[0].special_tokens_mask
    spans = [None if mark else tuple(span) for span, mark in zip(whole["offset_mapping"], marks, strict=True)]
    wanted, all_ids = list(ids), list(whole["input_ids"])
    if wanted == all_ids:
        return spans
    inner = [place for place, mark in enumerate(marks) if not mark]
    front = inner[0] if inner else 0
    back = len(marks) - 1 - inner[-1] if inner else 0
    if wanted[:front] != all_ids[:front] or (back and wanted[len(wanted) - back :] != all_ids[len(all_ids) - back :]):
        front = back = 0
    core = wanted[front : len(wanted) - back]
    own = [all_ids[place] for place in inner]
    for start in range(len(own) - len(core) + 1):
        if own[start : start + len(core)] == core and core and whole["offset_mapping"][inner[start]][1] > after:
            found = [spans[place] for place in inner[start : start + len(core)]]
            return [*[None] * front, *found, *[None] * back]
    return [None] * len(wanted)


def word_pieces(
    text: str, spans: Sequence[Span | None], scores: np.ndarray[Any, Any]
) -> tuple[tuple[Piece, ...], float]:
    """Words with what their tokens add, and what fell to no word.

    Words that one token holds together, as of Chinese, are one piece.

    Args:
        text: whole.
        spans: of the tokens.
        scores: of the tokens, (L,).
    """
    words = split_words(text)
    sums: list[float] = []
    places: list[Span] = []
    rest = 0.0
    first = 0
    for span, score in sorted(
        ((span, float(score)) for span, score in zip(spans, scores, strict=True) if span is not None),
        key=lambda pair: pair[0],
    ):
        while first < len(words) and words[first][1] <= span[0]:
            first += 1
        touched = [word for word in words[first : first + span[1] - span[0] + 1] if word[0] < span[1]]
        if not touched:
            rest += score
            continue
        start, end = touched[0][0], touched[-1][1]
        if places and start < places[-1][1]:  # of the same word as the token before it
            places[-1] = (places[-1][0], max(places[-1][1], end))
            sums[-1] += score
        else:
            places.append((start, end))
            sums.append(score)
    rest += float(sum(float(score) for span, score in zip(spans, scores, strict=True) if span is None))
    pieces = (Piece(text[a:b], total, start=a, end=b) for (a, b), total in zip(places, sums, strict=True))
    return tuple(pieces), rest
