# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What plain text and chat have in common: next-token loss, its figures, and what an engine needs.

Shapes: R rows of a batch, L length in tokens.

An encoded item holds L + 1 tokens: the first L are read, the last L are predicted. The feature ``supervised`` says
which tokens carry a loss; without it all but the first do.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np

from tunesmith.recipe.schema import DataSection
from tunesmith.tasks.base import Batch, Encoded, Metric, Task
from tunesmith.tasks.lengths import choose_max_length, position_limit
from tunesmith.tasks.state import state_int, state_ints
from tunesmith.tasks.text import check_vocabulary, pad_right, padding_token

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tunesmith.models.architectures import Head
    from tunesmith.models.source import ModelSource

__all__ = ["LANGUAGE_METRICS", "LanguageModel", "TokenLoss", "perplexity"]

X = TypeVar("X")

GENERATION_KEYS = ("temperature", "top_k", "top_p")

LANGUAGE_METRICS = (
    Metric(name="loss", greater_is_better=False, summary="mean cross-entropy per predicted token, nats"),
    Metric(name="perplexity", greater_is_better=False, summary="exp(loss)"),
    Metric(name="accuracy", greater_is_better=True, summary="share of predicted tokens that were the most likely one"),
)


@dataclass(frozen=True, slots=True)
class TokenLoss:
    """What a language model says about one item.

    Attributes:
        loss_sum: summed cross-entropy, nats.
        tokens: predicted tokens.
        correct: how many of them were the most likely one.
        bytes: UTF-8 bytes of the predicted text; 0 where the task does not say.
        span: first and last character (exclusive) of the predicted text; (0, 0) where the task does not say.
    """

    loss_sum: float
    tokens: int
    correct: int
    bytes: int = 0
    span: tuple[int, int] = (0, 0)

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.loss_sum / self.tokens


class LanguageModel(Task[X, TokenLoss]):
    """A task that learns to go on from what came before."""

    metrics: ClassVar[tuple[Metric, ...]] = LANGUAGE_METRICS
    generates = True
    head: ClassVar[Head] = "causal-lm"
    """What kind of model it needs."""
    prompt_form: ClassVar[Literal["opening", "messages", "source"]] = "opening"
    """What a prompt is: a text to go on with, a conversation to answer, or a text to write the target of."""
    default_max_length: int = 1024  # type: ignore[misc]

    def __init__(self, data: DataSection) -> None:
        super().__init__(data)
        self.tokenizer: Any = None
        self.max_length = self.default_max_length
        self.generation: dict[str, float] = {}
        """Sampling settings that came with the model: any of temperature, top_k, top_p; empty where it names none."""
        self._stop_tokens: frozenset[int] = frozenset()
        self._padding = 0
        self._training: Sequence[X] | None = None

    def fit(self, examples: Sequence[X]) -> None:
        self._training = examples

    # ---- for engines ---------------------------------------------------------------------------

    @property
    def padding(self) -> int:
        """The token to pad with."""
        return self._padding

    def stop_tokens(self) -> frozenset[int]:
        """Tokens that end an answer; they are not part of it."""
        return self._stop_tokens

    @abstractmethod
    def prompt_tokens(self, prompt: Any) -> list[int]:
        """The tokens an answer goes on from, exactly as training had them; at least one."""

    # ---- model ---------------------------------------------------------------------------------

    def bind(self, source: ModelSource, tokenizer: Any, max_length: int | None) -> nn.Module:
        """Load the weights and set up everything that follows from model and tokenizer."""
        from tunesmith import models

        config = {} if source.scratch is None else self.new_config(tokenizer)
        model: nn.Module = models.load_weights(source, self.head, **config)
        check_vocabulary(model, tokenizer, source.name)
        self.tokenizer = tokenizer
        self._padding = padding_token(tokenizer, model.config)
        self.max_length = choose_max_length(max_length, self.default_max_length, position_limit(model, tokenizer))
        settings: Any = getattr(model, "generation_config", None)
        self._stop_tokens = _end_tokens(tokenizer, settings)
        self.generation = _sampling(settings)
        return model

    def new_config(self, tokenizer: Any) -> dict[str, Any]:
        """What the configuration of an untrained model takes from its tokenizer."""
        names = ("bos_token_id", "eos_token_id", "pad_token_id")
        return {name: token for name in names if isinstance(token := getattr(tokenizer, name), int)}

    def collate(self, items: Sequence[Encoded]) -> Batch:
        """Pads on the right, without an attention mask: a token never sees what comes after it."""
        tokens = [item.features["input_ids"] for item in items]
        extra_names = [name for name in items[0].features if name not in ("input_ids", "supervised")]
        return Batch(
            inputs={"input_ids": pad_right([row[:-1] for row in tokens], self._padding)},
            labels=pad_right([_labels(item) for item in items], -100),
            targets=sum(item.targets for item in items),
            tokens=sum(len(row) - 1 for row in tokens),
            rows=[item.row for item in items],
            extra={name: np.stack([item.features[name] for item in items]) for name in extra_names},
        )

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        from tunesmith.tasks.supervised import summed_loss

        if batch.labels is None:
            raise ValueError("this batch has no labels, so it has no loss")
        return summed_loss(model, self.model_inputs(model, batch), batch.labels)

    def outputs(self, model: nn.Module, batch: Batch) -> list[TokenLoss]:
        from tunesmith.tasks.supervised import token_losses

        if batch.labels is None:
            raise ValueError("this batch has no labels, so it has no loss")
        losses = token_losses(model, self.model_inputs(model, batch), batch.labels)
        columns = [column.tolist() for column in losses]
        count = len(batch.rows)
        columns.append(batch.extra["bytes"].tolist() if "bytes" in batch.extra else [0] * count)
        spans = batch.extra["span"].tolist() if "span" in batch.extra else [(0, 0)] * count
        columns.append([(int(first), int(last)) for first, last in spans])
        return [TokenLoss(*parts) for parts in zip(*columns, strict=True)]

    # ---- scores --------------------------------------------------------------------------------

    def score(self, outputs: Sequence[TokenLoss], examples: Sequence[X]) -> dict[str, float]:
        """Over all predicted tokens together, so that it does not matter how texts were cut."""
        tokens = sum(output.tokens for output in outputs)
        if not tokens:
            raise ValueError("there is no predicted token to score")
        loss = math.fsum(output.loss_sum for output in outputs) / tokens
        correct = sum(output.correct for output in outputs)
        return {"loss": loss, "perplexity": perplexity(loss), "accuracy": correct / tokens}

    # ---- what is saved with the model ----------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "max_length": self.max_length,
            "stop_tokens": sorted(self._stop_tokens),
            "generation": dict(self.generation),
        }

    def restore_settings(self, state: Mapping[str, Any]) -> None:
        """What ``state`` saved beside the maximum length; nothing where nothing was saved."""
        if "stop_tokens" in state:
            self._stop_tokens = frozenset(state_ints(state, "stop_tokens"))
        saved = state.get("generation")
        if isinstance(saved, dict):
            self.generation = {key: saved[key] for key in GENERATION_KEYS if type(saved.get(key)) in (int, float)}

    def saved_max_length(self, state: Mapping[str, Any]) -> int | None:
        """``max_length`` as saved; the recipe's where nothing was saved."""
        return state_int(state, "max_length") if "max_length" in state else self.data.max_length


def perplexity(loss: float) -> float:
    """``exp(loss)``; infinite where that is too large to write down."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def _labels(item: Encoded) -> np.ndarray[Any, Any]:
    labels = item.features["input_ids"][1:]
    if "supervised" not in item.features:
        return labels
    return np.where(item.features["supervised"][1:], labels, -100)


def _end_tokens(tokenizer: Any, settings: Any) -> frozenset[int]:
    named = getattr(settings, "eos_token_id", None)
    named = named if isinstance(named, (list, tuple)) else [named]
    return frozenset(token for token in (*named, tokenizer.eos_token_id) if isinstance(token, int) and token >= 0)


def _sampling(settings: Any) -> dict[str, float]:
    """Settings apply only where the model's makers meant sampling: with ``do_sample`` off they are inert."""
    if not getattr(settings, "do_sample", False):
        return {}
    values = {key: getattr(settings, key, None) for key in GENERATION_KEYS}
    return {key: value for key, value in values.items() if isinstance(value, (int, float))}
