# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Conversations as tokens, and which of the tokens are answers.

The text of a conversation is what the tokenizer's chat template makes of it, in training as in serving. An answer is
found in it exactly: the conversation up to the answer, rendered as a prompt, must be the beginning of the conversation
with the answer; what is added is the answer. Templates that mark answers themselves (``{% generation %}``) are
believed. Every answer is learned up to its stop token: the special token behind it, found once on a probe conversation
and checked on each row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from tunesmith.data.conversations import Message
from tunesmith.errors import ModelError

__all__ = ["PLAIN_TEMPLATE", "ChatTemplate", "Rendered", "written_and_said"]

PLAIN_TEMPLATE = (
    "{% if bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{{ message['role'] | capitalize + ':\\n' + message['content'] | trim }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{{ '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:\\n' }}{% endif %}"
)
"""For tokenizers without a template: the role on a line of its own, then what is said; answers end with the end token.

The line break between marker and text keeps them in separate tokens: a space would become part of the answer's first
token in most vocabularies, and the prompt that ends with it would never have been seen in training.
"""

_GENERATION = re.compile(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}")
_MARK = "\ufdd0"  # a code point that Unicode keeps out of text for such uses
_MARKS = re.compile(_MARK)
_SAID = re.compile(rf"{_MARK}(\d+){_MARK}")
_PROBE = (Message("user", "Which color is the sky?"), Message("assistant", "Blue"))


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation as tokens.

    Attributes:
        ids: int32 (L,); ends with the last supervised token, since nothing behind it is learned.
        supervised: bool (L,): the token belongs to an answer, its stop token included.
        merged: an answer's first token also holds the last characters of the prompt.
    """

    ids: np.ndarray[Any, np.dtype[np.int32]]
    supervised: np.ndarray[Any, np.dtype[np.bool_]]
    merged: bool = False


class ChatTemplate:
    """A tokenizer together with a template that has been checked.

    Args:
        tokenizer: a fast tokenizer of transformers.
        template: Jinja text.
        name: of the model, for errors.

    Raises:
        ModelError: the template does not render, hides where answers are, or ends them without a stop token.
    """

    def __init__(self, tokenizer: Any, template: str, name: str) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.name = name
        self._marks_answers = _GENERATION.search(template) is not None
        self._with_marks = _GENERATION.sub(_as_mark, template)
        self._special = frozenset(tokenizer.all_special_ids) | {
            token for token, added in tokenizer.added_tokens_decoder.items() if added.special
        }
        self.stop = self._find_stop()
        self._reserved = re.compile("|".join(map(re.escape, self._special_texts())) or r"(?!)")

    # ---- text ----------------------------------------------------------------------------------

    def text(self, messages: Sequence[Message | Mapping[str, Any]], *, prompt: bool = False) -> str:
        """The conversation as the template writes it; as a ``prompt`` with the opening of an answer at the end.

        Raises:
            ModelError: the template refuses these messages, e.g. a role it does not know.
        """
        return self._render_text(messages, self.template, prompt=prompt)

    def _render_text(
        self,
        messages: Sequence[Message | Mapping[str, Any]],
        template: str,
        *,
        prompt: bool = False,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        from jinja2 import TemplateError

        try:
            rendered: str = self.tokenizer.apply_chat_template(
                [_plain(message) for message in messages],
                chat_template=template,
                tools=list(tools) or None,
                tokenize=False,
                add_generation_prompt=prompt,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise self._error(
                "refuses a conversation",
                given=str(error).split("\n")[0],
                expected="conversations that the template can write",
                fix=(
                    "leave such rows out, or choose a model whose template can write them,",
                    "or repair chat_template in the model's tokenizer files",
                    "(without one there, a plain template is used, which knows every role)",
                ),
            ) from error
        return rendered

    @property
    def takes_tools(self) -> bool:
        """Whether the template writes descriptions of tools."""
        return "tools" in self.template

    def prompt_tokens(
        self, messages: Sequence[Message | Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[int]:
        """The tokens an answer to these messages goes on from.

        Where somebody says the text of a special token, it stays text: only the template speaks in special tokens.

        Args:
            messages: so far.
            tools: descriptions of functions, for templates that write them.

        Raises:
            ModelError: the template refuses them.
        """
        ids: list[int] = []
        for part, said in written_and_said(
            [_plain(message) for message in messages],
            self._reserved,
            lambda plain: self._render_text(plain, self.template, prompt=True, tools=tools),
        ):
            ids += self._literal(part) if said else self._tokens(part)[0]
        return ids

    def _literal(self, text: str) -> list[int]:
        """Tokens of a text in which nothing is a special token."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)[
            "input_ids"
        ]
        return ids

    def reserved_text(self, messages: Sequence[Message]) -> bool:
        """Whether somebody says the text of a special token, which is then read as that token."""
        return any(self._reserved.search(message.content) for message in messages)

    # ---- answers -------------------------------------------------------------------------------

    def render(self, messages: Sequence[Message]) -> list[Rendered]:
        """The conversation to learn from: one item; one per answer where the template rewrites earlier turns.

        Templates of reasoning models drop the thoughts of earlier answers once a new question is asked. Then each
        answer is learned behind exactly the prompt that serving would give it.
        """
        answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
        if self._marks_answers:
            return [self._marked(messages[: answers[-1] + 1])]
        spans = [self._span(messages, index) for index in answers]
        whole = spans[-1][0]
        if all(whole.startswith(text) for text, _ in spans):
            return [self._supervise(whole, [(first, len(text)) for text, first in spans])]
        return [self._supervise(text, [(first, len(text))]) for text, first in spans]

    def _span(self, messages: Sequence[Message], index: int) -> tuple[str, int]:
        """The conversation up to and including an answer, and where the answer starts in it."""
        before = self.text(messages[:index], prompt=True)
        after = self.text(messages[: index + 1])
        if after.startswith(before):
            return after, len(before)
        common = next(i for i, (a, b) in enumerate(zip(before + "\0", after + "\1", strict=False)) if a != b)
        raise self._error(
            "does not open an answer in training as it does in a prompt, so it is unknown where answers begin",
            given=f"prompt …{_around(before, common)}; with the answer …{_around(after, common)}",
        )

    def _supervise(self, text: str, spans: Sequence[tuple[int, int]]) -> Rendered:
        """Tokens of a text with the answers at these characters; each answer ends with its last stop token."""
        ids, offsets = self._tokens(text)
        supervised = np.zeros(len(ids), dtype=bool)
        starts, ends = offsets[:, 0], offsets[:, 1]
        merged = False
        for first, last in spans:
            # By offsets of the whole text, since a piece by itself may be cut into other tokens.
            inside = np.flatnonzero((ends > first) & (starts < last)).tolist()
            stops = [place for place in inside if ids[place] == self.stop]
            if stops:
                inside = inside[: inside.index(stops[-1]) + 1]
            elif inside and ids[inside[-1] + 1 : inside[-1] + 2] == [self.stop]:
                inside.append(inside[-1] + 1)
            elif not self._marks_answers:
                raise self._error("ends an answer without its stop token", given=f"…{text[first:last][-60:]!r}")
            supervised[inside] = True
            merged = merged or bool(inside and starts[inside[0]] < first)
        if not supervised.any():
            raise self._error("marks nothing of a conversation as an answer", given=repr(text[:200]))
        length = int(np.flatnonzero(supervised)[-1]) + 1
        if ids[length - 1] != self.stop:
            raise self._error("ends an answer without its stop token", given=f"…{text[: ends[length - 1]][-60:]!r}")
        return Rendered(np.asarray(ids[:length], dtype=np.int32), supervised[:length], merged)

    def _marked(self, messages: Sequence[Message]) -> Rendered:
        """By the template's own marks; a stop token right behind an answer belongs to it.

        transformers' ``return_assistant_tokens_mask`` loses all but the first token of a last character that
        takes several (an emoji in a byte-level vocabulary); so the marks are rendered here, as characters.
        """
        text = self.text(messages)
        marked = self._render_text(messages, self._with_marks)
        pieces = _MARKS.split(marked)
        if "".join(pieces) != text:
            raise self._error("renders differently with its answers marked", given=repr(marked[:200]))
        ends = list(accumulate(map(len, pieces)))
        return self._supervise(text, list(zip(ends[0:-1:2], ends[1:-1:2], strict=True)))

    # ---- stop token ----------------------------------------------------------------------------

    def _find_stop(self) -> int:
        """The first special token behind the answer of a probe conversation."""
        prompt, whole = self.text(_PROBE[:1], prompt=True), self.text(_PROBE)
        if not self._marks_answers:
            self._span(_PROBE, 1)
        place = whole.rfind(_PROBE[1].content)
        if place < 0:
            raise self._error("leaves out the answer", given=repr(whole[-200:]))
        ids, offsets = self._tokens(whole)
        behind = [token for token, (start, _) in zip(ids, offsets.tolist(), strict=True) if start > place]
        stop = next((token for token in behind if token in self._special), None)
        if stop is None:
            raise self._error(
                "writes no special token behind an answer, so the model could not learn to stop",
                given=repr(whole[len(prompt) :] or whole[-60:]),
            )
        return int(stop)

    def _special_texts(self) -> list[str]:
        return [text for text in self.tokenizer.convert_ids_to_tokens(sorted(self._special)) if text]

    def _tokens(self, text: str) -> tuple[list[int], np.ndarray[Any, Any]]:
        """Tokens, and the characters each covers, int64 (L, 2)."""
        encoding = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return encoding["input_ids"], np.asarray(encoding["offset_mapping"], dtype=np.int64).reshape(-1, 2)

    def _error(
        self,
        what: str,
        *,
        given: str,
        expected: str = "a template whose answers begin where its prompts end, and end with a special token",
        fix: Sequence[str] = (
            "repair chat_template in the model's tokenizer files,",
            "or remove it there: a plain template is then used and saved with the model",
        ),
    ) -> ModelError:
        return ModelError(f"the chat template of {self.name!r} {what}", given=given, expected=expected, fix=fix)


def written_and_said(
    messages: Sequence[Mapping[str, Any]],
    reserved: re.Pattern[str],
    render: Callable[[Sequence[Mapping[str, Any]]], str],
) -> Iterator[tuple[str, bool]]:
    """The text of a prompt in parts: what the template writes, and what somebody says that must stay text.

    Args:
        messages: the conversation.
        reserved: finds texts of special tokens.
        render: writes a conversation as the template does.

    Yields:
        A part, and whether it is a message with the text of a special token in it, in which nothing is special.
    """
    said = {
        number: content
        for number, message in enumerate(messages)
        if isinstance(content := message["content"], str) and reserved.search(content)
    }
    marked = [
        {**message, "content": f"{_MARK}{number}{_MARK}"} if number in said else message
        for number, message in enumerate(messages)
    ]
    for place, part in enumerate(_SAID.split(render(marked))):
        yield (said[int(part)], True) if place % 2 else (part, False)


def _plain(message: Message | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(message, Mapping):
        return dict(message)
    plain: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        plain["tool_calls"] = [dict(call) for call in message.tool_calls]
    return plain


def _as_mark(tag: re.Match[str]) -> str:
    """A mark in place of a tag, between tags that take the same white space away as the tag did."""
    word = "endif" if tag[2] else "if true"
    return f"{{%{tag[1]} {word} %}}{{{{ '{_MARK}' }}}}{{% {word} {tag[3]}%}}"


def _around(text: str, place: int) -> str:
    return repr(text[max(0, place - 20) : place + 40])
