# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The engine: Tunesmith's requests, sampling and text, over llama.cpp's products."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any, cast

import torch

from tunesmith.engine.batching import Batching, BatchingEngine
from tunesmith.engine.protocol import EngineStats
from tunesmith.engine.rendering import Rendering
from tunesmith.engine.scheduling import Scheduler
from tunesmith.engine.slots import LEAST_SHARED, Slots
from tunesmith.engine.writing import Limits
from tunesmith_llama_cpp.decoder import LlamaDecoder
from tunesmith_llama_cpp.library import library
from tunesmith_llama_cpp.model import GgufModel
from tunesmith_llama_cpp.place import find
from tunesmith_llama_cpp.tokenizer import GgufTokenizer
from tunesmith_llama_cpp.words import GgufGrammars, Words

__all__ = ["LlamaCppEngine"]

_PROMPT_TOKENS = 512
"""Of prompts, read in one step: a longer one is read in parts, between which others go on."""
_COPIED = 64
"""llama.cpp copies the whole memory of a sequence, which takes about as long as to read this part of its tokens."""


class LlamaCppEngine(BatchingEngine):
    """An ``Engine`` over a GGUF file.

    Seeds, penalties, biases, log-probabilities, stop strings and constraints are Tunesmith's own, as in the native
    engine; llama.cpp gives the logits.

    Args:
        address: the path of a GGUF file or of the folder of an export; ``#context=TOKENS,threads=NUMBER`` may follow.
        name: of the model, as clients ask for it. Default: the folder's or the file's name.
        slots: answers under way at once; fewer where the memory does not hold so many.
        waiting: requests in the queue at most.
        scheduler: in which order they are computed.

    Raises:
        ModelError: llama-cpp-python is not installed, or the file cannot be used.
        TooLargeError: the memory does not hold a single answer.
    """

    def __init__(
        self,
        address: str,
        *,
        name: str | None = None,
        slots: int = 8,
        waiting: int = 128,
        scheduler: Scheduler | None = None,
    ) -> None:
        llama, place = library(), find(address)
        with ExitStack() as undo:
            model = GgufModel(llama, place.file)
            undo.callback(model.close)
            tokenizer = GgufTokenizer(llama, model)
            undo.callback(tokenizer.close)
            words: Any = Words(tokenizer, model.template, place)
            context = min(model.context, place.context or model.context)
            self._decoder = LlamaDecoder(
                llama,
                model,
                slots=slots,
                context=context,
                threads=place.threads or torch.get_num_threads(),
                prompt_tokens=_PROMPT_TOKENS,
            )
            undo.callback(self._decoder.close)
            super().__init__(
                Rendering(words, vocabulary=len(tokenizer), lock=threading.RLock()),
                name=name or place.name,
                task=place.task or ("causal-lm" if model.template is None else "chat"),
                context=context,
                weights=model.weights,
                limits=Limits(
                    slots=self._decoder.slots,
                    context=None,
                    waiting=waiting,
                    prompt_tokens=_PROMPT_TOKENS,
                    scheduler=scheduler or Scheduler(),
                ),
            )
            self._grammars = GgufGrammars(tokenizer, len(tokenizer), words.stop_tokens())
            self._spell = tokenizer.bytes_of
            memory = cast("Any", self._decoder)  # llama.cpp keeps both in one
            self._batching = Batching(memory, memory, prompt_tokens=_PROMPT_TOKENS)
            self._forget()
            self._undo = undo.pop_all()
        self._thread.start()

    def _forget(self) -> None:
        """Nothing is held for anybody."""
        least = max(LEAST_SHARED, self._decoder.capacity // _COPIED)
        self._batching.slots = Slots(cast("Any", self._decoder), least_copied=least)

    def _step(self) -> None:
        try:
            super()._step()
        except Exception:
            self._decoder.clear()
            self._forget()
            raise

    def _release(self) -> None:
        self._undo.close()

    def _more_stats(self) -> EngineStats:
        slots, decoder = self._batching.slots, self._decoder
        return EngineStats(
            slots=decoder.slots,
            slots_used=decoder.slots - slots.free,
            cache_tokens=decoder.slots * decoder.capacity,
            cache_tokens_used=slots.used_tokens,
            prefix_tokens=slots.kept_tokens,
        )
