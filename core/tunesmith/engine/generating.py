# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The native engine for Llama-like models that write: many answers in every step."""

from __future__ import annotations

from pathlib import Path

from tunesmith.engine.accelerated import Joined
from tunesmith.engine.batching import Batching, BatchingEngine
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.low_rank import Adapter, read_adapter
from tunesmith.engine.protocol import EngineStats
from tunesmith.engine.rendering import Rendering
from tunesmith.engine.steps import StepDecoder
from tunesmith.engine.writing import Limits
from tunesmith.errors import RequestError

__all__ = ["GeneratingEngine"]


class GeneratingEngine(BatchingEngine):
    """An ``Engine`` over a :class:`~tunesmith.engine.steps.StepDecoder`.

    A request gives the same tokens whatever is computed beside it: its random numbers are its own, and nothing is
    padded into it. Under a :class:`~tunesmith.engine.compiled.CompiledDecoder` its logits are the same to the last bit;
    under PyTorch a product of more rows may take its sums in another order, so that two tokens of equal likelihood may
    change places.

    Args:
        decoder: computes.
        rendering: as of :class:`~tunesmith.engine.writing.WritingEngine`; so are the others but the last.
        joined: what accelerations add; it is closed with the engine. Default: nothing.
    """

    def __init__(
        self,
        decoder: StepDecoder,
        rendering: Rendering,
        *,
        name: str,
        task: str,
        limits: Limits,
        joined: Joined | None = None,
    ) -> None:
        context = decoder.shape.context
        super().__init__(
            rendering,
            name=name,
            task=task,
            context=context,
            features=frozenset({"adapters"}),
            weights=decoder.weights,
            limits=limits,
        )
        self._decoder = decoder
        self._joined = joined
        self._memory = KeysValues.of(decoder, slots=limits.slots, capacity=self._context or context)
        self._batching = Batching(decoder, self._memory, prompt_tokens=limits.prompt_tokens, joined=joined)
        self._adapters: dict[str, Adapter] = {}
        self._thread.start()

    def _release(self) -> None:
        self._decoder.close()
        if self._joined is not None:
            self._joined.close()

    # ---- adapters --------------------------------------------------------------------------------

    def _adapter(self, name: str) -> Adapter:
        with self._changed:
            if name in self._adapters:
                return self._adapters[name]
            loaded = ", ".join(self._adapters) or "none"
        raise RequestError(
            "no such adapter",
            parameter="adapter",
            given=name,
            expected=f"one of those loaded: {loaded}",
            fix="load it first, or leave it out",
        )

    def load_adapter(self, name: str, path: Path) -> None:
        """As :meth:`tunesmith.engine.Engine.load_adapter`."""
        folder = path / "model" if (path / "run.json").is_file() else path
        decoder = self._decoder
        adapter = read_adapter(folder, decoder.shape.layers, decoder.sizes, decoder.arithmetic, decoder.device)
        with self._changed:
            if name in self._adapters:
                raise RequestError(
                    "an adapter of this name is loaded",
                    parameter="adapter",
                    given=name,
                    expected="another name",
                    fix="unload it first, or choose another name",
                )
            self._adapters[name] = adapter

    def unload_adapter(self, name: str) -> None:
        """As :meth:`tunesmith.engine.Engine.unload_adapter`."""
        self._adapter(name)
        with self._changed:
            self._adapters.pop(name, None)

    def _more_stats(self) -> EngineStats:
        slots = self._batching.slots
        return EngineStats(
            slots=self._memory.slots,
            slots_used=self._memory.slots - slots.free,
            cache_tokens=self._memory.slots * self._memory.capacity,
            cache_tokens_used=slots.used_tokens,
            prefix_tokens=slots.kept_tokens,
            guessed_tokens=self._batching.guessed,
            right_tokens=self._batching.right,
            adapters=tuple(self._adapters),
        )
