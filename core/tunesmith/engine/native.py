# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The native engine: one forward pass for the prompt, then one token a step, with a cache of keys and values."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import nn

from tunesmith.engine.answers import Token
from tunesmith.engine.batched import TokenAnswer, greedy_answers
from tunesmith.engine.decoding import Continuing, Decoding, Translating
from tunesmith.engine.detokenize import Detokenizer, StopStrings, continuation
from tunesmith.engine.requests import GenerateRequest
from tunesmith.engine.sampling import Sampler
from tunesmith.engine.vocabulary import Vocabulary
from tunesmith.errors import ModelError
from tunesmith.tasks.base import Task

__all__ = ["NativeEngine", "context_of"]


class NativeEngine:
    """Generates with a transformers language model, on the device and in the dtype it was loaded.

    Threads may share it. They take turns token by token: one forward pass runs at a time, each request has its own
    cache, random generator and text state.

    Args:
        model: a causal language model or an encoder-decoder (or a PEFT model over one); it is put into evaluation mode.
        tokenizer: the model's own.
        decoder_start: encoder-decoders only: what the decoder reads before the first token of an answer.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, decoder_start: Sequence[int] = ()) -> None:
        self._model = cast(Any, model)
        self._model.eval()
        self._words = Vocabulary(tokenizer)
        self._lock = threading.Lock()
        self._closed = False
        self._vocabulary = int(self._model.get_input_embeddings().weight.shape[0])
        self._start = tuple(decoder_start)
        self.context = context_of(model)

    @classmethod
    def of(cls, task: Task[Any, Any], model: nn.Module) -> NativeEngine:
        """The engine for a task that generates, and its model."""
        language: Any = task  # tasks that generate have more than the common contract
        start = language.decoder_start() if hasattr(task, "decoder_start") else ()
        return cls(model, language.tokenizer, start)

    def room(self, prompt: int) -> int | None:
        """How many tokens an answer to a prompt of that many tokens may have; ``None`` where nothing limits it."""
        if self.context is None:
            return None
        return self.context - (len(self._start) if self._start else prompt)

    def generate(self, request: GenerateRequest) -> Iterator[Token]:
        """The answer, token by token. The request is checked here, before the first token is asked for.

        Its prompt is token ids, and it has no choices, constraint, tools or adapter.

        Closing the iterator cancels the request.

        Raises:
            ModelError: prompt and answer do not fit into the model's context.
            ValueError: a prompt token that is not in the vocabulary.
            RuntimeError: the engine is closed.
        """
        prompt = cast("tuple[int, ...]", request.prompt)
        self._refuse_unknown(prompt)
        room = self.room(len(prompt))
        most = request.max_new_tokens or (room if room is not None and room > 0 else 1)
        self.check(prompt, most)
        return self._tokens(request, prompt, most)

    def answers(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        stop_tokens: frozenset[int] = frozenset(),
        tokens_per_batch: int = 4096,
    ) -> list[tuple[str, str]]:
        """The greedy answer to each prompt, many at a time: its text, and ``stop`` or ``length``.

        Args:
            prompts: token ids, at least one each.
            max_new_tokens: of each answer; less where the context leaves less.
            stop_tokens: end an answer; they are not part of it.
            tokens_per_batch: prompts and longest answers that are under way together, padding included.

        Raises:
            ModelError: a prompt leaves no room for an answer.
        """
        longest = []
        for prompt in prompts:
            self._refuse_unknown(prompt)
            room = self.room(len(prompt))
            longest.append(max(1, max_new_tokens if room is None else min(max_new_tokens, room)))
            self.check(prompt, longest[-1])
        with self._lock, torch.inference_mode():
            found = greedy_answers(
                self._begin, prompts, longest, stop_tokens=stop_tokens, tokens_per_batch=tokens_per_batch
            )
        return [(self._text(prompt, answer), answer.finish) for prompt, answer in zip(prompts, found, strict=True)]

    def _text(self, prompt: Sequence[int], answer: TokenAnswer) -> str:
        return continuation(self._words, self._start or prompt, answer.ids)

    def close(self) -> None:
        """Give back the model. Requests under way end with ``RuntimeError`` at their next token."""
        with self._lock:
            self._closed = True
            self._model = None

    def _refuse_unknown(self, prompt: Sequence[int]) -> None:
        if self._closed:
            raise RuntimeError("the engine is closed; load the model again")
        wrong = [token for token in prompt if not 0 <= token < self._vocabulary]
        if wrong:
            raise ValueError(
                f"prompt holds token {wrong[0]}, which is not in the vocabulary: "
                f"given {wrong[0]}, expected 0 to {self._vocabulary - 1}; use the model's own tokenizer"
            )

    def check(self, prompt: Sequence[int], max_new_tokens: int) -> None:
        """Whether a prompt and an answer of that many tokens fit.

        Raises:
            ModelError: they do not.
        """
        if self._start:
            self._check_two_sides(prompt, max_new_tokens)
            return
        needed = len(prompt) + max_new_tokens
        if self.context is not None and needed > self.context:
            room = self.context - len(prompt)
            raise ModelError(
                "prompt and answer do not fit into the model's context",
                given=f"{len(prompt):,} prompt tokens + {max_new_tokens:,} new tokens = {needed:,}",
                expected=f"at most {self.context:,} tokens together",
                fix=f"ask for at most {room:,} new tokens (max_new_tokens), or shorten the prompt"
                if room > 0
                else "shorten the prompt",
            )

    def _check_two_sides(self, prompt: Sequence[int], max_new_tokens: int) -> None:
        """The encoder's and the decoder's context are of one size, and each is filled by itself."""
        if self.context is None:
            return
        sides = {"source": len(prompt), "answer": len(self._start) + max_new_tokens}
        for side, needed in sides.items():
            if needed > self.context:
                raise ModelError(
                    f"the {side} does not fit into the model's context",
                    given=f"{needed:,} tokens",
                    expected=f"at most {self.context:,} tokens",
                    fix="shorten the source"
                    if side == "source"
                    else f"ask for at most {self.room(0):,} new tokens (max_new_tokens)",
                )

    def _begin(self, prompts: Sequence[Sequence[int]]) -> Decoding:
        model = self._model_or_raise()
        return Translating(model, prompts, self._start) if self._start else Continuing(model, prompts)

    def _tokens(self, request: GenerateRequest, prompt: tuple[int, ...], most: int) -> Iterator[Token]:
        decoding = self._begin([prompt])
        sampler = Sampler(request.sampling, prompt)
        text, stops = Detokenizer(self._words, self._start or prompt), StopStrings(request.stop_strings)
        stop_tokens = request.stop_tokens or frozenset()
        token: int | None = None
        for made in range(1, most + 1):
            token, logprob = self._step(decoding, token, sampler)
            sampler.accept(token)
            ended = token in stop_tokens
            piece, found = stops.push(text.flush() if ended else text.push(token))
            last = ended or made == most
            if last and not found:
                rest, found = ("", False) if ended else stops.push(text.flush())
                piece += rest if found else rest + stops.flush()
            finish = "stop" if ended or found else "length" if last else None
            yield Token(id=token, text=piece, logprob=logprob, finish=finish)
            if finish:
                return

    def _step(self, decoding: Decoding, last: int | None, sampler: Sampler) -> tuple[int, float]:
        # Locked and under inference_mode for one step only: both belong to a thread, and a generator
        # may be resumed from another one, or never again.
        with self._lock, torch.inference_mode():
            device = self._model_or_raise().get_input_embeddings().weight.device
            logits = decoding.first() if last is None else decoding.next(torch.tensor([last], device=device))
            return sampler.choose(logits[0])

    def _model_or_raise(self) -> Any:
        if self._model is None:
            raise RuntimeError("the engine was closed while the request was under way")
        return self._model


def context_of(model: Any) -> int | None:
    """The longest sequence the model can read, in tokens; ``None`` where the architecture sets no limit."""
    config = model.config
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    limit = getattr(text, "max_position_embeddings", None)
    return int(limit) if limit else None
