# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Tokenizers made here lose nothing, are the same every time, and know what an assistant wrote."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tunesmith.errors import ModelError, OfflineError
from tunesmith.models import ModelSource, ScratchOptions, load_tokenizer, train_tokenizer
from tunesmith.models.find import BYTE_VOCABULARY
from tunesmith.models.tokenizers import SPECIAL_TOKENS
from tunesmith.testing import tiny_bert, tiny_llama

OPTIONS = ScratchOptions(architecture="llama", size=None, tokenizer="bpe", vocabulary=320, context=64, seed=0)
TEXTS = ["the quick brown fox jumps over the lazy dog. " * 5, "the the fox\n\n  fox\tdog", "über 日本語 🙂"]


@pytest.fixture(scope="module")
def bpe() -> Any:
    return train_tokenizer(OPTIONS, iter(TEXTS))


@pytest.fixture(scope="module")
def byte() -> Any:
    return train_tokenizer(dataclasses.replace(OPTIONS, tokenizer="byte"), ())


def _back(tokenizer: Any, text: str) -> str:
    ids = tokenizer(text, add_special_tokens=False).input_ids
    return str(tokenizer.decode(ids, clean_up_tokenization_spaces=False))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text_comes_back(bpe: Any, byte: Any, text: str) -> None:
    assert _back(bpe, text) == text
    assert _back(byte, text) == text


@pytest.mark.parametrize(
    "text", ["", " ", "  a  b ", "\r\n\n\t", "don 't", "日本語 🙂👩‍👩‍👧 é e\u0301", "\x00\x7f", " ,."]
)
def test_awkward_texts_come_back(bpe: Any, byte: Any, text: str) -> None:
    assert _back(bpe, text) == text
    assert _back(byte, text) == text


def test_special_tokens_have_fixed_places(bpe: Any, byte: Any) -> None:
    for tokenizer in (bpe, byte):
        assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS] == list(range(6))
        assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 0, 1)
        assert tokenizer.model_max_length == 64


def test_vocabulary(bpe: Any, byte: Any) -> None:
    assert len(byte) == BYTE_VOCABULARY
    assert BYTE_VOCABULARY < len(bpe) <= 320
    assert len(bpe("the quick fox").input_ids) < len(byte("the quick fox").input_ids)


def test_the_same_texts_give_the_same_tokenizer(bpe: Any) -> None:
    again = train_tokenizer(OPTIONS, iter(TEXTS))
    assert again.backend_tokenizer.to_str() == bpe.backend_tokenizer.to_str()


def test_nothing_to_learn_from() -> None:
    for texts in ([], ["", ""]):
        with pytest.raises(ModelError, match="no text to learn a tokenizer from") as caught:
            train_tokenizer(OPTIONS, texts)
        assert "`tokenizer: byte`" in str(caught.value)


def test_saved_and_loaded_by_anyone(bpe: Any, tmp_path: Path) -> None:
    bpe.save_pretrained(tmp_path)
    assert {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} <= {p.name for p in tmp_path.iterdir()}
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    for loaded in (AutoTokenizer.from_pretrained(tmp_path), _load(tmp_path)):
        for text in TEXTS:
            assert loaded(text).input_ids == bpe(text).input_ids
        assert loaded.chat_template == bpe.chat_template
        assert loaded.pad_token_id == 1


def _load(folder: Path) -> Any:
    return load_tokenizer(ModelSource(name="m", kind="folder", folder=folder))


CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Bye."},
]


def test_chat_template(byte: Any) -> None:
    text = byte.apply_chat_template(CONVERSATION, tokenize=False)
    assert text == (
        "<|system|>Be brief.<|end|><|user|>Hi<|end|><|assistant|>Hello!<|end|>"
        "<|user|>Bye<|end|><|assistant|>Bye.<|end|>"
    )
    prompt = byte.apply_chat_template(CONVERSATION[:2], tokenize=False, add_generation_prompt=True)
    assert text.startswith(prompt)


def test_the_mask_covers_answers_and_their_stop_token(byte: Any) -> None:
    encoded = byte.apply_chat_template(CONVERSATION, return_dict=True, return_assistant_tokens_mask=True)
    kept = [token for token, mask in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if mask]
    assert byte.decode(kept) == "Hello!<|end|>Bye.<|end|>"


def test_the_template_refuses_other_roles(byte: Any) -> None:
    with pytest.raises(Exception, match="knows the roles system, user and assistant; given: tool"):
        byte.apply_chat_template([{"role": "tool", "content": "x"}], tokenize=False)


# ---- load --------------------------------------------------------------------------------------


def test_tokenizer_of_a_folder(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, tokenizer=str(tiny_llama(tmp_path / "m")))
    assert len(train_tokenizer(options, ())) == BYTE_VOCABULARY


def test_tokenizer_that_is_nowhere() -> None:
    with pytest.raises(ModelError, match="there is no tokenizer bp") as caught:
        train_tokenizer(dataclasses.replace(OPTIONS, tokenizer="bp"), ())
    assert "`bpe`, `byte`" in str(caught.value)
    with pytest.raises(OfflineError, match="someone/model"):
        train_tokenizer(dataclasses.replace(OPTIONS, tokenizer="someone/model"), ())


def test_damaged_tokenizer(tmp_path: Path) -> None:
    folder = tiny_bert(tmp_path / "m")
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(ModelError, match=r"the tokenizer cannot be loaded: .*/m\n") as caught:
        _load(folder)
    assert "copy the tokenizer's files of the original model" in str(caught.value)


def test_adapter_uses_its_own_tokenizer_or_its_bases(tmp_path: Path, bpe: Any) -> None:
    base = ModelSource(name="b", kind="folder", folder=tiny_llama(tmp_path / "base"))
    (tmp_path / "adapter").mkdir()
    adapter = ModelSource(name="a", kind="adapter", folder=tmp_path / "adapter", base=base)
    assert len(load_tokenizer(adapter)) == BYTE_VOCABULARY
    bpe.save_pretrained(tmp_path / "adapter")
    assert len(load_tokenizer(adapter)) == len(bpe)


def test_padding_without_a_padding_token(tmp_path: Path, byte: Any) -> None:
    folder = tiny_llama(tmp_path / "m")
    config = folder / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"pad_token": "<|pad|>"', '"pad_token": null'))
    tokenizer = _load(folder)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 0
    assert len(tokenizer) == BYTE_VOCABULARY


def test_long_texts_are_not_remarked_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    byte = train_tokenizer(dataclasses.replace(OPTIONS, tokenizer="byte"), ())
    for tokenizer in (byte, _load(tiny_llama(tmp_path / "m"))):
        assert len(tokenizer("x" * 500).input_ids) == 500 > tokenizer.model_max_length
    assert capfd.readouterr() == ("", "")


def test_scratch_has_no_tokenizer_to_load() -> None:
    with pytest.raises(ValueError, match="train_tokenizer makes it"):
        load_tokenizer(ModelSource(name="scratch:llama", kind="scratch", scratch=OPTIONS))


@pytest.mark.parametrize("name", ["stories260k", "babyllama105"])
def test_real_tokenizers(shared: Path, name: str) -> None:
    tokenizer = _load(shared / "models" / name)
    text = "Once upon a time, there was a little girl named Lily."
    assert _back(tokenizer, text).strip() == text
