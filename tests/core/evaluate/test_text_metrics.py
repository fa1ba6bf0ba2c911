# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The figures of answers: by hand, against the packages they come from, and on what they cannot read."""

from __future__ import annotations

import builtins
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import RecipeError
from tunesmith.evaluate import text_metrics
from tunesmith.evaluate.text_metrics import bleu, chrf, exact_match, number_match, rouge1, rouge2, rouge_l

ANSWERS = ["the cat sat on the mat", "a dog barked", "nothing"]
REFERENCES = ["the cat sat on a mat", "the dog barked loudly", "something else"]


def test_exact_match_forgives_white_space_around() -> None:
    assert exact_match([" Paris\n", "paris", "Rome"], ["Paris", "Paris", "Rome"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("48/2 = <<48/2=24>>24 clips", "24"),
        ("#### 1,234.50.", "1234.5"),
        ("it is 5.", "5"),
        ("10-5", "5"),
        ("a = -5", "-5"),
        ("−7 degrees", "-7"),
        ("(3)-4", "4"),
        ("costs $.75", "0.75"),
        ("between 1,2", "2"),
        ("12,345,678", "12345678"),
        ("1,2345", "2345"),
        ("３ in full width", "3"),
        ("v1.2", "1.2"),
        ("none", None),
    ],
)
def test_the_last_number(text: str, number: str | None) -> None:
    found = text_metrics._last_number(text)
    assert found == (None if number is None else Decimal(number))


@given(st.integers(-(10**12), 10**12), st.sampled_from(["{}", "{:,}", "so it is {}.", "#### {:,}", "= {} apples"]))
def test_a_number_is_read_as_it_was_written(number: int, form: str) -> None:
    assert text_metrics._last_number(form.format(number)) == number


@given(st.text(max_size=40))
def test_any_text_can_be_looked_at(text: str) -> None:
    found = text_metrics._last_number(text)
    assert found is None or found.is_finite()


def test_number_match_compares_values_and_needs_numbers_to_compare_with() -> None:
    assert number_match(["so 1,000.0", "no idea", "4, no: 5"], ["#### 1000", "#### 3", "#### 5"]) == pytest.approx(
        2 / 3
    )
    with pytest.raises(ValueError, match="there is no number in the reference 'many'"):
        number_match(["5"], ["many"])


def test_bleu_and_chrf_are_sacrebleus() -> None:
    sacrebleu: Any = pytest.importorskip("sacrebleu", reason="needs tunesmith[metrics]")
    expected = sacrebleu.BLEU(tokenize="13a").corpus_score(ANSWERS, [REFERENCES]).score
    assert bleu(ANSWERS, REFERENCES, tokenize="13a") == pytest.approx(expected)
    assert chrf(ANSWERS, REFERENCES) == pytest.approx(sacrebleu.CHRF().corpus_score(ANSWERS, [REFERENCES]).score)
    assert bleu(REFERENCES, REFERENCES, tokenize="13a") == pytest.approx(100)
    assert chrf(REFERENCES, REFERENCES) == pytest.approx(100)


def test_rouge_is_rouge_scores_mean_f1() -> None:
    scorer: Any = pytest.importorskip("rouge_score.rouge_scorer", reason="needs tunesmith[metrics]")
    names = {"rouge1": rouge1, "rouge2": rouge2, "rougeL": rouge_l}
    plain = scorer.RougeScorer(list(names))
    for name, function in names.items():
        scores = [plain.score(reference, answer)[name].fmeasure for answer, reference in zip(ANSWERS, REFERENCES)]  # noqa: B905
        assert function(ANSWERS, REFERENCES, tokenize="13a") == pytest.approx(sum(scores) / 3)
    # By hand: "a b" in "a b c": precision 1, recall 2/3.
    assert rouge1(["a b"], ["a b c"], tokenize="13a") == pytest.approx(0.8)


def test_scripts_without_spaces_are_counted_by_character_or_not_at_all() -> None:
    pytest.importorskip("sacrebleu", reason="needs tunesmith[metrics]")
    answers, references = ["彼らはそれを認めた。"], ["彼らはついにそれが真実だと認めた。"]
    with pytest.raises(ValueError, match=r"take whole sentences for words.*set it to char"):
        bleu(answers, references, tokenize="13a")
    with pytest.raises(ValueError, match="no reference has a word that rouge1 could count"):
        rouge1(answers, references, tokenize="13a")
    assert 0 < bleu(answers, references, tokenize="char") < 100
    assert bleu(references, references, tokenize="zh") == pytest.approx(100)
    assert 0 < rouge_l(answers, references, tokenize="char") < 1
    spaced = ["彼 ら は それ を 認め た 。"]  # words are apart already
    assert bleu(spaced, spaced, tokenize="none") == pytest.approx(100)
    assert rouge1(["彼 は"], ["彼 が"], tokenize="none") == pytest.approx(0.5)


@pytest.mark.parametrize(("function", "package"), [(chrf, "sacrebleu"), (rouge1, "rouge-score")])
def test_a_missing_package_names_the_extra(function: Any, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **keywords: Any) -> Any:
        if name.partition(".")[0] in ("sacrebleu", "rouge_score"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **keywords)

    for name in [name for name in sys.modules if name.partition(".")[0] in ("sacrebleu", "rouge_score")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(text_metrics, "import_module", missing)
    with pytest.raises(RecipeError) as caught:
        function(["a"], ["a"], **({"tokenize": "13a"} if function is rouge1 else {}))
    words = str(caught.value)
    assert f"computed by {package}, which is not installed" in words
    assert 'pip install "tunesmith[metrics]"' in words
    assert "--set evaluate.metrics=exact_match" in words
