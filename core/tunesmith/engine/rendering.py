# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Prompts as the tokens that training saw: one rendering for training, evaluation and serving."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from tunesmith.engine.inputs import check_prompt
from tunesmith.engine.protocol import conversation
from tunesmith.engine.requests import Prompt
from tunesmith.engine.sampling import settle_sampling
from tunesmith.errors import ModelError, RequestError
from tunesmith.tasks.base import Task

__all__ = ["Rendering"]


class Rendering:
    """Of the model of one task that writes.

    Args:
        task: restored.
        vocabulary: how many tokens the model knows.
        lock: held while the tokenizer encodes, which it may not do in two threads at once.

    Attributes:
        chats: it answers conversations; a text is one message of the user.
        takes_tools: its template writes descriptions of tools.
        stop_tokens: the model's own ends of an answer.
        sampling: the model's own settings, as far as it has them.
        start: encoder-decoders: what the decoder reads before the first token of an answer; else empty.
        vocabulary: how many tokens the model knows.
    """

    def __init__(self, task: Task[Any, Any], *, vocabulary: int, lock: threading.RLock) -> None:
        language: Any = task  # tasks that generate have more than the common contract
        self._task = language
        self.vocabulary = vocabulary
        self._lock = lock
        self.tokenizer: Any = language.tokenizer
        self.stop_tokens: frozenset[int] = frozenset(language.stop_tokens())
        saved: Mapping[str, Any] = getattr(language, "generation", {})
        self.sampling = settle_sampling(saved, temperature=None, top_k=None, top_p=None, seed=0, greedy=False)
        self.chats: bool = getattr(language, "prompt_form", "messages") == "messages"
        self.start: tuple[int, ...] = tuple(language.decoder_start()) if hasattr(task, "decoder_start") else ()
        template = getattr(language, "template", None)
        self.takes_tools: bool = bool(template is not None and template.takes_tools)

    def tokens(self, prompt: Prompt, tools: Sequence[Mapping[str, Any]] = ()) -> tuple[int, ...]:
        """The tokens that the model reads.

        Raises:
            RequestError: it is no prompt for this model.
        """
        messages = conversation(prompt)
        if messages is None and not isinstance(prompt, str):
            return self._known(prompt)  # type: ignore[arg-type]
        if tools and not self.takes_tools:
            raise RequestError(
                "the model's chat template knows no tools",
                parameter="tools",
                given=f"{len(tools)} tools",
                expected="none",
                fix="ask a model that was trained to call tools",
            )
        if messages is not None and not self.chats:
            raise RequestError(
                "this model goes on with text; it has not learned to answer messages",
                parameter="messages",
                given="messages",
                expected="a text",
                fix="send a text, or fine-tune it with `task: chat` on conversations first",
            )
        check_prompt(prompt)  # type: ignore[arg-type]
        extra: dict[str, Any] = {"tools": tools} if tools else {}
        try:
            with self._lock:
                return tuple(self._task.prompt_tokens(prompt, **extra))
        except ModelError as error:
            raise RequestError(
                error.what, parameter="messages", given=error.given, expected=error.expected, fix=error.fix
            ) from error

    def text(self, ids: Sequence[int]) -> str:
        """The text of tokens, special ones included.

        Raises:
            RequestError: an id that is not in the vocabulary.
        """
        decoded: str = self.tokenizer.decode(list(self._known(ids)), clean_up_tokenization_spaces=False)
        return decoded

    def _known(self, ids: Sequence[int]) -> tuple[int, ...]:
        wrong = next((token for token in ids if not 0 <= token < self.vocabulary), None)
        if wrong is not None:
            raise RequestError(
                "a token is not in the vocabulary",
                parameter="prompt",
                given=wrong,
                expected=f"ids from 0 to {self.vocabulary - 1:,}",
                fix="use the model's own tokenizer",
            )
        return tuple(ids)
