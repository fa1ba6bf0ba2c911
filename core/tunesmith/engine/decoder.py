# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The forward pass of a Llama-like decoder over many sequences at once, with nothing in it that a step does not need.

The weights, sizes and rotary frequencies are those of a transformers model; the arithmetic is the same, in fewer and
larger operations: one product for queries, keys and values, one for both halves of the gated layer, keys and values
written where they stay. Tokens of all sequences lie side by side, without padding: every product reads the weights
once for all of them, and attention works on one sequence's cached tokens at a time.

Whether a model is one of these is decided by its structure, and then by a trial: the logits must be those that the
transformers model computes (``Decoder.of``).

Shapes: N tokens of a step, W hidden width, H query heads, G key-value heads, D head width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tunesmith.engine.attending import Attending
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.low_rank import Adapter
from tunesmith.engine.steps import Part, StepDecoder

__all__ = ["Decoder", "Layer", "Shape", "dtype_name", "passes_trial", "trial_logits"]

_FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
_TRIED = (1, 7, 3, 2, 5, 4, 6, 0, 2, 2, 9)  # ids of the trial: they exist in every vocabulary


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a decoder.

    Attributes:
        layers: how many.
        heads: query heads H.
        kv_heads: key-value heads G.
        width: of a head, D.
        vocabulary: V.
        context: longest sequence in tokens.
    """

    layers: int
    heads: int
    kv_heads: int
    width: int
    vocabulary: int
    context: int


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer.

    Attributes:
        norm: (W,) of the norm before attention.
        qkv: queries, keys and values in one.
        heads_norm: (H + G, D): what queries and keys are scaled by after their norm; ``None``: they have none.
        out: after attention.
        mlp_norm: (W,) of the norm before the gated layer.
        gate_up: both halves of the gated layer in one.
        down: after it.
    """

    norm: torch.Tensor
    qkv: nn.Linear
    heads_norm: torch.Tensor | None
    out: nn.Linear
    mlp_norm: torch.Tensor
    gate_up: nn.Linear
    down: nn.Linear


class Decoder:
    """Logits of the tokens that follow, for any number of sequences.

    Made by :meth:`of`. It shares its weights with the model it was made of, whose separate matrices become views of
    the joined ones.

    Attributes:
        shape: its sizes.
        layers: from the first to the last.
        embedding: (V, W).
        norm: (W,) of the last norm.
        output: from hidden states to logits.
        epsilon: of all norms.
        cos: (C, 1, D), by place.
        sin: likewise, the first half with its sign changed.
    """

    def __init__(
        self,
        shape: Shape,
        layers: Sequence[Layer],
        embedding: torch.Tensor,
        norm: torch.Tensor,
        output: nn.Linear,
        epsilon: float,
        rotary: Any,
    ) -> None:
        self.shape = shape
        self.layers = layers
        self.embedding = embedding
        self.norm = norm
        self.output = output
        self.epsilon = epsilon
        self.cos, self.sin = self._rotation(rotary)

    @property
    def dtype(self) -> torch.dtype:
        """Of weights, keys and values."""
        return self.embedding.dtype

    @property
    def arithmetic(self) -> torch.dtype:
        """Of hidden states: that of the weights."""
        return self.dtype

    @property
    def weights(self) -> str:
        """What linear layers are held in."""
        return dtype_name(self.dtype)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.embedding.device

    @classmethod
    def of(cls, model: nn.Module) -> Decoder | None:
        """The decoder of a transformers model in evaluation mode; ``None`` where the model is of another structure."""
        base: Any = getattr(model, "model", None)
        config: Any = getattr(model, "config", None)
        if base is None or getattr(config, "model_type", None) not in _FAMILIES or not _is_plain(model, base, config):
            return None
        first, output = base.layers[0].self_attn, cast(nn.Linear, model.lm_head)
        shape = Shape(
            layers=len(base.layers),
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            width=first.head_dim,
            vocabulary=output.out_features,
            context=config.max_position_embeddings,
        )
        with torch.inference_mode():
            expected = _plain_logits(model)
            layers = [_layer(layer, shape) for layer in base.layers]
            decoder = cls(
                shape,
                layers,
                base.embed_tokens.weight.detach(),
                base.norm.weight.detach(),
                output,
                config.rms_norm_eps,
                base.rotary_emb,
            )
            return decoder if passes_trial(decoder, expected) else None

    @property
    def sizes(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Name of a joined linear layer -> its inputs, and the outputs of each of its parts."""
        shape, layer = self.shape, self.layers[0]
        gate = layer.gate_up.out_features // 2
        queries, keys = shape.heads * shape.width, shape.kv_heads * shape.width
        return {
            "qkv": (layer.qkv.in_features, (queries, keys, keys)),
            "out": (layer.out.in_features, (layer.out.out_features,)),
            "gate_up": (layer.gate_up.in_features, (gate, gate)),
            "down": (layer.down.in_features, (layer.down.out_features,)),
        }

    @property
    def linear(self) -> list[nn.Linear]:
        """All linear layers, the output layer last."""
        return [
            *(part for layer in self.layers for part in (layer.qkv, layer.out, layer.gate_up, layer.down)),
            self.output,
        ]

    @property
    def nbytes(self) -> int:
        """Of the weights that a step reads, whatever it reads of the embedding."""
        return sum(one.weight.nbytes for one in self.linear)

    def step(self, memory: KeysValues, parts: Sequence[Part], wanted: Sequence[int]) -> torch.Tensor:
        """As :meth:`tunesmith.engine.steps.StepDecoder.step`."""
        device = self.device
        ids = [token for part in parts for token in part.tokens]
        places = [part.before + place for part in parts for place in range(len(part.tokens))]
        adapted: dict[Adapter, list[int]] = {}
        start = 0
        for part in parts:
            if part.adapter is not None:
                adapted.setdefault(part.adapter, []).extend(range(start, start + len(part.tokens)))
            start += len(part.tokens)
        return self.forward(
            torch.tensor(ids, device=device),
            torch.tensor(places, device=device),
            memory,
            Attending.of(self.shape, [(part.slot, part.before, len(part.tokens)) for part in parts], device),
            torch.tensor(wanted, dtype=torch.long, device=device),
            [(torch.tensor(rows, device=device), adapter) for adapter, rows in adapted.items()],
        )

    def close(self) -> None:
        """It holds no threads."""

    def forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        memory: KeysValues,
        attending: Attending,
        wanted: torch.Tensor,
        adapted: Sequence[tuple[torch.Tensor, Adapter]] = (),
    ) -> torch.Tensor:
        """One step. Keys and values of its tokens are written into ``memory``.

        Args:
            ids: int64 (N,), the tokens of all sequences side by side.
            positions: int64 (N,), of each in its own sequence, from 0.
            memory: keys and values of all sequences.
            attending: which tokens belong to which sequence.
            wanted: int64 (R,), the places whose logits are asked for.
            adapted: places int64 (A,), and the adapter of the sequences they belong to.

        Returns:
            (R, V), in the model's dtype.
        """
        shape = self.shape
        tokens = ids.shape[0]
        both = shape.heads + shape.kv_heads
        cos, sin = self.cos[positions], self.sin[positions]  # (N, 1, D)
        hidden = F.embedding(ids, self.embedding)
        for number, layer in enumerate(self.layers):
            read = self._normed(hidden, layer.norm)
            heads = self._adapted(adapted, number, "qkv", read, layer.qkv(read))
            heads = heads.view(tokens, both + shape.kv_heads, shape.width)
            turned, values = heads[:, :both], heads[:, both:]
            if layer.heads_norm is not None:
                turned = F.rms_norm(turned, (shape.width,), eps=self.epsilon) * layer.heads_norm
            # (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin): halves swapped, the sign in the table.
            turned = torch.addcmul(turned * cos, turned.roll(shape.width // 2, -1), sin)
            mixed = attending.attend(number, memory, turned[:, : shape.heads], turned[:, shape.heads :], values)
            hidden = hidden + self._adapted(adapted, number, "out", mixed, layer.out(mixed))
            read = self._normed(hidden, layer.mlp_norm)
            gate, up = self._adapted(adapted, number, "gate_up", read, layer.gate_up(read)).chunk(2, dim=-1)
            gated = F.silu(gate) * up
            hidden = hidden + self._adapted(adapted, number, "down", gated, layer.down(gated))
        logits: torch.Tensor = self.output(self._normed(hidden[wanted], self.norm))
        return logits

    @staticmethod
    def _adapted(
        adapted: Sequence[tuple[torch.Tensor, Adapter]],
        number: int,
        name: str,
        read: torch.Tensor,
        result: torch.Tensor,
    ) -> torch.Tensor:
        """The result of a linear layer, with what adapters add to it."""
        for places, adapter in adapted:
            adapter.add(number, name, read, places, result)
        return result

    def _normed(self, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(hidden, weight.shape, weight, self.epsilon)

    def _rotation(self, rotary: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """The model's own table of angles, whatever rule it scales them by."""
        places = torch.arange(self.shape.context, device=self.device)[None]
        cos, sin = rotary(self.embedding[:1].float(), places)
        half = self.shape.width // 2
        sin = torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
        return cos[0, :, None].to(self.dtype), sin[0, :, None].to(self.dtype)


_ROUNDING = {"fp32": 1e-3, "fp16": 1e-2, "bf16": 0.1, "int8": 0.2}
"""What weights are held in -> by how much logits of the trial may differ, as a part of the largest: sums are taken in
another order, and weights rounded."""


@torch.inference_mode()
def trial_logits(decoder: StepDecoder) -> torch.Tensor:
    """Logits of every place of the trial, the first part read at once, the rest token by token."""
    memory = KeysValues.of(decoder, slots=1, capacity=len(_TRIED))
    found, start = [], 0
    for size in (len(_TRIED) - 4, 2, 1, 1):
        part = Part(0, start, _TRIED[start : start + size])
        found.append(decoder.step(memory, [part], range(size)).float().clone())
        start += size
    return torch.cat(found)


def passes_trial(decoder: StepDecoder, expected: torch.Tensor) -> bool:
    """Whether its logits of the trial are those expected, but for rounding."""
    got = trial_logits(decoder)
    allowed = _ROUNDING[decoder.weights] * float(expected.abs().max())
    return got.shape == expected.shape and float((got - expected.float()).abs().max()) <= allowed


def dtype_name(dtype: torch.dtype) -> str:
    """As recipes and engines call it."""
    return {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype, str(dtype))


def _is_plain(model: nn.Module, base: Any, config: Any) -> bool:
    """Whether it has the layers that this file computes, and nothing else."""
    layer = base.layers[0]
    attention, mlp = getattr(layer, "self_attn", None), getattr(layer, "mlp", None)
    parts = {
        attention: ("q_proj", "k_proj", "v_proj", "o_proj"),
        mlp: ("gate_proj", "up_proj", "down_proj"),
    }
    linear = all(
        type(getattr(part, name, None)) is nn.Linear and getattr(part, name).weight.dtype.is_floating_point
        for part, names in parts.items()
        for name in names
    )
    windows = getattr(config, "layer_types", None) or ["full_attention"]
    rotation = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    return (
        linear
        and type(getattr(model, "lm_head", None)) is nn.Linear
        and config.hidden_act in ("silu", "swish")
        and set(windows) == {"full_attention"}
        and not (getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True))
        and rotation not in ("dynamic", "longrope")  # their angles depend on how long the sequence is
    )


def _layer(layer: Any, shape: Shape) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    norms = None
    if getattr(attention, "q_norm", None) is not None:
        norms = torch.cat(
            [
                attention.q_norm.weight.detach().expand(shape.heads, -1),
                attention.k_norm.weight.detach().expand(shape.kv_heads, -1),
            ]
        )
    return Layer(
        norm=layer.input_layernorm.weight.detach(),
        qkv=_joined(attention.q_proj, attention.k_proj, attention.v_proj),
        heads_norm=norms,
        out=attention.o_proj,
        mlp_norm=layer.post_attention_layernorm.weight.detach(),
        gate_up=_joined(mlp.gate_proj, mlp.up_proj),
        down=mlp.down_proj,
    )


def _joined(*parts: nn.Linear) -> nn.Linear:
    """One linear layer for several of one input. The parts' weights become views of its own."""
    weight = torch.cat([part.weight.detach() for part in parts])
    joined = nn.Linear(weight.shape[1], weight.shape[0], bias=parts[0].bias is not None, device="meta")
    joined.weight = nn.Parameter(weight, requires_grad=False)
    if parts[0].bias is not None:
        joined.bias = nn.Parameter(torch.cat([part.bias.detach() for part in parts]), requires_grad=False)
    start = 0
    for part in parts:
        end = start + part.weight.shape[0]
        part.weight = nn.Parameter(joined.weight.detach()[start:end], requires_grad=part.weight.requires_grad)
        start = end
    return joined.requires_grad_(False)


def _plain_logits(model: Any) -> torch.Tensor:
    device = model.get_input_embeddings().weight.device
    logits: torch.Tensor = model(input_ids=torch.tensor([_TRIED], device=device), use_cache=False).logits[0]
    return logits
