# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Reward models: a score for an answer, learned from pairs of a better and a worse one.

Shapes: R rows of a batch, S answers of a batch, L length in tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tunesmith.data.conversations import Message, answer, conversation
from tunesmith.data.preferences import (
    COMPARISON_COLUMNS,
    JUDGED_COLUMNS,
    compared_answers,
    empty_answers,
    prompt_messages,
)
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError, ModelError, Problem
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Batch, Encoded, Metric, Task
from tunesmith.tasks.chat_template import PLAIN_TEMPLATE, ChatTemplate
from tunesmith.tasks.classification_report import excerpt
from tunesmith.tasks.lengths import Lengths, choose_max_length, plural, position_limit
from tunesmith.tasks.preference_report import share_first
from tunesmith.tasks.sections import Section, Table
from tunesmith.tasks.state import state_int, state_text
from tunesmith.tasks.text import bind_tokenizer, check_vocabulary, pad_right, padding_token

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["Answers", "Reward", "Scores"]

WORST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to one prompt, the better first.

    Attributes:
        messages: the prompt.
        answers: two to learn from; one to be scored.
        origin: where the row stands.
    """

    messages: tuple[Message, ...]
    answers: tuple[Message, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says about one row.

    Attributes:
        scores: of its answers, in their order. Only differences between answers to one prompt mean something.
    """

    scores: tuple[float, ...]


class Reward(Task[Answers, Scores]):
    """A number for an answer: the greater, the likelier people choose it.

    Loss per pair: -log sigmoid of the difference of the two scores (Bradley and Terry 1952; Ouyang et al. 2022,
    arXiv:2203.02155). The head is a linear layer with one output, read at the conversation's last token by decoders
    (the stop token of the answer), as their architecture does it by encoders. Rows are rendered as for chat.
    """

    columns = (*COMPARISON_COLUMNS, JUDGED_COLUMNS[0])
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            name="accuracy", greater_is_better=True, summary="share of pairs whose chosen answer has the greater score"
        ),
        Metric(name="margin", greater_is_better=True, summary="mean score of chosen minus rejected answers"),
        Metric(name="loss", greater_is_better=False, summary="mean -log sigmoid of the difference, nats"),
    )
    default_max_length = 1024
    tallied = ("_lengths", "_unanswered", "_alike")

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.tokenizer: Any = None
        self._template: ChatTemplate | None = None
        self._padding = 0
        self._lengths = Lengths(self.default_max_length, data.too_long)
        self._unanswered = 0
        self._alike = 0
        self._training: Sequence[Answers] | None = None

    @property
    def template(self) -> ChatTemplate:
        """The checked template; set by ``build`` and ``restore``."""
        if self._template is None:
            raise RuntimeError("build() or restore() must come first")
        return self._template

    def counted(self) -> list[str]:
        counts = (
            (self._unanswered, f"skipped: no answer begins within {self._lengths.limit:,} tokens"),
            (self._alike, "skipped: chosen and rejected are the same answer, as far as they are read"),
        )
        return [*self._lengths.sentences(), *(f"{plural(count, 'row')} {what}" for count, what in counts if count)]

    # ---- rows ----------------------------------------------------------------------------------

    def parse(self, row: Row, *, labelled: bool = True) -> Answers:
        if labelled:
            messages, chosen, rejected = compared_answers(row.values)
            return Answers(messages, (chosen, rejected), row.origin)
        messages, scored = _to_score(row.values)
        return Answers(messages, (scored,), row.origin)

    def fit(self, examples: Sequence[Answers]) -> None:
        self._training = examples
        empty = empty_answers(example.answers[-1] for example in examples)
        if empty is not None:
            self.note(empty)

    def texts(self, examples: Sequence[Answers]) -> list[str]:
        return [message.content for example in examples for message in (*example.messages, *example.answers)]

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        from tunesmith import models

        examples, self._training = self._training or (), None
        tokenizer, source = bind_tokenizer(source, lambda: self.texts(examples))
        template = tokenizer.get_chat_template() if tokenizer.chat_template else None
        if template is None:
            template = PLAIN_TEMPLATE
            self.note("the tokenizer has no chat template; a plain one (User:, Assistant:) is used and saved with it")
        model = models.load_weights(source, "sequence-classification", **_HEAD)
        return self._bind(model, tokenizer, source.name, self.data.max_length, template)

    def _bind(self, model: Any, tokenizer: Any, name: str, max_length: int | None, template: str) -> nn.Module:
        check_vocabulary(model, tokenizer, name)
        self._template = ChatTemplate(tokenizer, template, name)
        tokenizer.chat_template = template
        config = model.config
        self.tokenizer = tokenizer
        self._padding = self._other_than_stop(padding_token(tokenizer, config))
        # Decoders find the last token of a row as the last one that is not padding.
        config.pad_token_id = config.get_text_config().pad_token_id = self._padding
        limit = choose_max_length(max_length, self.default_max_length, position_limit(model, tokenizer))
        self._lengths = Lengths(limit, self.data.too_long)
        return model  # type: ignore[no-any-return]

    def _other_than_stop(self, padding: int) -> int:
        """Many tokenizers pad with their end token: then the end of an answer would be taken for padding."""
        if padding != self.template.stop:
            return padding
        named = (self.tokenizer.unk_token_id, self.tokenizer.bos_token_id, 0, 1)
        return next(int(token) for token in named if isinstance(token, int) and token != self.template.stop)

    def encode(self, example: Answers, row: int) -> list[Encoded]:
        rendered = [self._rendered(example, one) for one in example.answers]
        if not self._lengths.admit(max(len(ids) for ids, _ in rendered), example.origin):
            return []
        limit = self._lengths.limit
        if any(start >= limit for _, start in rendered):
            self._unanswered += 1
            return []
        cut = [ids[:limit] for ids, _ in rendered]
        if len(cut) == 2 and np.array_equal(cut[0], cut[1]):
            self._alike += 1
            return []
        features = {
            "input_ids": np.concatenate(cut),
            "lengths": np.asarray([len(ids) for ids in cut], dtype=np.int32),
        }
        return [Encoded(features, length=sum(map(len, cut)), targets=int(len(cut) == 2), row=row)]

    def _rendered(self, example: Answers, one: Message) -> tuple[np.ndarray[Any, Any], int]:
        """A conversation's tokens, and the first of its last answer."""
        try:
            last = self.template.render([*example.messages, one])[-1]
        except ModelError as error:
            raise DataError(
                "a conversation cannot be rendered with the model's chat template",
                expected=error.expected,
                fix=error.fix,
                problems=[Problem(example.origin, f"{error.what}: {error.given}")],
            ) from error
        before = np.flatnonzero(~last.supervised)
        return last.ids, int(before[-1]) + 1 if len(before) else 0

    def collate(self, items: Sequence[Encoded]) -> Batch:
        """The rows' answers one after the other; ``extra`` says how many each row has."""
        ids = [
            part
            for item in items
            for part in np.split(item.features["input_ids"], item.features["lengths"].cumsum()[:-1])
        ]
        inputs = {"input_ids": pad_right(ids, self._padding)}
        if len({len(row) for row in ids}) > 1:  # without a mask, attention takes a faster way to the same result
            inputs["attention_mask"] = pad_right([np.ones_like(row) for row in ids], 0)
        return Batch(
            inputs=inputs,
            labels=None,
            targets=sum(item.targets for item in items),
            tokens=sum(item.length for item in items),
            rows=[item.row for item in items],
            extra={"counts": np.asarray([len(item.features["lengths"]) for item in items], dtype=np.int64)},
        )

    # ---- loss and answers ----------------------------------------------------------------------

    def _scores(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """float32 (S,)."""
        scores: torch.Tensor = model(**batch.inputs).logits[:, 0]
        return scores.float()

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        from torch.nn import functional

        if (batch.extra["counts"] != 2).any():
            raise ValueError("a row of this batch is no pair, so it has no loss")
        pairs = self._scores(model, batch).view(-1, 2)
        return -functional.logsigmoid(pairs[:, 0] - pairs[:, 1]).sum()

    def outputs(self, model: nn.Module, batch: Batch) -> list[Scores]:
        scores = self._scores(model, batch).cpu().numpy()
        return [Scores(tuple(row.tolist())) for row in np.split(scores, batch.extra["counts"].cumsum()[:-1])]

    def answer(self, output: Scores) -> dict[str, Any]:
        return {"score": output.scores[0]}

    def score(self, outputs: Sequence[Scores], examples: Sequence[Answers]) -> dict[str, float]:
        margins = _margins(outputs)
        return {
            "accuracy": share_first(margins),
            "margin": float(margins.mean()),
            "loss": float(np.logaddexp(0, -margins).mean()),
        }

    def sections(self, outputs: Sequence[Scores], examples: Sequence[Answers]) -> list[Section]:
        margins = _margins(outputs)
        wrong = [place for place in np.argsort(margins, kind="stable").tolist() if margins[place] <= 0]
        if not wrong:
            return []
        rows: list[tuple[str | float, ...]] = [
            (
                str(examples[place].origin),
                excerpt(examples[place].messages[-1].content),
                *(excerpt(one.content) for one in examples[place].answers),
                round(float(margins[place]), 4),
            )
            for place in wrong[:WORST_SHOWN]
        ]
        return [
            Table(
                title="Widest mistakes",
                note=f"{len(wrong):,} of {plural(len(margins), 'pair')} have the greater score on the rejected answer.",
                header=("where", "question", "chosen", "rejected", "margin"),
                rows=rows,
            )
        ]

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {"max_length": self._lengths.limit, "chat_template": self.template.template}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        from tunesmith import models

        tokenizer = models.load_tokenizer(source)
        model = models.load_weights(source, "sequence-classification", new_head=False, **_HEAD)
        max_length = state_int(state, "max_length")
        return self._bind(model, tokenizer, source.name, max_length, state_text(state, "chat_template"))


_HEAD: dict[str, Any] = {"num_labels": 1, "problem_type": "regression"}


def _to_score(values: Mapping[str, Any]) -> tuple[tuple[Message, ...], Message]:
    """A prompt with its answer: ``completion``, or else ``chosen``; or a conversation that ends with one."""
    for name in ("completion", "chosen"):
        if values.get(name) is not None:
            return prompt_messages(values), answer(values[name], name)
    try:
        messages = conversation(values)
    except RowError as error:
        wanted = "prompt and completion, or a conversation that ends with an answer"
        raise RowError(f"there is no answer to score: expected {wanted} ({error})") from None
    return tuple(messages[:-1]), messages[-1]


def _margins(outputs: Sequence[Scores]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """float64 (N,): chosen minus rejected."""
    pairs = np.asarray([output.scores for output in outputs if len(output.scores) == 2], dtype=np.float64)
    if not len(pairs):
        raise ValueError("none of these rows is a pair to score")
    return np.asarray(pairs[:, 0] - pairs[:, 1])
