# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Whether an answer is right: exact match and F1 over its words.

The definitions are those of SQuAD 1.1 (Rajpurkar et al. 2016, arXiv:1606.05250), and for questions without an answer
those of SQuAD 2.0 (Rajpurkar et al. 2018, arXiv:1806.03822): lower case, without ASCII punctuation and the articles a,
an, the; F1 over the bag of words between white space; of several right answers the best counts.

Chinese and Japanese write no spaces, so there every character is a word, and all punctuation of Unicode is left out, as
in the evaluation of MLQA (Lewis et al. 2020, arXiv:1910.07475). CMRC 2018 (Cui et al. 2019, arXiv:1810.07366) counts
characters too, but its script takes the longest common substring in place of the bag: its F1 is at most ours.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

from tunesmith.tasks.words import is_cjk

__all__ = ["answer_words", "exact_match", "f1", "normalized"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ASCII_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))


def normalized(answer: str) -> str:
    """What is compared: ``The  Panthers!`` is ``panthers``."""
    text = answer.lower().translate(_ASCII_PUNCTUATION)
    if any(map(is_cjk, text)):
        text = "".join(character for character in text if unicodedata.category(character)[0] != "P")
    return " ".join(_ARTICLES.sub(" ", text).split())


def answer_words(answer: str) -> list[str]:
    """The words of an answer, normalized; every Chinese or Japanese character is one."""
    return "".join(f" {one} " if is_cjk(one) else one for one in normalized(answer)).split()


def exact_match(answer: str, right: Sequence[str]) -> float:
    """1 if the answer is one of the right ones, else 0; without right ones, if there is no answer."""
    return float(any(normalized(answer) == normalized(one) for one in right or ("",)))


def f1(answer: str, right: Sequence[str]) -> float:
    """The best F1 with one of the right answers, 0 to 1; without right ones, 1 if there is no answer."""
    return max(_f1(answer_words(answer), answer_words(one)) for one in right or ("",))


def _f1(given: list[str], wanted: list[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    common = (Counter(given) & Counter(wanted)).total()
    return 2 * common / (len(given) + len(wanted))
