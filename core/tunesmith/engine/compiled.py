# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A decoder on a processor whose step is one call of machine code (:mod:`tunesmith.engine.jit`).

A step of a small model in PyTorch is some hundred calls whose own cost is most of it, and a product of one row is none
that libraries for large matrices are good at. Here weights are read once, in the form they are stored in (fp32, bf16,
fp16 or int8), keys and values are held in fp16 beside weights of fewer bits than fp32, and all else is fp32 but for
what is multiplied with int8.

What a token gives does not depend on what is computed beside it, to the last bit: sums are taken in one order for one
row and for many (:mod:`tunesmith.engine.jit.products`), and in 8 bits they are exact
(:mod:`tunesmith.engine.jit.quantized`). Only where the processor has
instructions for bf16, prompts go to PyTorch, whose products of many rows are several times faster there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numba.core.errors import NumbaError
from numpy.typing import NDArray
from torch import nn

from tunesmith.engine.decoder import Decoder, Shape, passes_trial, trial_logits
from tunesmith.engine.jit import step as jit
from tunesmith.engine.jit.low_rank import PARTS
from tunesmith.engine.jit.products import STORED
from tunesmith.engine.jit.quantized import ALIGNED, blocks
from tunesmith.engine.jit.team import Team, close, control
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.low_rank import Adapter
from tunesmith.engine.packing import Packing
from tunesmith.engine.steps import Part
from tunesmith.machine.precision import WORTH_IT, bf16_speedup

__all__ = ["CompiledDecoder", "Stored"]

Stored = Literal["fp32", "bf16", "fp16", "int8"]
"""What weights are stored in."""

_log = logging.getLogger(__name__)
_LAYERS = ("qkv", "out", "gate_up", "down")
_QUERIES = 16  # of one key-value head that are looked at together, at least
_MANY = 32  # tokens of a step from which on PyTorch's bf16 products are the faster, where it has them


class CompiledDecoder:
    """The weights of a :class:`~tunesmith.engine.decoder.Decoder`, computed without it.

    Args:
        decoder: on a processor, in fp32 or bf16. Its weights are shared where they are stored as they are.
        stored: what linear layers are stored in: the decoder's own dtype, or ``fp16`` or ``int8`` of one in fp32.
        threads: that compute. Default: as many as PyTorch uses.
        packing: of those linear layers that it takes, in any way of storing them but int8.

    Raises:
        OverflowError: a weight is too large for fp16.
    """

    def __init__(
        self, decoder: Decoder, stored: Stored, *, threads: int | None = None, packing: Packing | None = None
    ) -> None:
        self.shape: Shape = decoder.shape
        self.weights: str = stored
        self.sizes: Mapping[str, tuple[int, tuple[int, ...]]] = decoder.sizes
        self.dtype = torch.float32 if stored == "fp32" else torch.float16
        self.arithmetic, self.device = torch.float32, torch.device("cpu")
        self.nbytes = 0
        self._packing = None if stored == "int8" else packing
        self._decoder = decoder if stored == "bf16" and bf16_speedup() >= WORTH_IT else None
        self._held: list[torch.Tensor] = []  # what compiled code knows by address
        self._embedding = decoder.embedding.contiguous()
        self._width = decoder.embedding.shape[1]
        self._gated = decoder.layers[0].down.in_features
        self._layers = np.zeros((self.shape.layers + 1, len(jit.FIELDS)), np.int64)
        for number, layer in enumerate(decoder.layers):
            at = self._layers[number]
            for name in ("norm", "heads_norm", "mlp_norm"):
                at[jit.FIELDS[name]] = self._hold(getattr(layer, name))
            for name in _LAYERS:
                self._store(getattr(layer, name), at[jit.FIELDS[name] :])
        last = self._layers[-1]
        last[jit.FIELDS["norm"]] = self._hold(decoder.norm)
        self._store(decoder.output, last[jit.FIELDS["qkv"] :])
        self._cos, self._sin = (table[:, 0].float().contiguous().numpy() for table in (decoder.cos, decoder.sin))
        self._epsilon = np.float32(decoder.epsilon)
        self._threads = threads or torch.get_num_threads()
        self._words = control(jit.phases(self.shape.layers))
        self._memory: KeysValues | None = None
        self._team: Team | None = None
        self._numbers: WeakKeyDictionary[Adapter, int] = WeakKeyDictionary()
        self._low_rank, self._ranks = self._table()
        self._tokens = self._wanted = 0

    @classmethod
    def of(
        cls, decoder: Decoder, stored: Stored, *, threads: int | None = None, packing: Packing | None = None
    ) -> CompiledDecoder | None:
        """As the class; ``None`` where it cannot be compiled, or a trial says that something else is computed here."""
        compiled = cls(decoder, stored, threads=threads, packing=packing)
        try:
            if passes_trial(compiled, trial_logits(decoder)):
                return compiled
        except NumbaError as error:
            _log.warning("no code for this processor: %s", str(error).split("\n")[0])
        compiled.close()
        return None

    def close(self) -> None:
        """As :meth:`tunesmith.engine.steps.StepDecoder.close`."""
        if self._team is not None:
            self._team.stop()
            self._team = None

    def step(self, memory: KeysValues, parts: Sequence[Part], wanted: Sequence[int]) -> torch.Tensor:
        """As :meth:`tunesmith.engine.steps.StepDecoder.step`."""
        tokens = [token for part in parts for token in part.tokens]
        if self._decoder is not None and len(tokens) > _MANY:
            return self._decoder.step(memory, parts, wanted)
        self._plan_step(memory, parts, wanted, len(wanted))
        self._compute(tokens)
        return torch.from_numpy(self._space.logits[: len(wanted)])

    def chain(
        self, memory: KeysValues, part: Part, count: int, *, end: int | None = None
    ) -> tuple[torch.Tensor, list[int]]:
        """As :meth:`tunesmith.engine.steps.ChainDecoder.chain`."""
        if count < 2 or len(part.tokens) != 1 or part.before + count > min(memory.capacity, self.shape.context):
            raise ValueError(
                f"a chain of {count} steps that begins with {len(part.tokens)} tokens behind {part.before}: it begins "
                f"with one, has at least two steps, and ends within the slot's {memory.capacity}"
            )
        self._plan_step(memory, [part], [0], count)
        chain = self._plan.chain
        chain[:] = count, -1 if end is None else end
        self._compute(part.tokens)
        assert self._team is not None
        made = int(chain[0])
        self._team.went_on(made - 1)
        return torch.from_numpy(self._space.logits[:made]), self._plan.likeliest[:made].tolist()

    def _plan_step(self, memory: KeysValues, parts: Sequence[Part], wanted: Sequence[int], rows: int) -> None:
        """Write what is to be computed where compiled code reads it; ``rows`` of logits have room."""
        adapters = {part.adapter for part in parts if part.adapter is not None}
        self._make_ready(memory, sum(len(part.tokens) for part in parts), len(parts), rows, adapters)
        plan, start = self._plan, 0
        for number, part in enumerate(parts):
            end = start + len(part.tokens)
            plan.parts[number] = part.slot, part.before, len(part.tokens), start
            plan.adapters[start:end] = -1 if part.adapter is None else self._numbers[part.adapter]
            start = end
        plan.sizes[:] = start, len(wanted), len(parts), bool(adapters), 0
        plan.chain[:] = 1, -1
        plan.wanted[: len(wanted)] = wanted

    def _compute(self, tokens: Sequence[int]) -> None:
        jit.embed(np.array(tokens), self._model, self._space.hidden)
        assert self._team is not None
        address = self._words.ctypes.data
        self._team.open()
        jit.compute(address, 0, self._model, self._plan, self._space)
        close(address, jit.phases(self.shape.layers))

    def _hold(self, tensor: torch.Tensor | None) -> int:
        """The address of a float32 tensor that stays where it is; 0: there is none."""
        if tensor is None:
            return 0
        self._held.append(tensor.detach().float().contiguous())
        return self._held[-1].data_ptr()

    def _store(self, linear: nn.Linear, at: NDArray[np.int64]) -> None:
        """Hold a linear layer, and write where into its columns (:data:`~tunesmith.engine.jit.step.FIELDS`)."""
        weight, scale = linear.weight.detach(), None
        if self.weights == "int8":
            scale = weight.float().abs().amax(dim=1).clamp(min=1e-12) / 127
            weight = (weight.float() / scale[:, None]).round().to(torch.int8)
            weight = nn.functional.pad(weight, (0, -weight.shape[1] % ALIGNED))
        elif self.weights == "fp16":
            largest = torch.finfo(torch.float16).max
            if float(weight.abs().max()) > largest:
                raise OverflowError(f"a weight is larger than {largest:g}, which is the most that fp16 holds")
            weight = weight.half()
        packed = None if self._packing is None else self._packing.pack(weight)
        held = weight.contiguous() if packed is None else packed.data
        self._held.append(held)
        self.nbytes += held.nbytes
        form = (weight[0].nbytes, 0, 0) if packed is None else (packed.row_bytes, packed.unpack, packed.multiply)
        at[:6] = held.data_ptr(), self._hold(scale), self._hold(linear.bias), *form

    # ---- memory for steps ------------------------------------------------------------------------

    def _make_ready(self, memory: KeysValues, tokens: int, parts: int, wanted: int, adapters: set[Adapter]) -> None:
        """Room for a step of this size. Helpers know the arrays by where they are, so new ones need a new team."""
        fits = memory is self._memory and tokens <= self._tokens and max(parts, wanted) <= self._wanted
        known = all(adapter in self._numbers for adapter in adapters)
        if self._team is not None and fits and known:
            return
        self.close()
        if memory is not self._memory:
            self._memory = memory
            for name, store in (("keys", memory.keys), ("values", memory.values)):
                self._layers[:-1, jit.FIELDS[name]] = [layer.data_ptr() for layer in store]
        if not known:
            for number, adapter in enumerate({*self._numbers, *adapters}):  # those that are unloaded are gone
                self._numbers[adapter] = number
            self._low_rank, self._ranks = self._table()
        self._tokens, self._wanted = _roomy(tokens, self._tokens), _roomy(max(parts, wanted), self._wanted)
        self._lay_out(memory)
        address, model, plan, space = self._words.ctypes.data, self._model, self._plan, self._space
        self._words[:] = 0
        self._team = Team(
            self._threads,
            self._words,
            lambda number: jit.compute(address, number, model, plan, space),
            name="tunesmith-engine helper",
        )

    def _lay_out(self, memory: KeysValues) -> None:
        shape, width, gated, tokens = self.shape, self._width, self._gated, self._tokens
        sizes = (shape.heads, shape.kv_heads, shape.width, memory.capacity)
        self._model = jit.Model(
            self._embedding.data_ptr(),
            self._embedding.dtype == torch.bfloat16,
            self._layers,
            self._cos,
            self._sin,
            sizes,
            self._epsilon,
            halves=self.dtype == torch.float16,
            stored=STORED[self.weights],
        )
        self._plan = jit.Plan(
            sizes=np.zeros(5, np.int64),
            chain=np.zeros(2, np.int64),
            likeliest=np.zeros(self._wanted, np.int64),
            parts=np.zeros((self._wanted, 4), np.int64),
            wanted=np.zeros(self._wanted, np.int64),
            adapters=np.full(tokens, -1, np.int64),
            low_rank=self._low_rank,
        )

        longest, threads = max(width, gated, shape.heads * shape.width), self._threads
        rows, together = max(tokens, self._wanted), max(_QUERIES, shape.heads // shape.kv_heads)
        quantized = rows if self.weights == "int8" else 0

        def floats(*size: int) -> NDArray[np.float32]:
            # PyTorch's memory begins with a line of the processor's cache, so that threads share as few as can be.
            return torch.zeros(size).numpy()

        self._space = jit.Space(
            hidden=floats(tokens, width),
            heads=floats(tokens, (shape.heads + 2 * shape.kv_heads) * shape.width),
            mixed=floats(tokens, shape.heads * shape.width),
            gates=floats(tokens, 2 * gated),
            made=floats(tokens, width),
            logits=floats(self._wanted, shape.vocabulary),
            read=floats(threads, rows * longest),
            numbers=np.zeros((threads, quantized * (longest + -longest % ALIGNED)), np.int16),
            scales=floats(threads, quantized, blocks(longest)),
            bits=np.zeros((threads, jit.BLOCK * longest if self._packing is not None else 0), np.uint16),
            low=floats(threads, tokens, max(1, self._ranks)),
            queries=floats(threads, together, shape.width),
            scores=floats(threads, together, memory.capacity),
        )

    def _table(self) -> tuple[NDArray[np.int64], int]:
        """Adapters by address, and the most of their ranks in one layer (:mod:`tunesmith.engine.jit.low_rank`)."""
        table = np.zeros((max(1, len(self._numbers)), self.shape.layers, len(_LAYERS), PARTS, 5), np.int64)
        self._lowered: list[torch.Tensor] = []
        most = 0
        for adapter, number in self._numbers.items():
            for (layer, name), parts in adapter.parts.items():
                most = max(most, sum(part.down.shape[1] for part in parts))
                for place, part in enumerate(parts):
                    down, up = part.down.T.float().contiguous(), part.up.float().contiguous()
                    self._lowered += (down, up)
                    table[number, layer, _LAYERS.index(name), place] = (
                        down.data_ptr(),
                        up.data_ptr(),
                        down.shape[0],
                        part.start,
                        part.end,
                    )
        return table, most


def _roomy(needed: int, have: int) -> int:
    """Room for at least what is needed, in steps that are not taken often."""
    return have if needed <= have else 1 << (needed - 1).bit_length()
