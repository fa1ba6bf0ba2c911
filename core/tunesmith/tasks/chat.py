# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Conversations: supervised fine-tuning on the assistant's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tunesmith.data.conversations import CONVERSATION_COLUMNS, Message, conversation
from tunesmith.data.rows import Origin, Row
from tunesmith.errors import DataError, ModelError, Problem
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Encoded
from tunesmith.tasks.chat_template import PLAIN_TEMPLATE, ChatTemplate, Rendered
from tunesmith.tasks.classification_report import excerpt
from tunesmith.tasks.language import LanguageModel, TokenLoss, perplexity
from tunesmith.tasks.lengths import Lengths, plural
from tunesmith.tasks.sections import Section, Table
from tunesmith.tasks.state import state_text
from tunesmith.tasks.text import bind_tokenizer

if TYPE_CHECKING:
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["Chat", "Conversation"]

WORST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages in order, and where the row stands.

    Attributes:
        tools: the row describes tools beside its messages; no template is given them.
    """

    messages: tuple[Message, ...]
    origin: Origin
    tools: bool = False


class Chat(LanguageModel[Conversation]):
    """Answering as the assistants of the training conversations do.

    A row may hold ``messages`` (OpenAI), ``conversations`` (ShareGPT), ``instruction``/``input``/``output`` (Alpaca),
    or ``prompt``/``completion``. The tokenizer's chat template turns it into text; a tokenizer without one gets a plain
    template, which is saved with the model. The loss is on the assistant's answers alone, each with the stop token
    that ends it. Conversations longer than ``data.max_length`` tokens (default: 1024, or what the model allows) lose
    their end.
    """

    columns = CONVERSATION_COLUMNS
    tallied = (
        "_lengths",
        "_unstopped",
        "_unanswered",
        "_answer_by_answer",
        "_merged",
        "_reserved",
        "_with_tools",
    )
    prompt_form = "messages"

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self._template: ChatTemplate | None = None
        self._lengths = Lengths(self.max_length, data.too_long)
        self._unstopped = 0
        self._unanswered = 0
        self._answer_by_answer = 0
        self._merged = 0
        self._reserved = 0
        self._with_tools = 0

    @property
    def template(self) -> ChatTemplate:
        """The checked template; set by ``build`` and ``restore``."""
        if self._template is None:
            raise RuntimeError("build() or restore() must come first")
        return self._template

    def counted(self) -> list[str]:
        limit = f"{self.max_length:,} tokens"
        counts = (
            (self._unstopped, f"cut before the stop token of their last answer by the limit of {limit}"),
            (self._unanswered, f"skipped: no answer begins within {limit}, so there is nothing to learn"),
            (self._answer_by_answer, "learned answer by answer, since the template rewrites earlier turns"),
            (self._merged, "with an answer whose first token also holds the end of the prompt"),
            (self._reserved, "with the text of a special token in a message; it is read as that token"),
            (self._with_tools, "with descriptions of tools, which are left out: only the messages are learned"),
        )
        return [*self._lengths.sentences(), *(f"{plural(count, 'row')} {what}" for count, what in counts if count)]

    def parse(self, row: Row, *, labelled: bool = True) -> Conversation:
        messages = conversation(row.values, labelled=labelled)
        return Conversation(tuple(messages), row.origin, tools=row.values.get("tools") not in (None, "", "[]", []))

    def fit(self, examples: Sequence[Conversation]) -> None:
        super().fit(examples)
        copies = len(examples) - len({_digest(example) for example in examples})
        if copies:
            verb = "is a copy" if copies == 1 else "are copies"
            kept = f"{verb} of another one; {'it is' if copies == 1 else 'they are'} kept"
            self.note(f"{copies:,} of {len(examples):,} training conversations {kept}")

    def texts(self, examples: Sequence[Conversation]) -> list[str]:
        return [message.content for example in examples for message in example.messages]

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        examples, self._training = self._training or (), None
        tokenizer, source = bind_tokenizer(source, lambda: self.texts(examples))
        return self._set_up(source, tokenizer, self.data.max_length, self._choose_template(tokenizer, source.name))

    def _choose_template(self, tokenizer: Any, name: str) -> str:
        if tokenizer.chat_template:
            chosen: str = tokenizer.get_chat_template()
            return chosen
        if not isinstance(tokenizer.eos_token_id, int):
            raise ModelError(
                f"{name!r} cannot be used for chat: its tokenizer has neither a chat template nor an end token",
                given="no chat_template and no eos_token in the tokenizer's files",
                expected="a chat template, or an end token for a plain one",
                fix="choose a model made for chat, or add an eos_token to tokenizer_config.json",
            )
        self.note("the tokenizer has no chat template; a plain one (User:, Assistant:) is used and saved with it")
        return PLAIN_TEMPLATE

    def _set_up(self, source: ModelSource, tokenizer: Any, max_length: int | None, template: str) -> nn.Module:
        self._template = ChatTemplate(tokenizer, template, source.name)
        tokenizer.chat_template = template
        model = self.bind(source, tokenizer, max_length)
        self._stop_tokens |= {self._template.stop}
        self._lengths = Lengths(self.max_length, self.data.too_long)
        return model

    def encode(self, example: Conversation, row: int) -> list[Encoded]:
        items = self.render(example)
        if not self._lengths.admit(max(len(item.ids) for item in items) - 1, example.origin):
            return []
        self._with_tools += example.tools
        self._answer_by_answer += len(items) > 1
        self._merged += any(item.merged for item in items)
        self._reserved += self.template.reserved_text(example.messages)
        kept = [encoded for item in items if (encoded := self._item(item, row)).targets]
        self._unanswered += not kept
        self._unstopped += bool(kept) and any(len(item.ids) - 1 > self.max_length for item in items)
        return kept

    def render(self, example: Conversation) -> list[Rendered]:
        """The conversation as tokens: one item, or one per answer (:meth:`ChatTemplate.render`).

        Raises:
            DataError: the template refuses it.
        """
        try:
            return self.template.render(example.messages)
        except ModelError as error:
            raise DataError(
                "a conversation cannot be rendered with the model's chat template",
                expected=error.expected,
                fix=error.fix,
                problems=[Problem(example.origin, f"{error.what}: {error.given}")],
            ) from error

    def _item(self, rendered: Rendered, row: int) -> Encoded:
        ids = rendered.ids[: self.max_length + 1]
        supervised = rendered.supervised[: self.max_length + 1].copy()
        supervised[0] = False  # nothing comes before the first token to predict it from
        targets = int(supervised.sum())
        return Encoded({"input_ids": ids, "supervised": supervised}, length=len(ids) - 1, targets=targets, row=row)

    def prompt_tokens(
        self, prompt: str | Sequence[Message | Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> list[int]:
        """Messages, or one question as text, up to where the answer begins; with descriptions of tools, if any."""
        messages = [Message("user", prompt)] if isinstance(prompt, str) else prompt
        return self.template.prompt_tokens(messages, tools)

    def reference(self, example: Conversation) -> str | None:
        """The last answer, where the conversation ends with one in words."""
        last = example.messages[-1]
        return last.content or None if last.role == "assistant" else None

    # ---- report --------------------------------------------------------------------------------

    def sections(self, outputs: Sequence[TokenLoss], examples: Sequence[Conversation]) -> list[Section]:
        pairs = sorted(zip(outputs, examples, strict=True), key=lambda pair: -pair[0].loss)[:WORST_SHOWN]
        rows = [
            (
                str(example.origin),
                excerpt(_last(example, "user")),
                excerpt(_last(example, "assistant")),
                output.tokens,
                round(perplexity(output.loss), 2),
            )
            for output, example in pairs
        ]
        return [
            Table(
                title="Hardest conversations",
                note="Greatest loss per token of the answers first; the last question and answer of each.",
                header=("where", "question", "answer", "tokens", "perplexity"),
                rows=rows,
            )
        ]

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "chat_template": self.template.template}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        tokenizer = models.load_tokenizer(source)
        saved = "chat_template" in state
        template = state_text(state, "chat_template") if saved else self._choose_template(tokenizer, source.name)
        model = self._set_up(source, tokenizer, self.saved_max_length(state), template)
        self.restore_settings(state)
        return model


def _digest(example: Conversation) -> bytes:
    """What is said, in 16 bytes: the conversations themselves may be many and long."""
    said = [(message.role, message.content, message.tool_calls) for message in example.messages]
    return blake2b(repr(said).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _last(example: Conversation, role: str) -> str:
    return next((message.content for message in reversed(example.messages) if message.role == role), "")
