# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One step of a Llama-like decoder, from the embedded tokens to the logits, shared by the threads of a team.

Every phase ends before the next begins. What a phase reads (hidden states after their norm, gated values) each thread
makes for itself when it has claimed its first piece: that costs less than a phase of its own.

Shapes: N tokens of a step, R of these whose logits are wanted, P sequences they belong to, W hidden width, H query
heads, G key-value heads, D head width, I gated width, V vocabulary, C tokens of a slot, L layers, T threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tunesmith.engine.jit.attention import attend, exp, mix, normalize, turn
from tunesmith.engine.jit.low_rank import add_low_rank, lower
from tunesmith.engine.jit.native import compiled, entry, matrix, put, rows, to_float
from tunesmith.engine.jit.products import STORED, PackedWeights, multiply_packed, multiply_stored
from tunesmith.engine.jit.quantized import ALIGNED, Activations, Weights, multiply_quantized, quantize
from tunesmith.engine.jit.team import claim, close_step, done, enter, leave, open_step, opened, wait_for

__all__ = ["BLOCK", "FIELDS", "Model", "Plan", "Space", "compute", "embed", "phases"]

FIELDS = {
    name: place
    for place, name in enumerate(
        (
            *("norm", "heads_norm", "mlp_norm", "keys", "values"),
            *(
                f"{part}{what}"
                for part in ("qkv", "out", "gate_up", "down")
                for what in ("", "_scale", "_bias", "_row_bytes", "_unpack", "_multiply")
            ),
        )
    )
}
"""Of a layer -> its column among the addresses; where there is no such thing the address is 0. Of a linear layer:
weights, scales of int8, bias, the bytes that an output's weights take, and where they have a form of their own its two
functions (:mod:`tunesmith.engine.packing`)."""

PHASES_OF_A_LAYER = 5
BLOCK = 32
"""Outputs of a piece, at least."""
_SHARE = 8  # pieces of a phase for each thread, where rows are few: each piece costs two atomic operations
_FEW = 16  # rows up to which that holds; with more, the weights of a piece should stay in a core's own cache
_NORM, _HEADS_NORM, _MLP_NORM = FIELDS["norm"], FIELDS["heads_norm"], FIELDS["mlp_norm"]
_KEYS, _VALUES = FIELDS["keys"], FIELDS["values"]
_QKV, _OUT, _GATE_UP, _DOWN = FIELDS["qkv"], FIELDS["out"], FIELDS["gate_up"], FIELDS["down"]
_SCALE, _BIAS, _ROW_BYTES, _UNPACK, _MULTIPLY, _NEXT = range(1, 7)  # behind a linear layer's weights
_AS_IT_IS, _NORMED, _GATED = 0, 1, 2
_INT8 = STORED["int8"]


class Model(NamedTuple):
    """What does not change.

    Attributes:
        embedding: address of the embedding (V, W).
        short: it is stored as bf16, else as float32.
        layers: int64 (L + 1, ...) addresses, see ``FIELDS``. Behind the last layer: the last norm, and the output layer
            in the place of ``qkv``.
        cos: float32 (C, D).
        sin: float32 (C, D), the first half with its sign changed.
        sizes: H, G, D, and tokens of a slot.
        epsilon: of all norms.
        halves: keys and values are held in fp16, else in float32.
        stored: what the weights are stored in (:data:`~tunesmith.engine.jit.products.STORED`).
    """

    embedding: int
    short: bool
    layers: Any
    cos: Any
    sin: Any
    sizes: tuple[int, int, int, int]
    epsilon: np.float32
    halves: bool
    stored: int


class Plan(NamedTuple):
    """What a step is to compute.

    Attributes:
        sizes: int64 (5,): N, R, P, whether adapters have a part in it, and the row of the first logits.
        chain: int64 (2,): steps that follow one another, each with the likeliest token of the one before (1: a step by
            itself), and a token that ends them early (-1: none). Afterwards the first says how many there were.
        likeliest: int64 (R,), the result: of a chain, the likeliest token behind each step.
        parts: int64 (P, 4): slot, tokens cached, tokens that the step adds, and the first of these.
        wanted: int64 (R,), the tokens whose logits are wanted.
        adapters: int64 (N,), the number of each token's adapter; -1: none.
        low_rank: int64, addresses of the adapters' parts (:mod:`tunesmith.engine.jit.low_rank`).
    """

    sizes: Any
    chain: Any
    likeliest: Any
    parts: Any
    wanted: Any
    adapters: Any
    low_rank: Any


class Space(NamedTuple):
    """Where it is computed; float32 where nothing else is said.

    Attributes:
        hidden: (N, W); the embedded tokens at first.
        heads: (N, (H + 2 G) D).
        mixed: (N, H D).
        gates: (N, 2 I).
        made: (N, W).
        logits: (R, V) or more rows, the result.
        read: (T, N · max(W, I)).
        numbers: int16, of the same size but for rows filled up to a multiple of ``ALIGNED``; empty where no weights are
            in 8 bits.
        scales: (T, N, S), S blocks of a row (:mod:`tunesmith.engine.jit.quantized`); likewise.
        bits: uint16 (T, ``BLOCK`` · max(W, H D, I)), weights that were unpacked; empty where none are packed.
        low: (T, N, ...).
        queries: (T, A, D), A queries that are looked at together: whole tokens.
        scores: (T, A, C).
    """

    hidden: Any
    heads: Any
    mixed: Any
    gates: Any
    made: Any
    logits: Any
    read: Any
    numbers: Any
    scales: Any
    bits: Any
    low: Any
    queries: Any
    scores: Any


@compiled
def phases(layers: int) -> int:
    """Of a step, for a decoder of so many layers."""
    return layers * PHASES_OF_A_LAYER + 1


@entry
def embed(tokens: Any, model: Any, hidden: Any) -> None:
    """Write the vectors of tokens into the first rows of ``hidden``.

    PyTorch could as well; but its threads keep a core busy for a while after each such call, and it is ours.

    Args:
        tokens: int64 (N,), each below V.
        model: has the embedding.
        hidden: float32 (N or more, W).
    """
    for row in range(len(tokens)):
        _embed(tokens[row], model, hidden[row])


@entry
def compute(words: int, thread: int, model: Any, plan: Any, space: Any) -> None:
    """Take part in steps: thread 0 in the one that is open, to its end, and in those that are chained to it; others as
    they come, until none has come for a while.

    Every kind of phase is called from one place: what is called twice is compiled twice.
    """
    step = made = 0
    number = opened(words)
    while True:
        if thread:
            step = enter(words, step)
            if not step:
                return
        for phase in range(phases(model.layers.shape[0] - 1)):
            layer, place = phase // PHASES_OF_A_LAYER, phase % PHASES_OF_A_LAYER
            if place == 1:
                _mix(words, phase, thread, model, plan, space, model.layers[layer])
            else:
                _project(words, phase, thread, model, plan, space, layer, place)
        if thread:
            leave(words)
            continue
        made += 1
        if plan.chain[0] == 1:
            return
        token = _likeliest(space.logits[plan.sizes[4]])
        plan.likeliest[made - 1] = token
        if made == plan.chain[0] or token == plan.chain[1]:
            plan.chain[0] = made
            return
        close_step(words, phases(model.layers.shape[0] - 1))
        _embed(token, model, space.hidden[0])
        plan.parts[0, 1] += 1
        plan.sizes[4] += 1
        open_step(words, number + made)


@compiled
def _embed(token: int, model: Any, hidden: Any) -> None:
    """Write the vector of a token."""
    width = hidden.shape[0]
    if model.short:
        short = matrix(model.embedding, token + 1, width, np.uint16)
        for k in range(width):
            hidden[k] = to_float(short[token, k])
    else:
        hidden[:] = matrix(model.embedding, token + 1, width, np.float32)[token]


@compiled
def _likeliest(logits: Any) -> int:
    """The first of the likeliest tokens, as :func:`tunesmith.engine.jit.scores.summarize` has it."""
    most, place = logits[0], 0
    for token in range(len(logits)):
        if logits[token] > most:
            most, place = logits[token], token
    return place


@compiled
def _project(words: int, phase: int, thread: int, model: Any, plan: Any, space: Any, layer: int, place: int) -> None:
    """A phase: a linear layer, in the order of a layer's phases; behind the last layer, the output layer."""
    at = model.layers[layer]
    count, is_output = plan.sizes[0], layer == model.layers.shape[0] - 1
    source, made, kind, norm, linear, number = space.hidden, space.heads, _NORMED, at[_NORM], _QKV, 0
    if is_output:
        made, count = space.logits[plan.sizes[4] :], plan.sizes[1]
    elif place == 2:
        source, made, kind, linear, number = space.mixed, space.made, _AS_IT_IS, _OUT, 1
    elif place == 3:
        made, norm, linear, number = space.gates, at[_MLP_NORM], _GATE_UP, 2
    elif place == 4:
        source, made, kind, linear, number = space.gates, space.made, _GATED, _DOWN, 3
    made, outputs = made[:count], made.shape[1]
    inputs = source.shape[1] // 2 if kind == _GATED else source.shape[1]
    read = source[:count] if kind == _AS_IT_IS else space.read[thread, : count * inputs].reshape(count, inputs)
    quantized = model.stored == _INT8
    width = (inputs + ALIGNED - 1) // ALIGNED * ALIGNED if quantized else 0
    whole = Activations(space.numbers[thread, : count * width].reshape(count, width), space.scales[thread], inputs)
    weights, bias, row_bytes = at[linear], at[linear + _BIAS], at[linear + _ROW_BYTES]
    packed = PackedWeights(weights, row_bytes, at[linear + _UNPACK], at[linear + _MULTIPLY])
    whole_weights = Weights(weights, rows(at[linear + _SCALE], outputs if quantized else 0))
    following = 0 if is_output else model.layers[layer + 1, _QKV] if linear == _DOWN else at[linear + _NEXT]
    adapted = plan.sizes[3] and not is_output
    block, threads = BLOCK, space.read.shape[0]
    if count <= _FEW:
        block = max(BLOCK, (outputs // (_SHARE * threads) + 7) // 8 * 8)
    pieces = (outputs + block - 1) // block if count else 0
    ready = False
    piece = claim(words, phase)
    while piece < pieces:
        if not ready:
            if kind == _NORMED:
                for row in range(count):
                    token = plan.wanted[row] if is_output else row
                    normalize(source[token], rows(norm, inputs), model.epsilon, read[row])
            elif kind == _GATED:
                for row in range(count):
                    _gate(source[row], read[row])
            if adapted:
                lower(read, plan.adapters, plan.low_rank, layer, number, space.low[thread])
            if quantized:
                quantize(read, whole)
            ready = True
        first = piece * block
        last = min(first + block, outputs)
        for start in range(first, last, BLOCK):
            end = min(start + BLOCK, last)
            ahead = weights + (end if end < last else (piece + threads) * block) * row_bytes
            if ahead >= weights + outputs * row_bytes:
                ahead = following + thread * BLOCK * row_bytes
            if quantized:
                multiply_quantized(whole, whole_weights, start, end, ahead, made)
            elif packed.unpack:
                multiply_packed(read, packed, start, end, ahead, space.bits[thread], made)
            else:
                multiply_stored(read, weights, model.stored, start, end, ahead, made)
        if bias:
            _add_bias(made, first, last, rows(bias, outputs))
        if adapted:
            add_low_rank(space.low[thread], plan.adapters, plan.low_rank, layer, number, first, last, made)
        if linear in (_OUT, _DOWN):
            for row in range(count):
                for output in range(first, last):
                    space.hidden[row, output] += made[row, output]
        done(words, phase)
        piece = claim(words, phase)
    wait_for(words, phase, pieces)


@compiled
def _mix(words: int, phase: int, thread: int, model: Any, plan: Any, space: Any, at: Any) -> None:
    """A phase: attention. A piece is one key-value head of one sequence, with the query heads that look at it."""
    _, groups, size, capacity = model.sizes
    pieces = plan.sizes[2] * groups
    piece = claim(words, phase)
    while piece < pieces:
        part, group = plan.parts[piece // groups], piece % groups
        first = (part[0] * groups + group) * capacity * size
        queries, scores = space.queries[thread], space.scores[thread]
        if model.halves:
            keys = matrix(at[_KEYS] + 2 * first, capacity, size, np.int16)
            values = matrix(at[_VALUES] + 2 * first, capacity, size, np.int16)
            _attend_part(model, space, at, part, group, keys, values, queries, scores)
        else:
            keys_ = matrix(at[_KEYS] + 4 * first, capacity, size, np.float32)
            values_ = matrix(at[_VALUES] + 4 * first, capacity, size, np.float32)
            _attend_part(model, space, at, part, group, keys_, values_, queries, scores)
        done(words, phase)
        piece = claim(words, phase)
    wait_for(words, phase, pieces)


@compiled
def _attend_part(
    model: Any, space: Any, at: Any, part: Any, group: int, keys: Any, values: Any, queries: Any, scores: Any
) -> None:
    """Write the keys and values of a sequence's new tokens, and mix what each of them may look at."""
    heads, groups, size, _ = model.sizes
    _, before, added, first = part
    share = heads // groups
    normed = at[_HEADS_NORM] != 0
    norms = matrix(at[_HEADS_NORM] if normed else at[_NORM], heads + groups if normed else 0, size, np.float32)
    none = space.hidden[0, :0]
    for token in range(added):
        row, position = space.heads[first + token], before + token
        key = row[(heads + group) * size : (heads + group + 1) * size]
        value = row[(heads + groups + group) * size : (heads + groups + group + 1) * size]
        turn(key, norms[heads + group] if normed else none, model.cos[position], model.sin[position], model.epsilon)
        for d in range(size):
            put(keys, position, d, key[d])
            put(values, position, d, value[d])
    together = queries.shape[0] // share
    for start in range(0, added, together):
        count = min(together, added - start)
        for row in range(count * share):
            token, head = start + row // share, group * share + row % share
            query, place = queries[row], before + token
            query[:] = space.heads[first + token, head * size : (head + 1) * size]
            turn(query, norms[head] if normed else none, model.cos[place], model.sin[place], model.epsilon)
        attend(queries[: count * share], share, keys, values, before + start + 1, scores)
        for row in range(count * share):
            token, head = start + row // share, group * share + row % share
            mixed = space.mixed[first + token, head * size : (head + 1) * size]
            mix(scores[row, : before + token + 1], values, mixed)


@compiled
def _gate(gates: Any, read: Any) -> None:
    """SiLU of the first half, times the second half, of one row."""
    width = read.shape[0]
    for k in range(width):
        gate = gates[k]
        read[k] = gate / (np.float32(1) + exp(-gate)) * gates[width + k]


@compiled
def _add_bias(made: Any, first: int, last: int, bias: Any) -> None:
    for row in range(made.shape[0]):
        for output in range(first, last):
            made[row, output] += bias[output]
