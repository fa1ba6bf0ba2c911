# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answers of a given form."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
import torch

from tunesmith.engine import Constraint
from tunesmith.engine.constraint import Grammars
from tunesmith.errors import RequestError
from tunesmith.models import find_model_by_name, load_tokenizer
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_llama

pytest.importorskip("llguidance")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(find_model_by_name(str(tiny_llama(tmp_path_factory.mktemp("llama"))), get_registry()))


def follow(grammars: Grammars, tokenizer: Any, constraint: Constraint, seed: int) -> str:
    """An answer drawn at random from what is allowed."""
    generator = torch.Generator().manual_seed(seed)
    grammar, ids = grammars.make(constraint), list[int]()
    for _ in range(200):
        logits = torch.rand(len(tokenizer), generator=generator)
        grammar.mask(logits)
        token = int(logits.argmax())
        if token == tokenizer.eos_token_id:
            break
        ids.append(token)
        if grammar.accept(token):
            break
    else:
        pytest.fail("no end")
    return str(tokenizer.decode(ids))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_model_says_it_is_of_the_form(tokenizer: Any, seed: int) -> None:
    grammars = Grammars(tokenizer, len(tokenizer), frozenset({tokenizer.eos_token_id}))
    assert re.fullmatch(r"[a-c]{2,4}-[0-9]", follow(grammars, tokenizer, Constraint("regex", "[a-c]{2,4}-[0-9]"), seed))
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["cat", "dog"]}, "legs": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["kind", "legs"],
        "additionalProperties": False,
    }
    text = follow(grammars, tokenizer, Constraint("json_schema", json.dumps(schema)), seed)
    assert "  " not in text
    found = json.loads(text)
    assert found["kind"] in ("cat", "dog")
    assert 0 <= found["legs"] <= 9
    assert follow(grammars, tokenizer, Constraint("lark", 'start: "yes" | "no"'), seed) in ("yes", "no")


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint("json_schema", "{"),
        Constraint("json_schema", '{"type": "strin"}'),
        Constraint("regex", "(a"),
        Constraint("lark", "start: nothing_of_this_name"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_words(tokenizer: Any, constraint: Constraint) -> None:
    with pytest.raises(RequestError, match="the form of the answer cannot be used") as caught:
        Grammars(tokenizer, len(tokenizer), frozenset()).make(constraint)
    assert caught.value.parameter == "constraint"
    assert caught.value.given


def test_without_the_package_it_says_what_to_install(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(RequestError, match="need the package llguidance") as caught:
        Grammars(tokenizer, len(tokenizer), frozenset()).make(Constraint("regex", "a"))
    assert "pip install 'tunesmith[serve]'" in str(caught.value)
