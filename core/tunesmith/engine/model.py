# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A trained model, ready for use from Python, as ``tunesmith.load(path)`` gives it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from tunesmith.data.rows import Row
from tunesmith.engine.answers import Token
from tunesmith.engine.inputs import check_prompt, parse_inputs, prompt_of
from tunesmith.engine.items import TOKENS_PER_BATCH, run_items
from tunesmith.engine.native import NativeEngine
from tunesmith.engine.requests import GenerateRequest, Sampling
from tunesmith.engine.sampling import settle_sampling
from tunesmith.errors import DataError, ModelError, Problem
from tunesmith.tasks.base import Encoded, Task

if TYPE_CHECKING:
    from tunesmith.models.source import ModelSource

__all__ = ["MAX_NEW_TOKENS", "Model"]

MAX_NEW_TOKENS = 128
"""Longest answer where nobody says how long."""

_DIGITS = re.compile(r"[\d,]+")

logger = logging.getLogger(__name__)

Message = Mapping[str, Any]


class Model:
    """A model with the task it was trained for. Threads may share it; it prints nothing and holds no global state.

    Made by :func:`tunesmith.engine.load`.

    Attributes:
        task: name of the task, e.g. ``text-classification``.
        name: the model as it was asked for.
        path: the folder it was loaded from; ``None`` if it did not come from one, or if that is gone again.
        addressed: a plugin has opened it, or the model under it, from ``NAME:ADDRESS``: there it may be a secret, so
            what is computed with it is not to be left on a disk unasked.
        device: where it computes.
        definition: the task object: columns, rendering, scores.
        module: the network.
    """

    def __init__(
        self, task: Task[Any, Any], module: nn.Module, *, source: ModelSource, task_name: str, device: torch.device
    ) -> None:
        self.task = task_name
        self.name = source.name
        self.path: Path | None = source.folder
        self.addressed = False
        self.device = device
        self.definition = task
        self.module = module.to(device).eval()
        self.lock = threading.RLock()
        """Held while the task object or the network is used; tokenizers may not be entered by two threads."""
        self._engine = NativeEngine.of(task, self.module) if task.generates else None
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: {self.task} on {self.device}>"

    # ---- answers to rows -----------------------------------------------------------------------

    def predict(
        self,
        rows: Iterable[Mapping[str, Any] | Row | str] | Mapping[str, Any] | Row | str,
        *,
        columns: Mapping[str, str] | None = None,
        tokens_per_batch: int | None = None,
        max_new_tokens: int | None = None,
    ) -> list[dict[str, Any]]:
        """An answer to every row, in the rows' order.

        A classifier answers ``{"label": …, "probability": …, "probabilities": {…}}`` (with several labels a row:
        ``labels`` and ``probabilities``). A language model answers ``{"text": …, "finish": …}``: its greedy answer, and
        whether it came to its end (``stop``) or was cut at ``max_new_tokens`` (``length``). What other tasks answer is
        said in the reference of tasks.

        Args:
            rows: one row or many: mappings with the task's columns; or the input alone: a text, for images a path,
                bytes or an array.
            columns: the task's word to your column's name, e.g. ``{"text": "body"}``. Default: as in training.
            tokens_per_batch: rows of like length are computed together within this budget, what is to be generated
                included. Default: 4096, images: the task's rows per batch.
            max_new_tokens: language models: longest answer. Default: 128, or what the context leaves.

        Raises:
            DataError: rows that cannot be read, all of them named.
            ModelError: a prompt does not fit into the model's context.
        """
        task = self.definition
        with self.lock:
            examples = parse_inputs(task, rows, columns)
        if task.generates:
            return self._write(examples, max_new_tokens, tokens_per_batch)
        with self.lock:
            items = self._encode(examples)
            outputs = run_items(self.module, task, items, device=self.device, tokens_per_batch=tokens_per_batch)
            by_row: list[list[Any]] = [[] for _ in examples]
            for item, output in zip(items, outputs, strict=True):
                by_row[item.row].append(output)
            return [task.answer_row(parts, example) for parts, example in zip(by_row, examples, strict=True)]

    def embed(
        self, texts: Iterable[str] | str, *, tokens_per_batch: int | None = None
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Vectors of texts, float32 (N, D), each of length 1: the dot product of two is their cosine.

        Args:
            texts: one text or many.
            tokens_per_batch: as of :meth:`predict`.

        Raises:
            DataError: something that is no text.
            ModelError: the model was not trained to embed.
        """
        from tunesmith.tasks.embedding import Embedding

        task = self.definition
        if not isinstance(task, Embedding):
            raise ModelError(
                "this model does not make vectors of texts",
                given=f"{self.name}, a model of the task {self.task}",
                expected="a model of the task embedding",
                fix="fine-tune it with `task: embedding` on pairs of texts, or load an embedding model",
            )
        with self.lock:
            items = self._encode(parse_inputs(task, texts))
            outputs = run_items(self.module, task, items, device=self.device, tokens_per_batch=tokens_per_batch)
        return np.stack([output.anchor for output in outputs]) if outputs else np.zeros((0, task.width), np.float32)

    def _encode(self, examples: Sequence[Any]) -> list[Encoded]:
        task = self.definition
        items = task.encode_all(examples)
        left_out = sorted(set(range(len(examples))) - {item.row for item in items})
        if left_out:
            problems = [Problem(examples[row].origin, "longer than the model reads") for row in left_out]
            raise DataError(
                f"{len(left_out):,} of {len(examples):,} rows cannot be predicted",
                fix="shorten these rows or leave them out",
                problems=problems,
            )
        self._tell()
        return items

    @property
    def notes(self) -> tuple[str, ...]:
        """Facts people must know of the rows answered since the model was loaded, counted: rows cut, and so on."""
        return self.definition.notes

    def _tell(self) -> None:
        """Log each kind of note once: the counts grow with every call, and ``notes`` has the totals."""
        for note in self.definition.notes:
            kind = _DIGITS.sub("#", note)
            if kind not in self._told:
                self._told.add(kind)
                logger.warning("%s: %s", self.name, note)

    def _write(
        self, examples: Sequence[Any], max_new_tokens: int | None, tokens_per_batch: int | None
    ) -> list[dict[str, Any]]:
        """Greedy answers, many at a time."""
        engine = self._engine_or_raise()
        with self.lock:
            prompts = [self._prompt_tokens(prompt_of(example)) for example in examples]
            stop_tokens = frozenset(self._part("stop_tokens")())
        for number, (example, prompt) in enumerate(zip(examples, prompts, strict=True)):
            try:
                engine.check(prompt, max_new_tokens or 1)
            except ModelError as error:
                where = getattr(example, "origin", f"rows[{number}]")
                raise ModelError(
                    f"{where}: {error.what}", given=error.given, expected=error.expected, fix=error.fix
                ) from error
        answers = engine.answers(
            prompts,
            max_new_tokens=max_new_tokens or MAX_NEW_TOKENS,
            stop_tokens=stop_tokens,
            tokens_per_batch=tokens_per_batch or TOKENS_PER_BATCH,
        )
        self._tell()
        return [{"text": text, "finish": finish} for text, finish in answers]

    # ---- text ----------------------------------------------------------------------------------

    def generate(
        self,
        prompt: str | Sequence[Message],
        *,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        greedy: bool = False,
        stop: Sequence[str] = (),
    ) -> str:
        """What the model goes on with.

        Args:
            prompt: a text (may be empty: the model begins by itself), or for chat models the messages so far; a text
                given to a chat model is one message of the user.
            max_new_tokens: longest answer in tokens. Default: 128, or what the context leaves.
            temperature: 0 is greedy. Default: the model's own setting, else 1; an encoder-decoder that names none is
                greedy, unless top_k or top_p is given.
            top_k: draw from the k likeliest tokens; 0 is all. Default: the model's own setting, else 0.
            top_p: draw from the smallest set of this probability. Default: the model's own setting, else 1.
            seed: the same seed gives the same text.
            greedy: always the likeliest token; no random draw.
            stop: texts that end the answer; they are not part of it.

        Raises:
            ModelError: the model does not generate text, or prompt and answer do not fit into its context.
            ValueError: a setting out of its range, or ``greedy`` together with settings of a random draw.
        """
        settings = self._settings(temperature, top_k, top_p, seed, greedy)
        return "".join(token.text for token in self.tokens(prompt, settings, max_new_tokens=max_new_tokens, stop=stop))

    def stream(
        self,
        prompt: str | Sequence[Message],
        *,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        greedy: bool = False,
        stop: Sequence[str] = (),
    ) -> Iterator[str]:
        """As :meth:`generate`, piece by piece as the text becomes certain. Closing the iterator ends the work."""
        settings = self._settings(temperature, top_k, top_p, seed, greedy)
        tokens = self.tokens(prompt, settings, max_new_tokens=max_new_tokens, stop=stop)
        return (token.text for token in tokens if token.text)

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        greedy: bool = False,
        stop: Sequence[str] = (),
    ) -> str:
        """The assistant's next message.

        Args:
            messages: the conversation so far, ``{"role": "user", "content": …}`` and so on; the rest as in
                :meth:`generate`.

        Raises:
            ModelError: the model was not trained to chat, or the conversation does not fit into its context.
        """
        settings = self._settings(temperature, top_k, top_p, seed, greedy)
        tokens = self.tokens(messages, settings, max_new_tokens=max_new_tokens, stop=stop)
        return "".join(token.text for token in tokens)

    def tokens(
        self,
        prompt: str | Sequence[Message],
        sampling: Sampling,
        *,
        max_new_tokens: int | None = None,
        stop: Sequence[str] = (),
    ) -> Iterator[Token]:
        """As :meth:`generate`, with ids, log-probabilities and the reason of the end."""
        engine = self._engine_or_raise()
        with self.lock:
            ids = self._prompt_tokens(prompt)
            stop_tokens = frozenset(self._part("stop_tokens")())
        if max_new_tokens is None:
            # At least 1, so that a prompt that fills the context meets the engine's own words.
            room = engine.room(len(ids))
            max_new_tokens = max(1, MAX_NEW_TOKENS if room is None else min(MAX_NEW_TOKENS, room))
        stops = (stop,) if isinstance(stop, str) else tuple(stop)
        return engine.generate(
            GenerateRequest(
                prompt=tuple(ids),
                max_new_tokens=max_new_tokens,
                sampling=sampling,
                stop_tokens=stop_tokens,
                stop_strings=stops,
            )
        )

    @property
    def chats(self) -> bool:
        """Whether it answers conversations."""
        return self.definition.generates and getattr(self.definition, "prompt_form", "messages") == "messages"

    def _prompt_tokens(self, prompt: str | Sequence[Message]) -> list[int]:
        if isinstance(prompt, str):
            prompt = [{"role": "user", "content": prompt}] if self.chats else prompt
        elif not self.chats:
            raise ModelError(
                "this model goes on with text; it has not learned to answer messages",
                given=f"messages, for a model of the task {self.task}",
                expected="a text",
                fix="use generate(text), or fine-tune it with `task: chat` on conversations first",
            )
        check_prompt(prompt)
        ids: list[int] = self._part("prompt_tokens")(prompt)
        return ids

    def _settings(
        self, temperature: float | None, top_k: int | None, top_p: float | None, seed: int, greedy: bool
    ) -> Sampling:
        saved: Mapping[str, Any] = getattr(self.definition, "generation", {})
        return settle_sampling(saved, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, greedy=greedy)

    def _engine_or_raise(self) -> NativeEngine:
        if self._engine is None:
            raise ModelError(
                "this model does not generate text",
                given=f"{self.name}, a model of the task {self.task}",
                expected="a model that writes text: of the task causal-lm, chat, seq2seq or preference",
                fix="use predict(rows) in Python, or `tunesmith predict`",
            )
        return self._engine

    def _part(self, name: str) -> Any:
        """What the tasks of language models have beyond the common contract."""
        return getattr(self.definition, name)
