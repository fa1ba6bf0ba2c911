# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Untrained text models of about a given size: ``scratch:llama-1m``, ``scratch:gpt2-10m``, ``scratch:bert``, …

The shape follows from the number of parameters by one rule:

- heads are 32 wide in models up to 256 wide, 64 above; the width is a multiple of that;
- the depth is near 0.4 × √width: 4 layers at 128, 11 at 768 (GPT-2 small has 12), 18 at 2048 (TinyLlama has 22);
- each of the two stacks of t5 has a depth near 0.25 × √width: 3 layers at 128, 6 at 512 (T5 small has 6);
- the feed-forward layer is near 8/3 × width (llama, t5, three matrices) or 4 × width (gpt2, bert, two matrices), and is
  stretched or shrunk by up to a quarter so that the total meets the size;
- input and output embeddings are one matrix, and it counts, as do the learned positions of gpt2 and bert.

Among the shapes within 5 % of the size, the one nearest to these proportions is taken; the result is within 15 % of the
size, or an error says what would be possible. A classification head, small and dependent on the labels, is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError
from tunesmith.models.source import ScratchOptions

if TYPE_CHECKING:
    from transformers import BertConfig, GPT2Config, LlamaConfig, T5Config

__all__ = ["Shape", "bert", "choose_shape", "gpt2", "llama", "t5"]

DEFAULT_SIZE = 1_000_000
_WIDTHS = (*range(32, 257, 32), *range(320, 1025, 64), *range(1280, 8193, 256))
_STEP = 8  # feed-forward units; whole vector registers
_NEAR, _ALLOWED = 0.05, 0.15


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of a transformer.

    Attributes:
        width: of the hidden states.
        depth: layers; of an encoder-decoder in each stack.
        feed_forward: units of the feed-forward layer.
        heads: attention heads.
        parameters: all of them, without a classification head.
    """

    width: int
    depth: int
    feed_forward: int
    heads: int
    parameters: int


@dataclass(frozen=True, slots=True)
class _Family:
    """How an architecture's parameters grow with its dimensions.

    Attributes:
        expansion: feed-forward units per unit of width, ideally.
        outside: (width, vocabulary, context) to the parameters outside the layers.
        layer: width to the parameters of a layer without feed-forward units.
        unit: width to the parameters of one feed-forward unit of a layer.
        depth: layers per square root of the width, ideally.
    """

    expansion: float
    outside: Callable[[int, int, int], int]
    layer: Callable[[int], int]
    unit: Callable[[int], int]
    depth: float = 0.4


_LLAMA = _Family(
    expansion=8 / 3,
    outside=lambda d, v, c: v * d + d,  # embedding; final norm
    layer=lambda d: 4 * d * d + 2 * d,  # query, key, value, output; two norms
    unit=lambda d: 3 * d,  # gate, up, down
)
_GPT2 = _Family(
    expansion=4,
    outside=lambda d, v, c: v * d + c * d + 2 * d,  # embedding; positions; final norm
    layer=lambda d: 4 * d * d + 9 * d,  # attention 4 d² + 4 d; two norms 4 d; bias of the second matrix d
    unit=lambda d: 2 * d + 1,  # two matrices; bias of the first
)
_BERT = _Family(
    expansion=4,
    outside=lambda d, v, c: (v + c + 2) * d + 2 * d + d * d + d,  # words, positions, segments; norm; pooler
    layer=_GPT2.layer,
    unit=_GPT2.unit,
)
_BUCKETS = 32  # of relative distances, each with a bias for every head
_T5 = _Family(
    expansion=8 / 3,
    outside=lambda d, v, c: v * d + 2 * d + 2 * _BUCKETS * _heads(d),  # embedding; a final norm and biases a stack
    layer=lambda d: 12 * d * d + 5 * d,  # attention: one in the encoder, two in the decoder; two and three norms
    unit=lambda d: 6 * d,  # gate, up, down in both stacks
    depth=0.25,
)


def llama(options: ScratchOptions) -> LlamaConfig:
    """The registered architecture ``llama``: rotary positions, RMS norm, gated feed-forward (Touvron et al. 2023,
    arXiv:2302.13971); every head has its own keys and values, and the embeddings are tied."""
    from transformers import LlamaConfig

    shape = choose_shape(_LLAMA, options)
    return LlamaConfig(
        vocab_size=options.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.depth,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=options.context,
        tie_word_embeddings=True,
        **_special_ids(options),
    )


def gpt2(options: ScratchOptions) -> GPT2Config:
    """The registered architecture ``gpt2`` (Radford et al. 2019). No dropout: data seen once or twice needs none."""
    from transformers import GPT2Config

    shape = choose_shape(_GPT2, options)
    return GPT2Config(
        vocab_size=options.vocabulary,
        n_positions=options.context,
        n_embd=shape.width,
        n_inner=shape.feed_forward,
        n_layer=shape.depth,
        n_head=shape.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=True,
        **_special_ids(options),
    )


def bert(options: ScratchOptions) -> BertConfig:
    """The registered architecture ``bert``, for classification (Devlin et al. 2019, arXiv:1810.04805)."""
    from transformers import BertConfig

    shape = choose_shape(_BERT, options)
    return BertConfig(
        vocab_size=options.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.depth,
        num_attention_heads=shape.heads,
        max_position_embeddings=options.context,
        **_special_ids(options),
    )


def t5(options: ScratchOptions) -> T5Config:
    """The registered architecture ``t5``: an encoder and a decoder of one depth (Raffel et al. 2020, arXiv:1910.10683),
    with the gated feed-forward of its version 1.1 and tied embeddings. It has no table of positions: the context is
    the tokenizer's. Dropout is 0.1, as published: pairs of texts are few and seen several times."""
    from transformers import T5Config

    shape = choose_shape(_T5, options)
    ids = _special_ids(options)
    return T5Config(
        vocab_size=options.vocabulary,
        d_model=shape.width,
        d_kv=shape.width // shape.heads,
        d_ff=shape.feed_forward,
        num_layers=shape.depth,
        num_heads=shape.heads,
        relative_attention_num_buckets=_BUCKETS,
        feed_forward_proj="gated-gelu",
        decoder_start_token_id=ids["pad_token_id"],
        **ids,
    )


def _special_ids(options: ScratchOptions) -> dict[str, Any]:
    """Ids of a tokenizer made here. Of another one they are known only when it is loaded: the caller sets them."""
    if options.tokenizer in ("bpe", "byte"):
        return {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    return {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}


def choose_shape(family: _Family, options: ScratchOptions) -> Shape:
    """The best-proportioned shape near ``options.size`` parameters; see the rule at the top of this module.

    Raises:
        ModelError: the vocabulary alone is too large for the size.
    """
    size = options.size or DEFAULT_SIZE
    shapes = list(_shapes(family, size, options))
    near = [shape for shape in shapes if abs(shape.parameters - size) <= _NEAR * size]
    if near:
        return min(near, key=lambda shape: (_badness(shape, family), shape.width))
    closest = min(shapes, key=lambda shape: (abs(shape.parameters - size), shape.width))
    if abs(closest.parameters - size) > _ALLOWED * size:
        raise ModelError(
            f"A {options.architecture} of {size:,} parameters is not possible with this vocabulary and context",
            given=f"size {size:,}, vocabulary {options.vocabulary:,}, context {options.context:,}",
            expected=f"a size from {min(shape.parameters for shape in shapes):,} up",
            fix="ask for a larger model, or a smaller `vocabulary` (or `tokenizer: byte`)",
        )
    return closest


def _shapes(family: _Family, size: int, options: ScratchOptions) -> Iterator[Shape]:
    for width in _WIDTHS:
        outside = family.outside(width, options.vocabulary, options.context)
        ideal = family.expansion * width
        layer = family.layer(width) + family.unit(width) * round(ideal)
        likely = max(1, round((size - outside) / layer))
        for depth in {max(1, likely - 1), likely, likely + 1}:
            room = (size - outside) / depth - family.layer(width)
            units = min(max(room / family.unit(width), 0.75 * ideal), 1.25 * ideal)
            feed_forward = max(_STEP, _STEP * round(units / _STEP))
            parameters = outside + depth * (family.layer(width) + family.unit(width) * feed_forward)
            yield Shape(width, depth, feed_forward, _heads(width), parameters)


def _heads(width: int) -> int:
    return width // (32 if width <= 256 else 64)


def _badness(shape: Shape, family: _Family) -> float:
    """How far depth and feed-forward are from the rule, as the sum of the logarithms of their ratios."""
    depth = family.depth * math.sqrt(shape.width)
    return abs(math.log(shape.depth / depth)) + abs(math.log(shape.feed_forward / (family.expansion * shape.width)))
