# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a golden set asks of a model, in whatever form it is.

``Probe`` asks a torch module; a form that answers by other means (ONNX Runtime, llama.cpp) overrides what it does
by itself.

Shapes: S steps of an answer, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunesmith.engine.inputs import parse_inputs
from tunesmith.engine.sampling import not_a_number
from tunesmith.models.methods import evaluation_mode
from tunesmith.tasks.base import Encoded, Task
from tunesmith.tasks.lengths import position_limit

__all__ = ["Probe"]

_NO_FIGURES = frozenset({"loss", "losses", "logits"})
"""Losses hang on the row's label, which only some golden rows have; logits are told as probabilities already."""
_FAR = 1e30
"""In place of infinity (no further span), which JSON has not and whose difference from itself is no number."""


class Probe:
    """A task and its network, asked row by row.

    Args:
        task: renders rows and reads what the network says.
        model: a torch module on any device.
    """

    def __init__(self, task: Task[Any, Any], model: Any) -> None:
        self.task = task
        self.model = model
        language: Any = task  # tasks that generate have more than the common contract
        self._start: tuple[int, ...] = language.decoder_start() if hasattr(task, "decoder_start") else ()

    # ---- models that write ---------------------------------------------------------------------

    def prompt_ids(self, prompt: str | Sequence[Mapping[str, Any]]) -> list[int]:
        """The tokens that an answer goes on from."""
        language: Any = self.task
        return list(language.prompt_tokens(prompt))

    def room(self, ids: Sequence[int]) -> int:
        """How many tokens an answer to this prompt may have."""
        language: Any = self.task
        context = position_limit(self.model, language.tokenizer)
        return 2**31 if context is None else context - (len(self._start) if self._start else len(ids))

    def greedy(self, ids: Sequence[int], longest: int) -> list[int]:
        """The likeliest token, again and again, with the stop token if one comes."""
        import torch

        from tunesmith.engine.decoding import Continuing, Translating

        language: Any = self.task
        stop = language.stop_tokens()
        tokens: list[int] = []
        with torch.inference_mode(), evaluation_mode(self.model):
            decoding = Translating(self.model, [ids], self._start) if self._start else Continuing(self.model, [ids])
            logits = decoding.first()
            while True:
                token = logits[0].argmax()
                tokens.append(int(token))
                if tokens[-1] in stop or len(tokens) == longest:
                    return tokens
                logits = decoding.next(token[None])

    def logprobs(self, ids: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float32]:
        """Log-probabilities in nats before each of ``tokens``, those before it given: float32 (S, V)."""
        import torch

        device = next(self.model.parameters()).device
        start = self._start or tuple(ids)
        answer = torch.tensor([[*start, *tokens[:-1]]], device=device)
        with torch.inference_mode(), evaluation_mode(self.model):
            if self._start:
                out = self.model(input_ids=torch.tensor([list(ids)], device=device), decoder_input_ids=answer)
            else:
                out = self.model(input_ids=answer)
            steps = out.logits[0, len(start) - 1 :].float().log_softmax(-1)
        array: NDArray[np.float32] = steps.cpu().numpy()
        if np.isnan(array).any():
            raise not_a_number()
        return array

    # ---- all others ----------------------------------------------------------------------------

    def encode(self, values: Mapping[str, Any]) -> list[Encoded]:
        """A row as the network's input."""
        return self.task.encode(parse_inputs(self.task, [values])[0], 0)

    def numbers(self, item: Encoded) -> NDArray[np.float64]:
        """Probabilities, scores, or a vector: every floating point figure of the task's output, one after the other.

        Of token classification it is the probability of every tag of every token.
        """
        return self.numbers_together([item])[0]

    def numbers_together(self, items: Sequence[Encoded]) -> list[NDArray[np.float64]]:
        """The same of several inputs in one batch, padded to the longest."""
        import torch

        from tunesmith.tasks.token_classification import TokenClassification

        batch = self.task.collate(items)
        parameter = next(self.model.parameters(), None)
        if parameter is not None:
            batch = batch.to(parameter.device)
        with torch.inference_mode(), evaluation_mode(self.model):
            if isinstance(self.task, TokenClassification):
                tags = self.model(**batch.inputs).logits.float().softmax(-1).cpu().numpy()
                return [
                    _finite(row[: item.length].astype(np.float64).ravel())
                    for row, item in zip(tags, items, strict=True)
                ]
            outputs = self.task.outputs(self.model, batch)
        return [_finite(_figures(output)) for output in outputs]


def _figures(output: Any) -> NDArray[np.float64]:
    if is_dataclass(output):
        values = [getattr(output, field.name) for field in fields(output) if field.name not in _NO_FIGURES]
    else:
        values = [output]  # a plugin's task may answer with an array or a number
    figures = [np.asarray(value, dtype=np.float64).ravel() for value in values if _floats(value)]
    return np.concatenate(figures) if figures else np.zeros(0)


def _finite(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.isnan(numbers).any():
        raise not_a_number()
    return numbers.clip(-_FAR, _FAR)


def _floats(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return np.issubdtype(value.dtype, np.floating)
    if isinstance(value, (tuple, list)):
        return bool(value) and all(isinstance(one, float) for one in value)
    return isinstance(value, (float, np.floating))
