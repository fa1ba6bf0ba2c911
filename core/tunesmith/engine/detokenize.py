# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Tokens to text, one token at a time, without ever taking back a character.

Three things make the text after a token uncertain: a character may be cut in the middle of its UTF-8 bytes;
byte-fallback vocabularies (``<0xE4>``) decode a run of bytes as a whole, so one bad byte turns the characters
before it into U+FFFD; and the end of the text may be the beginning of a stop string. All three are held back.

The pieces joined are exactly what the tokenizer decodes in one go. Decoding it all again after each token would
cost the square of the length, so only a short window is decoded: the tokens since the last piece, and that piece
before them, because a token's text depends on what it follows (leading spaces). And most tokens are not decoded at
all: the vocabulary knows what they add (``Vocabulary.plain``).
"""

from __future__ import annotations

from collections.abc import Sequence

from tunesmith.engine.vocabulary import UNKNOWN, Vocabulary

__all__ = ["Detokenizer", "StopStrings", "continuation"]


def continuation(vocabulary: Vocabulary, prompt: Sequence[int], answer: Sequence[int]) -> str:
    """The text that ``answer`` adds to ``prompt``, special tokens left out: what streaming must add up to.

    Text starts anew after a special token, for that is how tokenizers encode it: the space that many put in
    front of a text belongs to them and not to the answer.
    """
    context = vocabulary.after_last_special(prompt)
    before = vocabulary.decode(context)
    return vocabulary.decode([*context, *answer])[len(before) :]


class Detokenizer:
    """Text of one answer, piece by piece.

    Args:
        vocabulary: of the model's tokenizer.
        prompt: what the answer goes on from.
    """

    def __init__(self, vocabulary: Vocabulary, prompt: Sequence[int]) -> None:
        self._vocabulary = vocabulary
        self._plain = vocabulary.plain
        self._window = vocabulary.after_last_special(prompt)
        self._told = vocabulary.decode(self._window)  # the text of the window that is already out
        self._new = 0  # tokens at the window's end that are not

    def push(self, token: int) -> str:
        """Take one token; give the text that has become certain, often all of it, perhaps none."""
        if not self._new and self._told:
            known = self._plain[token]
            if known is not None:
                self._window = [token]
                piece, self._told = known
                return piece
        if self._vocabulary.is_spare(token):  # kept, a row of such tokens would make each of them cost more
            return ""
        self._window.append(token)
        self._new += 1
        # A special token adds no text, and byte runs go on behind it as if it were not there: nothing is certain yet.
        if token in self._vocabulary.special or self._vocabulary.is_byte(token):
            return ""
        text = self._vocabulary.decode(self._window)
        if text.endswith(UNKNOWN):
            return ""
        return self._advance(text)

    def flush(self) -> str:
        """The rest, certain or not: no token follows."""
        return self._advance(self._vocabulary.decode(self._window)) if self._new else ""

    def _advance(self, text: str) -> str:
        piece = text[len(self._told) :]
        newest = self._window[len(self._window) - self._new :]
        alone = self._vocabulary.decode(newest)
        if alone:
            # A window without text (special tokens, a lone space) would lose the leading space of what follows.
            self._window, self._told = newest, alone
        else:
            self._told = text
        self._new = 0
        return piece


class StopStrings:
    """Ends a text before the first of some strings; holds back what may be the start of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""

    def push(self, piece: str) -> tuple[str, bool]:
        """Take certain text; give what may go out, and whether a stop string was found."""
        if not self._stops:
            return piece, False
        text = self._held + piece
        found = [place for place in (text.find(stop) for stop in self._stops) if place >= 0]
        if found:
            self._held = ""
            return text[: min(found)], True
        keep = self._overlap(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def flush(self) -> str:
        """What was held back: nothing follows that could complete a stop string."""
        held, self._held = self._held, ""
        return held

    def _overlap(self, text: str) -> int:
        """Length of the longest end of ``text`` that begins a stop string."""
        longest = max(len(stop) for stop in self._stops) - 1
        for size in range(min(longest, len(text)), 0, -1):
            tail = text[len(text) - size :]
            if any(stop.startswith(tail) for stop in self._stops):
                return size
        return 0
