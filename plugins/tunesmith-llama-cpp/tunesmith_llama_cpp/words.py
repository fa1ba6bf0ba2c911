# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Prompts of a GGUF file as the model was trained on them.

The template and the splitting of text are the file's: `tunesmith export` has compared both with the training's, token
by token. Stop tokens and settings of sampling, for which the file has too little room, are in ``rendering.json`` beside
it. A file from elsewhere has none: then the file's own ends hold, and no settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from tunesmith.engine.constraint import Grammars
from tunesmith.errors import ModelError, RequestError
from tunesmith.tasks.chat_template import written_and_said
from tunesmith_llama_cpp.place import Place
from tunesmith_llama_cpp.tokenizer import GgufTokenizer

__all__ = ["GgufGrammars", "Template", "Words"]

_SETTINGS = ("temperature", "top_k", "top_p")
_BEHIND = "\x02"  # a byte that is in every vocabulary of bytes, and part of no longer token


class Template:
    """The chat template of a file.

    Args:
        text: in Jinja.
        tokenizer: of the file.
    """

    def __init__(self, text: str, tokenizer: GgufTokenizer) -> None:
        self._text = text
        self._tokenizer = tokenizer
        names = {
            name: tokenizer.tokens[token].decode("utf-8", "replace")
            for name, token in (("bos_token", tokenizer.bos_token_id), ("eos_token", tokenizer.eos_token_id))
            if token is not None
        }
        # It splits nothing: it is there to render, in the sandbox and with the functions that training had.
        self._renderer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **names)
        special = (tokenizer.tokens[token].decode("utf-8", "replace") for token in tokenizer.all_special_ids)
        self._reserved = re.compile("|".join(re.escape(text) for text in special if text) or r"(?!)")

    @property
    def takes_tools(self) -> bool:
        """Whether it writes descriptions of tools."""
        return "tools" in self._text

    def tokens(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """A conversation up to where the answer begins. The text of a special token, said by somebody, stays text.

        Raises:
            ModelError: the template refuses it.
        """

        def render(plain: Sequence[Mapping[str, Any]]) -> str:
            try:
                text: str = self._renderer.apply_chat_template(
                    [dict(message) for message in plain],
                    chat_template=self._text,
                    tools=[dict(tool) for tool in tools] or None,
                    tokenize=False,
                    add_generation_prompt=True,
                )
            except (TemplateError, TypeError, ValueError) as error:
                raise ModelError(
                    "the file's chat template refuses a conversation",
                    given=str(error).split("\n")[0],
                    expected="a conversation that it can write",
                    fix="change the conversation: such templates often want user and assistant in turn",
                ) from error
            return text

        ids: list[int] = []
        for part, said in written_and_said(messages, self._reserved, render):
            ids += self._tokenizer.encode(part, special=not said)
        return ids


class Words:
    """What :class:`tunesmith.engine.rendering.Rendering` asks of a task.

    Args:
        tokenizer: of the file.
        template: of conversations; ``None``: the model goes on with text.
        place: what is written beside the file.

    Raises:
        ModelError: what is written there does not fit the file.
    """

    def __init__(self, tokenizer: GgufTokenizer, template: str | None, place: Place) -> None:
        self.tokenizer = tokenizer
        self.template = None if template is None else Template(template, tokenizer)
        self.prompt_form = "opening" if template is None else "messages"
        saved = place.state.get("generation")
        settings = saved if isinstance(saved, Mapping) else {}
        self.generation = {key: settings[key] for key in _SETTINGS if type(settings.get(key)) in (int, float)}
        self._stop_tokens = _stops(place, tokenizer)

    def stop_tokens(self) -> frozenset[int]:
        """Tokens that end an answer; they are not part of it."""
        return self._stop_tokens

    def prompt_tokens(
        self, prompt: str | Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[int]:
        """The tokens an answer goes on from, at least one.

        Raises:
            ModelError: the template refuses it, or it is empty and the model has no token to begin with.
        """
        tokenizer = self.tokenizer
        if self.template is not None:
            messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
            ids = self.template.tokens(messages, tools)
        else:
            assert isinstance(prompt, str)  # Rendering refuses messages
            ids = tokenizer.encode(prompt, special=True)
        begin = tokenizer.bos_token_id
        if begin is not None and tokenizer.adds_bos and ids[:1] != [begin]:
            ids = [begin, *ids]
        if not ids and tokenizer.eos_token_id is not None:
            ids = [tokenizer.eos_token_id]
        if not ids:
            raise ModelError("the prompt is empty", expected="text to go on from", fix="give a prompt")
        return ids


def _stops(place: Place, tokenizer: GgufTokenizer) -> frozenset[int]:
    saved = place.state.get("stop_tokens")
    if saved is None:
        return tokenizer.ends
    if not isinstance(saved, list) or not all(type(one) is int and 0 <= one < len(tokenizer) for one in saved):
        raise ModelError(
            f"rendering.json does not fit {place.file}",
            given=f"stop_tokens {saved!r}"[:200],
            expected=f"ids from 0 to {len(tokenizer) - 1:,}",
            fix="export the model again",
        )
    return frozenset(saved)


class GgufGrammars(Grammars):
    """For the tokens of a GGUF file."""

    def _read(self, tokenizer: Any, **facts: Any) -> Any:
        if facts["eos_token"] is None:
            raise RequestError(
                "answers of a given form need a token to end with",
                parameter="constraint",
                given="a model without stop tokens",
                expected="a model with one",
                fix="leave the constraint out",
            )
        library = import_module("llguidance")
        wrapper = import_module("llguidance._tokenizer").TokenizerWrapper
        return library.LLTokenizer(wrapper(_ForGuidance(tokenizer, facts["eos_token"][0])), **facts)


class _ForGuidance:
    """The tokens as llguidance asks for them."""

    def __init__(self, tokenizer: GgufTokenizer, end: int) -> None:
        self.eos_token_id, self.bos_token_id = end, tokenizer.bos_token_id
        self.tokens, self.special_token_ids = tokenizer.tokens, tokenizer.all_special_ids
        self._tokenizer = tokenizer

    def __call__(self, text: str) -> list[int]:
        # Here a text goes on from another one: behind a character of its own it has no space put in front of it.
        ids = self._tokenizer.encode(_BEHIND + text, special=False)
        place = next((n for n, token in enumerate(ids) if self.tokens[token] == _BEHIND.encode()), None)
        return self._tokenizer.encode(text, special=False) if place is None else ids[place + 1 :]
