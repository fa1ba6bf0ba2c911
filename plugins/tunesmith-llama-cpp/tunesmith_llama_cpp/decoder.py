# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Steps of continuous batching, computed by llama.cpp: one ``llama_decode`` serves all answers under way.

Each answer is a sequence with keys and values of its own (a stream of llama.cpp's cache that is not unified), so that
the work grows with the tokens of each and not with those of all.

Shapes: R rows whose logits are wanted, V vocabulary.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tunesmith.engine.steps import Part
from tunesmith.errors import TooLargeError
from tunesmith.machine.memory import room_on
from tunesmith_llama_cpp.library import errors_of
from tunesmith_llama_cpp.model import GgufModel

__all__ = ["LlamaDecoder"]

_log = logging.getLogger(__name__)

_SHARE = 0.6
"""Of the free memory, for keys and values, as the native engine has it."""
_PAGE = 256
"""Tokens; llama.cpp makes every sequence's memory a multiple of it."""
_F32 = 0  # GGML_TYPE_F32


class LlamaDecoder:
    """A context of llama.cpp, and the memory in it. One thread uses it.

    Args:
        library: llama-cpp-python.
        model: opened.
        slots: sequences at once; fewer where the memory does not hold so many.
        context: tokens of each.
        threads: that compute.
        prompt_tokens: of prompts, read in one step at most.

    Attributes:
        slots: how many sequences it holds.
        capacity: tokens that each may have.

    Raises:
        TooLargeError: the memory does not hold one sequence.
    """

    def __init__(
        self, library: Any, model: GgufModel, *, slots: int, context: int, threads: int, prompt_tokens: int
    ) -> None:
        self._library = library
        self.capacity = -(-context // _PAGE) * _PAGE
        exact = model.weights == "fp32"  # then keys and values are not rounded either
        slots = min(slots, int(library.llama_max_parallel_sequences()))
        self.slots = _fitting(library, self.capacity * model.bytes_per_token(4 if exact else 2), slots, context)
        self._size = self.slots + prompt_tokens
        settings = library.llama_context_default_params()
        settings.n_ctx = self.slots * self.capacity
        settings.n_seq_max = self.slots
        settings.n_batch = settings.n_ubatch = self._size
        settings.n_outputs_max = self.slots
        settings.n_threads = settings.n_threads_batch = threads
        settings.kv_unified = False
        if exact:
            settings.type_k = settings.type_v = _F32
            settings.flash_attn_type = 0
        with errors_of() as said:
            self._context = library.llama_init_from_model(model.pointer, settings)
        if not self._context:
            raise TooLargeError(
                "llama.cpp cannot make room for answers",
                given=f"{self.slots:,} answers of {self.capacity:,} tokens: " + ("; ".join(said)[:300] or "no reason"),
                expected="memory for them",
                fix=("give a smaller context: llama-cpp:PATH#context=4096", "or fewer slots"),
            )
        self._memory = library.llama_get_memory(self._context)
        self._vocabulary = int(library.llama_vocab_n_tokens(library.llama_model_get_vocab(model.pointer)))
        self._held = [0] * self.slots
        self._batch = library.llama_batch_init(self._size, 0, 1)
        self._tokens, self._places, counts, self._wanted = (
            np.ctypeslib.as_array(array, (self._size,))
            for array in (self._batch.token, self._batch.pos, self._batch.n_seq_id, self._batch.logits)
        )
        counts[:] = 1

    def copy(self, source: int, target: int, tokens: int) -> None:
        """What one sequence begins with, into another. llama.cpp copies all of it; the next step takes the rest out."""
        self._library.llama_memory_seq_rm(self._memory, target, -1, -1)
        self._library.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self._held[target] = self._held[source]

    def step(self, memory: Any, parts: Sequence[Part], wanted: Sequence[int]) -> torch.Tensor:
        """As :meth:`tunesmith.engine.steps.StepDecoder.step`; the memory is its own.

        Raises:
            RuntimeError: llama.cpp could not compute it. Nothing is held any more.
        """
        library, count = self._library, 0
        for part in parts:
            self._cut(part.slot, part.before)
            size = len(part.tokens)
            self._tokens[count : count + size] = part.tokens
            self._places[count : count + size] = range(part.before, part.before + size)
            for place in range(count, count + size):
                self._batch.seq_id[place][0] = part.slot
            count += size
        self._wanted[:count] = 0
        self._wanted[list(wanted)] = 1
        self._batch.n_tokens = count
        code = library.llama_decode(self._context, self._batch)
        if code:
            self.clear()
            raise RuntimeError(f"llama_decode gave {code}")
        for part in parts:
            self._held[part.slot] += len(part.tokens)
        if not wanted:
            return torch.empty(0, self._vocabulary)
        logits = np.ctypeslib.as_array(library.llama_get_logits(self._context), (len(wanted), self._vocabulary))
        return torch.from_numpy(logits)

    def _cut(self, slot: int, tokens: int) -> None:
        """Take out what a sequence holds beyond so many tokens."""
        held = self._held[slot]
        if held > tokens:
            if not self._library.llama_memory_seq_rm(self._memory, slot, tokens, -1):
                raise RuntimeError(f"llama.cpp cannot take tokens out of sequence {slot}")
            self._held[slot] = held = tokens
        if held != tokens:
            raise RuntimeError(f"sequence {slot} holds {held} tokens, and {tokens} are to be gone on from")

    def clear(self) -> None:
        """Forget all sequences."""
        self._library.llama_memory_clear(self._memory, True)
        self._held = [0] * self.slots

    def close(self) -> None:
        """Give back the memory. May come twice."""
        if self._context:
            self._library.llama_batch_free(self._batch)
            self._library.llama_free(self._context)
            self._context = None


def _fitting(library: Any, each: int, slots: int, context: int) -> int:
    """As many of the slots as the memory holds."""
    room = None if library.llama_supports_gpu_offload() else room_on(torch.device("cpu"))
    if room is None:  # keys and values are on a GPU, which says by itself when it is full
        return slots
    fit = int(_SHARE * room.free // each)
    if fit < 1:
        raise TooLargeError(
            "the memory does not hold one answer",
            given=f"{each / 1e9:.1f} GB for {context:,} tokens; {room.free / 1e9:.1f} GB are free of {room.limit}",
            expected=f"an answer within {_SHARE:.0%} of what is free",
            fix=("give a smaller context: llama-cpp:PATH#context=4096", "or end other programs"),
        )
    if fit < slots:
        _log.warning("%d answers at once instead of %d: the memory holds no more", fit, slots)
    return min(fit, slots)
