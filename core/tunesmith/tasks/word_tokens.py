# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Words that come one by one, as tokens: which token each word begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["WordTokens", "word_tokens"]


@dataclass(frozen=True, slots=True)
class WordTokens:
    """The tokens of a row, without what the tokenizer puts around a text.

    Attributes:
        ids: L of them; never none.
        first: int32 (L,): the word that begins at a token, -1 at the other tokens.
        unknown: words that the tokenizer leaves nothing of, read as its unknown token.
        unread: the same, of a tokenizer without an unknown token: they begin nowhere.
    """

    ids: list[int]
    first: np.ndarray[Any, np.dtype[np.int32]]
    unknown: int
    unread: int


def word_tokens(tokenizer: Any, pieces: Sequence[str], padding: int) -> WordTokens:
    """Tokenize words apart from each other, so that no token reaches over two of them.

    Args:
        pieces: words with the space in front of them, where there is one.
        padding: stands for a row that the tokenizer leaves nothing of.
    """
    encoding = _split(tokenizer, pieces)
    missing = set(range(len(pieces))).difference(encoding.word_ids)
    unknown = 0
    if missing and tokenizer.unk_token is not None:
        unknown = len(missing)
        encoding = _split(tokenizer, [tokenizer.unk_token if n in missing else p for n, p in enumerate(pieces)])
    ids: list[int] = encoding.ids or [padding]
    known, places = np.unique(np.asarray(encoding.word_ids or [0], dtype=np.int32), return_index=True)
    first = np.full(len(ids), -1, dtype=np.int32)
    first[places] = known
    return WordTokens(ids, first, unknown, len(pieces) - len(known))


def _split(tokenizer: Any, pieces: Sequence[str]) -> Any:
    return tokenizer(
        list(pieces), is_split_into_words=True, add_special_tokens=False, truncation=False, padding=False, verbose=False
    ).encodings[0]
