# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Answers behind prompts as tokens, and how likely a model finds them.

Shapes: S answers, each with its prompt a sequence; L length in tokens. A sequence holds L + 1 tokens: the first L are
read, the last L are predicted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.tasks.chat_template import Rendered
from tunesmith.tasks.text import pad_right

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Answer", "answer_batch", "answer_logprobs", "cut_answer", "split_answers"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A prompt and its answer as tokens.

    Attributes:
        ids: int32 (L + 1,); ends with the answer's stop token, unless it was cut.
        start: index of the answer's first token, at least 1.
    """

    ids: np.ndarray[Any, np.dtype[np.int32]]
    start: int

    @property
    def tokens(self) -> int:
        """Tokens of the answer; 0 or less where nothing of it was left."""
        return len(self.ids) - self.start

    @property
    def key(self) -> int:
        """A number that stands for prompt and answer."""
        digest = hashlib.blake2b(self.ids.tobytes(), digest_size=8, salt=self.start.to_bytes(8, "little"))
        return int.from_bytes(digest.digest(), "little", signed=True)


def cut_answer(rendered: Rendered, max_length: int) -> Answer:
    """The last answer of a conversation, and what is before it as its prompt; at most ``max_length + 1`` tokens."""
    before = np.flatnonzero(~rendered.supervised)
    start = max(1, int(before[-1]) + 1 if len(before) else 0)
    return Answer(rendered.ids[: max_length + 1], start)


def split_answers(
    ids: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], starts: np.ndarray[Any, Any]
) -> list[Answer]:
    """Answers whose tokens stand one behind the other."""
    parts = np.split(ids, lengths.cumsum()[:-1])
    return [Answer(part, start) for part, start in zip(parts, starts.tolist(), strict=True)]


def answer_batch(answers: Sequence[Answer], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and labels, int64 (S, L), padded on the right: a token never sees what comes after it."""
    labels = []
    for answer in answers:
        row = answer.ids[1:].astype(np.int64)
        row[: answer.start - 1] = -100
        labels.append(row)
    return pad_right([answer.ids[:-1] for answer in answers], padding), pad_right(labels, -100)


def answer_logprobs(model: nn.Module, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Log-probability of every answer, float32 (S,): the sum over its tokens, with logits at those places alone."""
    import torch
    from torch.nn import functional

    from tunesmith.tasks.supervised import IGNORED, labelled_logits

    logits, wanted = labelled_logits(model, {"input_ids": ids}, labels)
    losses = functional.cross_entropy(logits.float(), wanted, reduction="none")
    rows = (labels != IGNORED).nonzero()[:, 0]
    return torch.zeros(len(ids), dtype=torch.float32, device=ids.device).index_add(0, rows, -losses)
