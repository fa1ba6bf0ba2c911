# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from tunesmith.models.source import ModelSource
from tunesmith.recipe.schema import DataSection
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama


@pytest.fixture(scope="session")
def llama(tmp_path_factory) -> ModelSource:
    return ModelSource(name="tiny-llama", kind="folder", folder=tiny_llama(tmp_path_factory.mktemp("llama") / "m"))


@pytest.fixture(scope="session")
def bert(tmp_path_factory) -> ModelSource:
    return ModelSource(name="tiny-bert", kind="folder", folder=tiny_bert(tmp_path_factory.mktemp("bert") / "m"))


@pytest.fixture(scope="session")
def image_net(tmp_path_factory) -> ModelSource:
    folder = tiny_image_model(tmp_path_factory.mktemp("net") / "m", image_size=(8, 8), channels=3, labels=2)
    return ModelSource(name="tiny-net", kind="folder", folder=folder)


@pytest.fixture
def data():
    """Make a data section: ``data(max_length=8)``."""
    return lambda **keys: DataSection(train=["rows.jsonl"], **keys)


@pytest.fixture(scope="session")
def bert_words(tmp_path_factory) -> ModelSource:
    """An encoder with a WordPiece tokenizer as BERT has it: marks around texts, segments, words it does not know."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = (
        [chr(code) for code in range(97, 123)] + [str(digit) for digit in range(10)] + list(".,?!'-#@$北京上海在我")
    )
    pieces = [*letters, *(f"##{one}" for one in letters), "john", "smith", "##son", "new", "york", "lives", "in", "the"]
    vocabulary = {piece: index for index, piece in enumerate([*marks, *pieces])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ids = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ids)
    folder = tmp_path_factory.mktemp("bert-words") / "m"
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), marks, strict=True))
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **names).save_pretrained(folder)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(
        BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, pad_token_id=0, **shape)
    ).save_pretrained(folder)
    return ModelSource(name="tiny-bert-words", kind="folder", folder=folder)
