# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Little Llama-like models of every family, and what transformers computes of them."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

SEQUENCES = [[(7 * n + 3 * k) % 97 for n in range(size)] for k, size in enumerate((21, 6, 13))]
SIZES: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
SCALED = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0}
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "llama-biases": (LlamaForCausalLM, LlamaConfig, {"attention_bias": True, "mlp_bias": True}),
    "llama-scaled": (LlamaForCausalLM, LlamaConfig, {"rope_parameters": SCALED}),
    "llama-tied": (LlamaForCausalLM, LlamaConfig, {"tie_word_embeddings": True}),
    "llama-all-heads": (LlamaForCausalLM, LlamaConfig, {"num_key_value_heads": 4}),
    "mistral": (MistralForCausalLM, MistralConfig, {"sliding_window": None}),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, {"head_dim": 16}),
}


def make(name: str, **more: Any) -> Any:
    kind, config, settings = MODELS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config(**(SIZES | settings | more))).eval()
        for parameter in model.parameters():  # biases and norms are 0 and 1 when new, which would hide mistakes
            if parameter.ndim == 1:
                torch.nn.init.normal_(parameter, 0.5, 0.5)
    return model


def logits(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(torch.tensor([ids]), use_cache=False).logits[0]
    return found
