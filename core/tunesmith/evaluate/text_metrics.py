# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Figures of generated answers. Each is a function of answers and references, registered as any plugin's metric is.

BLEU (Papineni et al. 2002) and chrF (Popović 2015) are sacrebleu's corpus figures, 0 to 100, with its defaults
(BLEU: 4-grams, exponential smoothing; chrF2: characters up to 6, no words). ROUGE (Lin 2004) is rouge-score's F1, 0 to
1, the mean over the rows, without stemming. Both packages come with ``tunesmith[metrics]`` and are imported on use.

Every function takes as many answers as references, at least one, and raises ``ValueError`` where the references cannot
be compared with anything: that is found before a job starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any

from tunesmith.errors import RecipeError

__all__ = ["bleu", "chrf", "exact_match", "number_match", "rouge1", "rouge2", "rouge_l"]

# A sign belongs to the number where nothing stands before it that it could subtract from.
_NUMBER = re.compile(r"(?:(?<![\w)\]])[-−+])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\d)\.\d+")
# Scripts that are written without spaces: Thai and its neighbours, Khmer, kana, Han.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_LONGEST_WORD = 6
"""Characters. Words of segmented Japanese and Chinese have about 2; whole sentences have 20."""

Texts = Sequence[str]


def exact_match(answers: Texts, references: Texts) -> float:
    """Share of the answers that are their reference, white space around both aside."""
    return _mean([answer.strip() == reference.strip() for answer, reference in zip(answers, references, strict=True)])


def number_match(answers: Texts, references: Texts) -> float:
    """Share of the answers whose last number is the last number of their reference.

    ``1,234.50`` is one number, and equals ``1234.5``. An answer without a number is wrong.

    Raises:
        ValueError: a reference without a number.
    """
    wanted = [_last_number(reference) for reference in references]
    if None in wanted:
        raise ValueError(f"there is no number in the reference {references[wanted.index(None)][:80]!r}")
    return _mean([_last_number(answer) == number for answer, number in zip(answers, wanted, strict=True)])


def bleu(answers: Texts, references: Texts, *, tokenize: str) -> float:
    """Corpus BLEU, 0 to 100.

    Args:
        tokenize: ``13a``, ``intl``, ``zh``, ``char`` or ``none``, as sacrebleu names them.
    """
    if tokenize in ("13a", "intl", "none"):
        _refuse_unspaced(references, tokenize)
    score: float = _sacrebleu().corpus_bleu(list(answers), [list(references)], tokenize=tokenize).score
    return score


def chrf(answers: Texts, references: Texts) -> float:
    """Corpus chrF2, 0 to 100. It needs no words, and so no ``tokenize``."""
    score: float = _sacrebleu().corpus_chrf(list(answers), [list(references)]).score
    return score


def rouge1(answers: Texts, references: Texts, *, tokenize: str) -> float:
    """Mean F1 of the words that answer and reference have in common."""
    return _rouge("rouge1", answers, references, tokenize)


def rouge2(answers: Texts, references: Texts, *, tokenize: str) -> float:
    """Mean F1 of the pairs of words in common."""
    return _rouge("rouge2", answers, references, tokenize)


def rouge_l(answers: Texts, references: Texts, *, tokenize: str) -> float:
    """Mean F1 of the longest common subsequence of words."""
    return _rouge("rougeL", answers, references, tokenize)


def _rouge(name: str, answers: Texts, references: Texts, tokenize: str) -> float:
    words = _Words(tokenize)
    if not any(map(words.tokenize, references)):
        raise ValueError(
            f"with evaluate.tokenize: {tokenize} no reference has a word that {name} could count (13a: of Latin "
            "letters and digits); set it to char for other scripts"
        )
    scorer = _package("rouge_score.rouge_scorer", "rouge-score").RougeScorer([name], tokenizer=words)
    scores = [scorer.score(reference, answer)[name] for answer, reference in zip(answers, references, strict=True)]
    return _mean([score.fmeasure for score in scores])


class _Words:
    """What ROUGE counts: rouge-score's own words of Latin letters and digits, or what BLEU counts in other scripts."""

    def __init__(self, tokenize: str) -> None:
        self._split = _latin_words if tokenize == "13a" else _bleu_words(tokenize)

    def tokenize(self, text: str) -> list[str]:
        """The words of a text, in lower case."""
        return self._split(text.lower())


def _latin_words(text: str) -> list[str]:
    words: list[str] = _package("rouge_score.tokenize", "rouge-score").tokenize(text, None)
    return words


def _bleu_words(tokenize: str) -> Callable[[str], list[str]]:
    tokenizer: Any = _sacrebleu().BLEU(tokenize=tokenize).tokenizer
    return lambda text: str(tokenizer(text)).split()


def _refuse_unspaced(references: Texts, tokenize: str) -> None:
    words = [word for reference in references for word in reference.split() if _UNSPACED.search(word)]
    if words and sum(map(len, words)) / len(words) > _LONGEST_WORD:
        raise ValueError(
            f"the references are in a script without spaces, so that evaluate.tokenize: {tokenize} would take whole "
            f"sentences for words, as {max(words, key=len)[:40]!r}; set it to char (or zh, for Chinese)"
        )


def _last_number(text: str) -> Decimal | None:
    found = _NUMBER.findall(text)
    return Decimal(found[-1].replace(",", "").replace("−", "-")) if found else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _sacrebleu() -> Any:
    return _package("sacrebleu", "sacrebleu")


def _package(module: str, distribution: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise RecipeError(
            f"this figure is computed by {distribution}, which is not installed",
            given=str(error),
            expected="the extra `metrics` of tunesmith",
            fix=['pip install "tunesmith[metrics]"', "or ask for others: --set evaluate.metrics=exact_match"],
        ) from error
