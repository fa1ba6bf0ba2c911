# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Language models that answer more as people chose, and less as they rejected.

Shapes: R rows of a batch, S answers of a batch (two a row), L length in tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tunesmith.data.conversations import Message
from tunesmith.data.preferences import (
    COMPARISON_COLUMNS,
    JUDGED_COLUMNS,
    compared_answers,
    empty_answers,
    judged_answer,
    prompt_messages,
)
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.answers import Answer, answer_batch, answer_logprobs, cut_answer, split_answers
from tunesmith.tasks.base import Batch, Encoded, Metric
from tunesmith.tasks.chat import Chat, Conversation
from tunesmith.tasks.coupled import CoupledTask
from tunesmith.tasks.lengths import Lengths, plural
from tunesmith.tasks.preference_report import preference_scores, preference_terms, widest_mistakes
from tunesmith.tasks.reference import FILE_NAME, Reference
from tunesmith.tasks.sections import Section

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.source import ModelSource

__all__ = ["Comparison", "Judged", "Preference"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A prompt, and what people thought of answers to it.

    Attributes:
        messages: the prompt.
        chosen: the better answer; ``None`` in a row with one bad answer, and when predicting.
        rejected: the worse answer; ``None`` in a row with one good answer, and when predicting.
        origin: where the row stands.
    """

    messages: tuple[Message, ...]
    chosen: Message | None
    rejected: Message | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Judged:
    """What the model says about one item: two answers to compare, or one and a stand-in.

    Attributes:
        logprobs: of the two answers, nats; of answers judged one by one, the answer's and its stand-in's.
        reference: the same before training; zeros where the objective needs none.
        tokens: of the two answers.
        desirable: the answer, judged by itself, is one to imitate; ``None`` for pairs.
    """

    logprobs: tuple[float, float]
    reference: tuple[float, float]
    tokens: tuple[int, int]
    desirable: bool | None


class Preference(CoupledTask[Comparison, Judged]):
    """Chosen answers become likelier than rejected ones.

    Objectives: ``dpo``, ``ipo``, ``orpo`` and ``kto`` (:mod:`tunesmith.tasks.preference_losses`), and those of
    plugins. One that reads ``reference`` compares with the model as it was before training. Rows are rendered as for
    chat; the log-probability of an answer is the sum over its tokens, its stop token included. Conversations longer
    than ``data.max_length`` tokens (default: 1024, or what the model allows) lose their end.

    With an objective that reads ``desirable``, as ``kto`` does, answers are judged one by one, beside a stand-in from
    which it can tell how far the model has moved: an answer that belongs to another prompt. Each prompt's is the answer
    of the next row, always the same; nothing is learned from it.
    """

    columns = (*COMPARISON_COLUMNS, *JUDGED_COLUMNS)
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            name="accuracy", greater_is_better=True, summary="share of pairs whose chosen answer has the greater reward"
        ),
        Metric(name="margin", greater_is_better=True, summary="mean reward of chosen minus rejected answers"),
        Metric(name="loss", greater_is_better=False, summary="mean of the objective"),
        Metric(name="chosen_logprob", greater_is_better=True, summary="mean log-probability of a chosen answer, nats"),
        Metric(
            name="rejected_logprob", greater_is_better=False, summary="mean log-probability of a rejected answer, nats"
        ),
    )
    terms: ClassVar[Mapping[str, str]] = {
        "logprobs": "(R, 2): log-probability of the chosen and of the rejected answer, nats",
        "reference": "(R, 2): the same, by the model as it was before training",
        "lengths": "(R, 2): tokens of the answers, as floating point numbers",
        "desirable": "bool (R,): the answer is one to imitate; rows are then answers and not pairs, and the second of "
        "the two numbers of each other term is that of an answer to another prompt, without a gradient",
    }
    default_objective = "tunesmith/dpo"
    generates = True
    prompt_form = "messages"
    rate_scale = 0.1
    default_max_length = Chat.default_max_length

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.chat = Chat(data)
        """Renders conversations, and answers them once the model is trained."""
        self._lengths = Lengths(self.chat.max_length, data.too_long)
        self._unanswered = 0
        self._alike = 0
        self._neighbours: Sequence[Comparison] = ()
        self._reference: Reference | None = None
        self._base_digest = ""

    # ---- for engines ---------------------------------------------------------------------------

    @property
    def tokenizer(self) -> Any:
        """The chat's."""
        return self.chat.tokenizer

    @property
    def generation(self) -> dict[str, float]:
        """Sampling settings that came with the model."""
        return self.chat.generation

    @property
    def max_length(self) -> int:
        """Tokens."""
        return self.chat.max_length

    def stop_tokens(self) -> frozenset[int]:
        """Tokens that end an answer; they are not part of it."""
        return self.chat.stop_tokens()

    def prompt_tokens(self, prompt: str | Sequence[Message | Mapping[str, Any]]) -> list[int]:
        """As of :class:`Chat`."""
        return self.chat.prompt_tokens(prompt)

    def reference(self, example: Comparison) -> str | None:
        return None if example.chosen is None else example.chosen.content

    # ---- objective -----------------------------------------------------------------------------

    @property
    def couples(self) -> bool:
        return self.chosen.objective.couples

    @property
    def _compares(self) -> bool:
        """The objective needs the reference."""
        return self.objective_reads("reference")

    @property
    def _judges(self) -> bool:
        """A row is one answer, good or bad by itself."""
        return self.chosen.reads("desirable")

    # ---- rows ----------------------------------------------------------------------------------

    def parse(self, row: Row, *, labelled: bool = True) -> Comparison:
        values = row.values
        if not labelled:
            return Comparison(prompt_messages(values), None, None, row.origin)
        if values.get("completion") is not None and values.get("chosen") is None:
            if not self._judges:
                name = self.chosen.section.name
                raise RowError(f"one answer with a label is for objective kto; {name} needs chosen and rejected")
            messages, answer, good = judged_answer(values)
            return Comparison(messages, answer if good else None, None if good else answer, row.origin)
        return Comparison(*compared_answers(values), row.origin)

    def fit(self, examples: Sequence[Comparison]) -> None:
        empty = empty_answers(example.rejected for example in examples)
        if empty is not None:
            self.note(empty)
        self.chat.fit([Conversation((*e.messages, answer), e.origin) for e in examples for answer in _answers(e)])

    def counted(self) -> list[str]:
        counts = (
            (self._unanswered, f"skipped: no answer begins within {self.max_length:,} tokens"),
            (self._alike, "skipped: chosen and rejected are the same answer, as far as they are read"),
        )
        return [*self._lengths.sentences(), *(f"{plural(count, 'row')} {what}" for count, what in counts if count)]

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.chat.notes, *super().notes)

    # ---- model ---------------------------------------------------------------------------------

    def build(self, source: ModelSource) -> nn.Module:
        model = self.chat.build(source)
        self._start_from(source)
        return model

    def _start_from(self, source: ModelSource) -> None:
        self._lengths = Lengths(self.max_length, self.data.too_long)
        self._reference = Reference(source.name, source.digest, self.chat.padding)
        self._base_digest = "" if source.base is None else source.base.digest

    def start_encoding(self, examples: Sequence[Comparison]) -> None:
        self._neighbours = examples

    def encode(self, example: Comparison, row: int) -> list[Encoded]:
        answers = _answers(example)
        rendered = [
            self.chat.render(Conversation((*example.messages, answer), example.origin))[-1] for answer in answers
        ]
        if not self._lengths.admit(max(len(one.ids) for one in rendered) - 1, example.origin):
            return []
        cut = [cut_answer(one, self.max_length) for one in rendered]
        if min(answer.tokens for answer in cut) < 1:
            self._unanswered += 1
            return []
        if len({answer.key for answer in cut}) < len(cut):
            self._alike += 1
            return []
        if not self._judges:
            return [_item(cut, row)]
        stand_in = self._stand_in(example, row) or cut[0]
        goods = [answer is example.chosen for answer in answers]
        return [_item([answer, stand_in], row, desirable=good) for answer, good in zip(cut, goods, strict=True)]

    def _stand_in(self, example: Comparison, row: int) -> Answer | None:
        """The next row's answer to this row's prompt; ``None`` where nothing of it fits."""
        other = _answers(self._neighbours[(row + 1) % len(self._neighbours)])[0]
        rendered = self.chat.render(Conversation((*example.messages, other), example.origin))[-1]
        cut = cut_answer(rendered, self.max_length)
        return cut if cut.tokens > 0 else None

    def before_training(
        self, model: nn.Module, splits: Mapping[str, Sequence[Encoded]], *, device: torch.device, precision: str
    ) -> None:
        if not self._compares or self._reference is None:
            return
        train = (answer for item in splits["train"] for answer in _split(item))
        held_out = (
            answer for name, items in splits.items() if name != "train" for item in items for answer in _split(item)
        )
        from tunesmith.tasks.supervised import plain_model

        config: Any = plain_model(model).config
        facts = (self.max_length, self._base_digest, getattr(config, "_attn_implementation", None))
        self.note(
            self._reference.learn(model, train, held_out, device=device, precision=precision, rendering=repr(facts))
        )

    def collate(self, items: Sequence[Encoded]) -> Batch:
        """``extra`` holds what ``represent`` and the loss need beside the tokens; two answers a row."""
        answers = [answer for item in items for answer in _split(item)]
        ids, labels = answer_batch(answers, self.chat.padding)
        keys = np.asarray([answer.key for answer in answers], dtype=np.int64).reshape(-1, 2)
        extra = {
            "keys": keys,
            "tokens": np.asarray([answer.tokens for answer in answers], dtype=np.int64).reshape(-1, 2),
            "starts": np.asarray([answer.start for answer in answers], dtype=np.int64).reshape(-1, 2),
            "lengths": np.asarray([len(answer.ids) for answer in answers], dtype=np.int64).reshape(-1, 2),
        }
        if "desirable" in items[0].features:
            extra["desirable"] = np.stack([item.features["desirable"] for item in items])
        return Batch(
            inputs={"input_ids": ids},
            labels=labels,
            targets=len(items),
            tokens=sum(item.length for item in items),
            rows=[item.row for item in items],
            extra=extra,
        )

    # ---- loss ----------------------------------------------------------------------------------

    def represent(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Log-probabilities of each row's two answers, float32 (R, 2)."""
        import torch

        ids, labels = batch.inputs["input_ids"], batch.labels
        if labels is None:
            raise ValueError("this batch has no labels, so it has no loss")
        if not self._judges:
            return answer_logprobs(model, ids, labels).view(-1, 2)
        own = answer_logprobs(model, ids[::2], labels[::2])
        with torch.no_grad():  # the estimate steers, it is not learned from
            other = answer_logprobs(model, ids[1::2], labels[1::2])
        return torch.stack([own, other], dim=1)

    def coupled_loss(self, representations: Sequence[torch.Tensor], batches: Sequence[Batch]) -> torch.Tensor:
        import torch

        logprobs = torch.cat(list(representations))
        columns = {
            "reference": [self._reference_of(batch) for batch in batches],
            "lengths": [batch.extra["tokens"] for batch in batches],
        }
        if self._judges:
            columns["desirable"] = [batch.extra["desirable"] for batch in batches]
        terms = preference_terms(logprobs, **{name: np.concatenate(parts) for name, parts in columns.items()})
        return self.chosen.total(terms, rows=len(logprobs))

    def _reference_of(self, batch: Batch) -> np.ndarray[Any, np.dtype[np.float32]]:
        """float32 (R, 2)."""
        keys = batch.extra["keys"]
        if not self._compares:
            return np.zeros(keys.shape, dtype=np.float32)
        assert self._reference is not None
        known = np.asarray(self._reference.of(keys.ravel().tolist()), dtype=np.float32)
        return known.reshape(keys.shape)  # type: ignore[no-any-return]

    # ---- answers -------------------------------------------------------------------------------

    def outputs(self, model: nn.Module, batch: Batch) -> list[Judged]:
        if self._compares and self._reference is not None:
            self._reference.complete(model, _answers_of(batch), batch.inputs["input_ids"].device)
        logprobs = self.represent(model, batch).tolist()
        columns: list[Any] = [logprobs, self._reference_of(batch).tolist(), batch.extra["tokens"].tolist()]
        columns.append(batch.extra["desirable"].tolist() if "desirable" in batch.extra else [None] * len(logprobs))
        return [
            Judged(tuple(own), tuple(before), tuple(tokens), desirable)
            for own, before, tokens, desirable in zip(*columns, strict=True)
        ]

    def score(self, outputs: Sequence[Judged], examples: Sequence[Comparison]) -> dict[str, float]:
        return preference_scores(self.chosen, outputs)

    def sections(self, outputs: Sequence[Judged], examples: Sequence[Comparison]) -> list[Section]:
        return widest_mistakes(self.chosen, outputs, examples)

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        objective = (self.objective if self._lost is not None else self.chosen.section).model_dump(mode="json")
        reference = {} if self._reference is None or not self._compares else self._reference.state()
        return {**self.chat.state(), "objective": objective, "reference": reference}

    def files(self) -> dict[str, bytes]:
        if self._reference is None or not self._compares:
            return {}
        return {FILE_NAME: self._reference.file()}

    def restore(self, state: Mapping[str, Any], source: ModelSource) -> nn.Module:
        model = self.chat.restore(state, source)
        self.restore_objective(state.get("objective"))
        self._start_from(source)
        saved = state.get("reference")
        if isinstance(saved, dict) and isinstance(saved.get("name"), str) and isinstance(saved.get("digest"), str):
            self._reference = Reference(saved["name"], saved["digest"], self.chat.padding)
        if self._reference is not None and source.folder is not None:
            self._reference.read(source.folder)
        return model


def _answers(example: Comparison) -> list[Message]:
    return [answer for answer in (example.chosen, example.rejected) if answer is not None]


def _item(answers: Sequence[Answer], row: int, *, desirable: bool | None = None) -> Encoded:
    features = {
        "input_ids": np.concatenate([answer.ids for answer in answers]),
        "lengths": np.asarray([len(answer.ids) for answer in answers], dtype=np.int32),
        "starts": np.asarray([answer.start for answer in answers], dtype=np.int32),
    }
    if desirable is not None:
        features["desirable"] = np.asarray(desirable)
    return Encoded(features, length=sum(len(answer.ids) - 1 for answer in answers), targets=1, row=row)


def _split(item: Encoded) -> list[Answer]:
    return split_answers(item.features["input_ids"], item.features["lengths"], item.features["starts"])


def _answers_of(batch: Batch) -> list[Answer]:
    """The answers of a batch, from its tensors: what is before the answer is read, the answer is labels."""
    ids, labels = batch.inputs["input_ids"].cpu().numpy(), batch.labels
    assert labels is not None
    last = labels.cpu().numpy()
    found = []
    for place, (length, start) in enumerate(
        zip(batch.extra["lengths"].ravel().tolist(), batch.extra["starts"].ravel().tolist(), strict=True)
    ):
        tokens = np.append(ids[place, : length - 1], last[place, length - 2]).astype(np.int32)
        found.append(Answer(tokens, start))
    return found
