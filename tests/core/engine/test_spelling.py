# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Tokens as bytes: joined, they are the text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tunesmith.engine.spelling import Spelling
from tunesmith.models import find_model_by_name, load_tokenizer
from tunesmith.registry import get_registry

TEXT = "Hé, 東京 — 🎉!  two  spaces\nline"


def joined(tokenizer: Any, text: str) -> str:
    spell = Spelling(tokenizer).bytes_of
    return b"".join(spell(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]).decode()


def test_byte_level() -> None:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<end>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner)
    assert joined(tokenizer, TEXT) == TEXT
    assert Spelling(tokenizer).bytes_of(tokenizer.convert_tokens_to_ids("<end>")) == b"<end>"
    assert Spelling(tokenizer).bytes_of(9_999) == b""


def test_our_own_tokenizer() -> None:
    tokenizer = load_tokenizer(find_model_by_name("tunesmith/tiny", get_registry()))
    assert joined(tokenizer, TEXT) == TEXT


def test_pieces_with_a_mark_for_spaces(shared: Path) -> None:
    folder = shared / "models" / "stories260k"
    if not folder.exists():
        pytest.skip("needs ../shared/models/stories260k")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert joined(tokenizer, TEXT).lstrip() == TEXT  # it puts a space in front of a text
