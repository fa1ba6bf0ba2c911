# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A model from scratch has about the size that was asked for, in the proportions of known models."""

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, BertModel

from tunesmith.errors import ModelError
from tunesmith.models.scratch import bert, gpt2, llama
from tunesmith.models.source import ScratchOptions

BUILDERS: dict[str, Any] = {"llama": llama, "gpt2": gpt2, "bert": bert}


def _options(architecture: str, size: int | None, vocabulary: int = 1024, context: int = 256) -> ScratchOptions:
    return ScratchOptions(
        architecture=architecture, size=size, tokenizer="bpe", vocabulary=vocabulary, context=context, seed=0
    )


def _count(config: Any) -> int:
    with torch.device("meta"):
        model = BertModel(config) if config.model_type == "bert" else AutoModelForCausalLM.from_config(config)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("architecture", sorted(BUILDERS))
@pytest.mark.parametrize("size", [260_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 600_000_000])
def test_size(architecture: str, size: int) -> None:
    config = BUILDERS[architecture](_options(architecture, size))
    assert _count(config) == pytest.approx(size, rel=0.15)
    assert 0.2 < config.num_hidden_layers / config.hidden_size**0.5 < 0.8
    assert config.hidden_size // config.num_attention_heads == (32 if config.hidden_size <= 256 else 64)


@pytest.mark.parametrize("vocabulary", [262, 512, 2048, 8192])
def test_the_vocabulary_counts(vocabulary: int) -> None:
    assert _count(llama(_options("llama", 1_000_000, vocabulary))) == pytest.approx(1_000_000, rel=0.15)


def test_a_large_model_looks_like_its_kind() -> None:
    config = gpt2(_options("gpt2", 124_000_000, vocabulary=50257, context=1024))  # GPT-2 small: 12 layers of 768
    assert (config.n_embd, config.n_layer) in {(704, 13), (704, 14), (768, 11), (768, 12), (832, 9), (832, 10)}


def test_default_size_and_special_tokens() -> None:
    config = llama(_options("llama", None))
    assert _count(config) == pytest.approx(1_000_000, rel=0.15)
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (0, 0, 1)
    assert (config.vocab_size, config.max_position_embeddings) == (1024, 256)


def test_a_vocabulary_that_leaves_no_room() -> None:
    with pytest.raises(ModelError, match="A llama of 100,000 parameters is not possible") as caught:
        llama(_options("llama", 100_000, vocabulary=32_000))
    assert "vocabulary 32,000" in str(caught.value)
    assert "smaller `vocabulary`" in str(caught.value)
