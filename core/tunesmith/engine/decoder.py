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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tunesmith.engine.attending import Attending
from tunesmith.engine.fp16 import Fp16Linear
from tunesmith.engine.int8 import Int8Linear
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.low_rank import Adapter

__all__ = ["Decoder", "Shape", "dtype_name"]

Linear: TypeAlias = "nn.Linear | Fp16Linear | Int8Linear"

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
class _Layer:
    norm: torch.Tensor
    qkv: Linear
    heads_norm: torch.Tensor | None  # (H + G, D): what queries and keys are scaled by after their norm
    out: Linear
    mlp_norm: torch.Tensor
    gate_up: Linear
    down: Linear


class Decoder:
    """Logits of the tokens that follow, for any number of sequences.

    Made by :meth:`of`. It shares its weights with the model it was made of, whose separate matrices become views of
    the joined ones.
    """

    def __init__(
        self, shape: Shape, layers: Sequence[_Layer], embedding: torch.Tensor, norm: torch.Tensor, output: Linear
    ) -> None:
        self.shape = shape
        self._layers = layers
        self._embedding = embedding
        self._norm = norm
        self._output = output
        self._eps = 0.0
        self._cos = self._sin = torch.empty(0)

    @property
    def dtype(self) -> torch.dtype:
        """Of weights, keys and values."""
        return self._embedding.dtype

    @property
    def weights(self) -> str:
        """What linear layers are held in: ``fp32``, ``bf16``, ``fp16`` or ``int8``."""
        kind = type(self._output)
        return "int8" if kind is Int8Linear else "fp16" if kind is Fp16Linear else dtype_name(self.dtype)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._embedding.device

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
            decoder = cls(shape, layers, base.embed_tokens.weight.detach(), base.norm.weight.detach(), output)
            decoder._eps = config.rms_norm_eps
            decoder._learn_rotation(base.rotary_emb)
            return decoder if _same(decoder._trial(), expected) else None

    @property
    def sizes(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """Name of a joined linear layer -> its inputs, and the outputs of each of its parts."""
        shape, layer = self.shape, self._layers[0]
        gate = layer.gate_up.out_features // 2
        queries, keys = shape.heads * shape.width, shape.kv_heads * shape.width
        return {
            "qkv": (layer.qkv.in_features, (queries, keys, keys)),
            "out": (layer.out.in_features, (layer.out.out_features,)),
            "gate_up": (layer.gate_up.in_features, (gate, gate)),
            "down": (layer.down.in_features, (layer.down.out_features,)),
        }

    def hold_as(self, make: Callable[[nn.Linear], Linear]) -> None:
        """Exchange every linear layer, once: for :class:`Fp16Linear` or :class:`Int8Linear`."""

        def exchanged(linear: Linear) -> Linear:
            if not isinstance(linear, nn.Linear):
                raise TypeError(f"its linear layers were exchanged before: {type(linear).__name__}")
            return make(linear)

        output = exchanged(self._output)
        layers = [
            replace(
                layer,
                qkv=exchanged(layer.qkv),
                out=exchanged(layer.out),
                gate_up=exchanged(layer.gate_up),
                down=exchanged(layer.down),
            )
            for layer in self._layers
        ]
        self._output, self._layers = output, layers  # all or none

    @property
    def nbytes(self) -> int:
        """Of the weights that a step reads, whatever it reads of the embedding."""
        linear = [part for layer in self._layers for part in (layer.qkv, layer.out, layer.gate_up, layer.down)]
        return sum(one.weight.nbytes if isinstance(one, nn.Linear) else one.nbytes for one in (*linear, self._output))

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
        cos, sin = self._cos[positions], self._sin[positions]  # (N, 1, D)
        hidden = F.embedding(ids, self._embedding)
        for number, layer in enumerate(self._layers):
            read = self._normed(hidden, layer.norm)
            heads = self._adapted(adapted, number, "qkv", read, layer.qkv(read))
            heads = heads.view(tokens, both + shape.kv_heads, shape.width)
            turned, values = heads[:, :both], heads[:, both:]
            if layer.heads_norm is not None:
                turned = F.rms_norm(turned, (shape.width,), eps=self._eps) * layer.heads_norm
            # (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin): halves swapped, the sign in the table.
            turned = torch.addcmul(turned * cos, turned.roll(shape.width // 2, -1), sin)
            mixed = attending.attend(number, memory, turned[:, : shape.heads], turned[:, shape.heads :], values)
            hidden = hidden + self._adapted(adapted, number, "out", mixed, layer.out(mixed))
            read = self._normed(hidden, layer.mlp_norm)
            gate, up = self._adapted(adapted, number, "gate_up", read, layer.gate_up(read)).chunk(2, dim=-1)
            gated = F.silu(gate) * up
            hidden = hidden + self._adapted(adapted, number, "down", gated, layer.down(gated))
        return self._output(self._normed(hidden[wanted], self._norm))

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
        return F.rms_norm(hidden, weight.shape, weight, self._eps)

    def _learn_rotation(self, rotary: Any) -> None:
        """The model's own table of angles, whatever rule it scales them by."""
        places = torch.arange(self.shape.context, device=self.device)[None]
        cos, sin = rotary(self._embedding[:1].float(), places)
        half = self.shape.width // 2
        sin = torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
        self._cos, self._sin = cos[0, :, None].to(self.dtype), sin[0, :, None].to(self.dtype)

    def _trial(self) -> torch.Tensor:
        """Logits of every place of the trial, the first part read at once, the rest token by token."""
        memory = KeysValues.of(self, slots=1, capacity=len(_TRIED))
        ids = torch.tensor(_TRIED, device=self.device)
        found, start = [], 0
        for size in (len(_TRIED) - 4, 2, 1, 1):
            places = torch.arange(start, start + size, device=self.device)
            attending = Attending.of(self.shape, [(0, start, size)], self.device)
            found.append(self.forward(ids[places], places, memory, attending, torch.arange(size, device=self.device)))
            start += size
        return torch.cat(found)


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


def _layer(layer: Any, shape: Shape) -> _Layer:
    attention, mlp = layer.self_attn, layer.mlp
    norms = None
    if getattr(attention, "q_norm", None) is not None:
        norms = torch.cat(
            [
                attention.q_norm.weight.detach().expand(shape.heads, -1),
                attention.k_norm.weight.detach().expand(shape.kv_heads, -1),
            ]
        )
    return _Layer(
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


def _same(got: torch.Tensor, expected: torch.Tensor) -> bool:
    """To rounding of the model's dtype: sums are taken in another order."""
    tolerance = 1e-3 if got.dtype == torch.float32 else 0.1
    scale = float(expected.float().abs().max())
    return got.shape == expected.shape and float((got.float() - expected.float()).abs().max()) <= tolerance * scale
