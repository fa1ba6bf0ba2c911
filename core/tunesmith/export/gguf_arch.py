# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which decoders llama.cpp has, what it calls their weights, and how it wants them laid out.

Names of keys and tensors: the GGUF specification (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) and
llama.cpp's ``gguf-py/gguf/constants.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError

if TYPE_CHECKING:
    import torch

    from tunesmith.export.subject import Subject

__all__ = ["Layout", "Tensor", "layout_of"]

_ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""transformers' ``model_type`` to llama.cpp's ``general.architecture``; SmolLM and SmolLM2 are ``llama``."""

_OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_INSIDE = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)\Z")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One weight.

    Attributes:
        name: llama.cpp's.
        parameter: transformers'.
        heads: the rows of so many heads are put from halves into pairs; 0: as they are.
    """

    name: str
    parameter: str
    heads: int = 0

    def there(self, weight: torch.Tensor) -> torch.Tensor:
        """transformers' order of rows to llama.cpp's.

        Rotary positions turn pairs of numbers. transformers pairs a head's first half with its second; llama.cpp's
        ``llama`` pairs neighbours, as Meta's own weights do.
        """
        return self._swapped(weight, 2, -1)

    def back(self, weight: torch.Tensor) -> torch.Tensor:
        """llama.cpp's order of rows to transformers'."""
        return self._swapped(weight, -1, 2)

    def _swapped(self, weight: torch.Tensor, outer: int, inner: int) -> torch.Tensor:
        if not self.heads:
            return weight
        return weight.reshape(self.heads, outer, inner, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


@dataclass(frozen=True, slots=True)
class Layout:
    """A model as llama.cpp has it.

    Attributes:
        architecture: ``general.architecture``.
        numbers: key, without the architecture in front, to its value.
        tensors: in order.
        rope_factors: what the wavelength of each pair is multiplied by; ``None``: 1.
    """

    architecture: str
    numbers: dict[str, int | float | str]
    tensors: tuple[Tensor, ...]
    rope_factors: torch.Tensor | None = field(default=None, compare=False)


def layout_of(subject: Subject) -> Layout:
    """The layout of a merged model.

    Raises:
        ModelError: llama.cpp does not have this decoder, or not with these settings.
    """
    module: Any = subject.module
    config = module.config
    if config.model_type not in _ARCHITECTURES or not type(module).__name__.endswith("ForCausalLM"):
        raise _cannot(
            "no such decoder is written as GGUF",
            given=f"{type(module).__name__} (model_type {config.model_type})",
            expected=f"model_type {', '.join(_ARCHITECTURES)} (SmolLM and SmolLM2 are llama)",
        )
    architecture = _ARCHITECTURES[config.model_type]
    _check_settings(config)
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    numbers: dict[str, int | float | str] = {
        "context_length": _context(subject, config),
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": heads,
        "attention.head_count_kv": groups,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "attention.key_length": size,
        "attention.value_length": size,
        "rope.dimension_count": size,
        "rope.freq_base": float(_rope(config).get("rope_theta", 10000.0)),
        "vocab_size": module.get_input_embeddings().weight.shape[0],
    }
    factors = None
    if _rope(config).get("rope_type") == "linear":
        numbers |= {"rope.scaling.type": "linear", "rope.scaling.factor": float(_rope(config)["factor"])}
    elif _rope(config).get("rope_type") == "llama3":
        factors = _factors(module, float(numbers["rope.freq_base"]), size)
    pairs = {"attn_q": heads, "attn_k": groups} if architecture == "llama" else {}
    return Layout(architecture, numbers, _tensors(module, pairs), factors)


def _rope(config: Any) -> dict[str, Any]:
    return dict(getattr(config, "rope_parameters", None) or {})


def _check_settings(config: Any) -> None:
    if config.hidden_act not in ("silu", "swish"):
        raise _cannot(
            "llama.cpp computes this decoder with SiLU", given=f"hidden_act: {config.hidden_act}", expected="silu"
        )
    rope = _rope(config)
    kind = rope.get("rope_type", "default")
    if kind not in ("default", "linear", "llama3") or rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise _cannot(
            "its scaling of rotary positions is not written as GGUF",
            given=f"rope_parameters: {rope}",
            expected="rope_type default, linear or llama3, over all of a head",
        )


def _context(subject: Subject, config: Any) -> int:
    """llama.cpp has no sliding window for these decoders: within the window, both compute the same."""
    context = int(config.max_position_embeddings)
    window = getattr(config, "sliding_window", None)
    if getattr(config, "use_sliding_window", True) and isinstance(window, int) and window < context:
        subject.note(
            f"the context is {window:,} tokens instead of {context:,}: llama.cpp has no sliding window for this model"
        )
        return window
    return context


def _factors(module: Any, base: float, size: int) -> torch.Tensor:
    """Of Llama 3: what the model's own table of frequencies lacks to the plain one."""
    import torch

    plain = base ** -(torch.arange(0, size, 2, dtype=torch.float32) / size)
    scaled: torch.Tensor = module.model.rotary_emb.inv_freq.detach().float().cpu()
    return plain / scaled


def _tensors(module: Any, pairs: dict[str, int]) -> tuple[Tensor, ...]:
    tied = module.config.tie_word_embeddings
    tensors = []
    for parameter in module.state_dict():
        if tied and parameter == "lm_head.weight":  # llama.cpp uses the input embedding where there is no output layer
            continue
        place = _LAYER.match(parameter)
        if parameter in _OUTSIDE:
            tensors.append(Tensor(_OUTSIDE[parameter], parameter))
        elif place is not None and place[2] in _INSIDE:
            name = _INSIDE[place[2]]
            tensors.append(Tensor(f"blk.{place[1]}.{name}.{place[3]}", parameter, pairs.get(name, 0)))
        else:
            raise _cannot(
                "llama.cpp has no place for one of its weights",
                given=parameter,
                expected="the weights of a plain decoder of this kind",
            )
    return tuple(tensors)


def _cannot(what: str, *, given: str, expected: str) -> ModelError:
    return ModelError(
        f"this model cannot be written as GGUF: {what}", given=given, expected=expected, fix="export it --to merged"
    )
