# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Long texts in windows that overlap, so that every token is read with its neighbours and none is lost.

Shapes: L tokens of a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["Frame", "middles", "pair_frame", "text_frame", "windows"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a tokenizer puts around one text, or around and between two; with the segment (token type) of each.

    Attributes:
        before, between, behind: (token, segment) pairs; ``between`` is empty for one text.
        first, second: segments of the texts themselves.
        segments: whether the tokenizer's models read segments.
    """

    before: tuple[tuple[int, int], ...]
    between: tuple[tuple[int, int], ...]
    behind: tuple[tuple[int, int], ...]
    first: int
    second: int
    segments: bool

    @property
    def size(self) -> int:
        """Tokens of the frame itself."""
        return len(self.before) + len(self.between) + len(self.behind)

    def around(self, first: list[int], second: list[int] | None = None) -> dict[str, Array]:
        """``input_ids`` and, where they are read, ``token_type_ids``; int32 (L,)."""
        pairs = [*self.before, *((token, self.first) for token in first)]
        if second is not None:
            pairs += [*self.between, *((token, self.second) for token in second)]
        table = np.asarray([*pairs, *self.behind], dtype=np.int32).reshape(-1, 2)
        features = {"input_ids": table[:, 0].copy()}
        return features | {"token_type_ids": table[:, 1].copy()} if self.segments else features


def text_frame(tokenizer: Any) -> Frame:
    """The frame around one text, as the tokenizer itself makes it."""
    return _frame(tokenizer, tokenizer("a"))


def pair_frame(tokenizer: Any) -> Frame:
    """The frame around two texts. A tokenizer that puts nothing in front or between gets its own marks there.

    Decoders' tokenizers, and those made from scratch, run two texts together; a model could not tell where the first
    one ends. So the start token (else the end token) stands in front, and the separator (else the end token) between.
    """
    frame = _frame(tokenizer, tokenizer("a", "a"))
    return Frame(
        frame.before or _mark(frame.first, tokenizer.cls_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id),
        frame.between or _mark(frame.first, tokenizer.sep_token_id, tokenizer.eos_token_id),
        frame.behind,
        frame.first,
        frame.second,
        frame.segments,
    )


def _mark(segment: int, *ids: int | None) -> tuple[tuple[int, int], ...]:
    return next((((token, segment),) for token in ids if token is not None), ())


def _frame(tokenizer: Any, probe: Any) -> Frame:
    encoding = probe.encodings[0]
    pairs = list(zip(encoding.ids, encoding.type_ids, strict=True))
    texts = encoding.sequence_ids
    places = [[place for place, text in enumerate(texts) if text == which] for which in (0, 1)]
    last = places[1] or places[0]
    return Frame(
        before=tuple(pairs[: places[0][0]]),
        between=tuple(pairs[places[0][-1] + 1 : places[1][0]]) if places[1] else (),
        behind=tuple(pairs[last[-1] + 1 :]),
        first=pairs[places[0][0]][1],
        second=pairs[last[0]][1],
        segments="token_type_ids" in tokenizer.model_input_names,
    )


def windows(length: int, room: int, overlap: int) -> list[tuple[int, int]]:
    """Windows ``[start, end)`` over ``length`` tokens, together all of them; one where they fit.

    Args:
        room: longest window in tokens.
        overlap: tokens that a window shares with the one before it; less than ``room``.

    Raises:
        ValueError: a window could not get on.
    """
    if not 0 <= overlap < room:
        raise ValueError(f"an overlap of {overlap} tokens does not fit into windows of {room}")
    if length <= room:
        return [(0, length)]
    return [(start, min(start + room, length)) for start in range(0, length - overlap, room - overlap)]


def middles(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """For each window the tokens it answers for: shared ones belong to the window in which they stand further inside.

    Every token belongs to exactly one window.
    """
    cuts = [(before[1] + after[0]) // 2 for before, after in pairwise(parts)]
    return list(zip([parts[0][0], *cuts], [*cuts, parts[-1][1]], strict=True))
