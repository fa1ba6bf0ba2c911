# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A short run of every harness on damaged vectors, the same ones each time. scripts/fuzz runs longer, with a guide."""

import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from fuzz_harnesses import CONTENTS, HARNESSES
from fuzz_mutations import first_finding, mutated
from fuzz_seeds import SAID, seeds, tokens

from tunesmith.licensing import SignedDocumentError

HERE = Path(__file__).parent
TIMES = 1_000
"""Changes for each harness: about four seconds in all, on one core."""


def corpus_of(name):
    found = seeds(name)
    if not found:
        pytest.skip("this tree comes without the vectors of what documents say")
    return found


@pytest.mark.parametrize("name", HARNESSES)
def test_damaged_documents_are_refused_in_the_format_s_own_words(name):
    assert first_finding(HARNESSES[name], corpus_of(name), tokens(), name, TIMES) is None


@pytest.mark.skipif(not SAID.is_dir(), reason="this tree comes without the vectors of what documents say")
@pytest.mark.parametrize("kind", CONTENTS)
def test_the_changes_reach_both_answers_of_each_parser(kind):
    """Or the run above would prove little: damaged documents that are refused at the first byte, say."""
    corpus = corpus_of(f"parse-{kind}")
    chance, words = random.Random(kind), tokens()
    reasons = set()
    for _ in range(600):
        try:
            CONTENTS[kind](mutated(chance.choice(corpus), chance, words))
            reasons.add("taken")
        except SignedDocumentError as error:
            reasons.add(error.reason)
    assert reasons >= {"taken", "json", "type", "value", "missing-field", "unknown-field"} - (
        {"unknown-field"} if kind == "license" else set()
    )


def test_a_parser_that_raises_something_else_is_found():
    def careless(data):
        if b"[]" in data:
            raise KeyError("nobody thought of that")

    found = first_finding(careless, [b'{"a":1}'], tokens(), "x", 1_000)
    assert found is not None
    assert b"[]" in found[0]
    assert type(found[1]) is KeyError


@pytest.mark.skipif(find_spec("atheris") is None, reason="needs the extra fuzz (atheris)")
@pytest.mark.parametrize("name", HARNESSES)
def test_coverage_guided_for_a_moment(name, tmp_path):
    command = [sys.executable, HERE / "run_atheris.py", name, tmp_path / "corpus", "-max_total_time=2", "-runs=5000"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
