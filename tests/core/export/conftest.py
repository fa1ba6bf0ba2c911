# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Small models and runs to export, made once; every test writes somewhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import tunesmith
from tunesmith.models.find import find_model_by_name
from tunesmith.models.save import save_model
from tunesmith.models.tokenizers import load_tokenizer
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_llama


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained Llama that chats, in bytes."""
    return tiny_llama(tmp_path_factory.mktemp("chat"))


@pytest.fixture(scope="session")
def classifier_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory, chat_model: Path) -> Callable[..., Path]:
    """Makes an untrained decoder of another architecture, with the tokenizer of ``chat_model``."""
    return lambda kind, **values: _small_decoder(tmp_path_factory.mktemp(kind), kind, chat_model, values)


def _small_decoder(folder: Path, kind: str, base: Path, values: dict[str, Any]) -> Path:
    import transformers

    shape: dict[str, Any] = {
        "vocab_size": 262,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.3,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 1,
    }
    config = getattr(transformers, f"{kind}Config")(**shape | values)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, f"{kind}ForCausalLM")(config)
        for name, parameter in model.named_parameters():  # biases and norms are made as zeros and ones
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter, 1.0 if "norm" in name else 0.0, 0.2)
    save_model(model, folder, load_tokenizer(find_model_by_name(str(base), get_registry())))
    return folder


def _chat_rows(folder: Path) -> Path:
    file = folder / "chat.jsonl"
    lines = [f'{{"prompt": "say {word}", "completion": "{word}!"}}' for word in ("yes", "no", "up", "down") * 4]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def lora_run(tmp_path_factory: pytest.TempPathFactory, chat_model: Path) -> Path:
    """A finished chat run with an adapter that has moved."""
    folder = tmp_path_factory.mktemp("lora")
    recipe = {
        "task": "chat",
        "model": str(chat_model),
        "method": {"name": "lora", "rank": 4},
        "data": {"train": str(_chat_rows(folder))},
        "train": {"max_steps": 6, "learning_rate": 0.02, "tokens_per_batch": 256},
        "output": str(folder / "run"),
    }
    return tunesmith.train(tunesmith.parse_recipe(recipe)).path


@pytest.fixture(scope="session")
def classifier_run(tmp_path_factory: pytest.TempPathFactory, classifier_base: Path) -> Path:
    """A finished run of text classification, all weights trained, with a temperature: one label in five is wrong."""
    folder = tmp_path_factory.mktemp("classifier")
    pairs = [("apple", "fruit"), ("iron", "metal")]
    rows = [f"{pairs[i][0]} {n},{pairs[i ^ (n % 5 == 0)][1]}" for n in range(20) for i in (0, 1)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    recipe = {
        "task": "text-classification",
        "model": str(classifier_base),
        "data": {"train": str(folder / "rows.csv"), "split": {"validation": 0.5}},
        "train": {"max_steps": 8, "tokens_per_batch": 128, "learning_rate": 0.01},
        "output": str(folder / "run"),
    }
    return tunesmith.train(tunesmith.parse_recipe(recipe)).path
