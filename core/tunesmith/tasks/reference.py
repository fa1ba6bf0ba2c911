# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the model held of answers before training: computed once, so that no second model is in memory while it trains.

While a job runs, the log-probabilities of all its answers are known. They are kept in the cache under a key of all that
they depend on, so that a resumed or repeated job reads the same numbers. With the trained model go those of the
held-out rows. For other rows the reference is computed when it is needed: by the model without its adapter where the
adapter is what was trained, else by the model that training started from, loaded for it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.data.batches import batch_order
from tunesmith.data.cache import find_entry, making_entry, publish
from tunesmith.errors import ModelError, TunesmithError
from tunesmith.tasks.answers import Answer, answer_batch, answer_logprobs

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["FILE_NAME", "Reference"]

FILE_NAME = "reference.safetensors"
"""Beside the weights: keys int64 (N,) and log-probabilities float32 (N,) of the held-out rows' answers."""
KIND = "reference"
TOKENS_PER_BATCH = 4096
_log = logging.getLogger(__name__)


class Reference:
    """Log-probabilities of answers under the model that training starts from.

    Args:
        name: of that model, as the user wrote it.
        digest: of its weights; empty for a model from scratch, which cannot be loaded again.
        padding: token to pad with.
    """

    def __init__(self, name: str, digest: str, padding: int) -> None:
        self.name, self.digest, self._padding = name, digest, padding
        self._known: dict[int, float] = {}
        self._held_out: tuple[int, ...] = ()
        self._model: nn.Module | None = None

    def of(self, keys: Sequence[int]) -> list[float]:
        """Known log-probabilities.

        Raises:
            KeyError: of an answer that is not known.
        """
        return [self._known[key] for key in keys]

    def unknown(self, answers: Iterable[Answer]) -> list[Answer]:
        """Those of the answers that are not known, each once."""
        return list({answer.key: answer for answer in answers if answer.key not in self._known}.values())

    # ---- before training -----------------------------------------------------------------------

    def learn(
        self,
        model: nn.Module,
        train: Iterable[Answer],
        held_out: Iterable[Answer],
        *,
        device: torch.device,
        precision: str,
        rendering: str,
    ) -> str:
        """Compute every answer's log-probability, or read them from the cache; gives a sentence about which.

        Args:
            model: in place, as training starts with it.
            train: answers of the rows to learn from.
            held_out: of the others; these go with the trained model.
            device: where the model is.
            precision: of training.
            rendering: all else that decides what the model is given or computes, as text.
        """
        kept = {answer.key: answer for answer in held_out}
        answers = {**{answer.key: answer for answer in train}, **kept}
        self._held_out = tuple(kept)
        keys = np.fromiter(answers, dtype=np.int64, count=len(answers))
        key = self._cache_key(keys, device, precision, rendering)
        values = self._cached(key, keys)
        how = "read from the cache"
        if values is None:
            how = "computed with the model as it is before training"
            values = _compute(model, list(answers.values()), self._padding, device, precision)
            self._keep(key, keys, values)
        self._known.update(zip(keys.tolist(), values.tolist(), strict=True))
        return f"reference log-probabilities of {len(keys):,} answers {how}"

    def _cache_key(
        self, keys: np.ndarray[Any, Any], device: torch.device, precision: str, rendering: str
    ) -> str | None:
        if not self.digest:
            return None
        import torch
        import transformers

        facts = (self.digest, rendering, precision, device.type, TOKENS_PER_BATCH, torch.get_num_threads())
        versions = (torch.__version__, transformers.__version__)
        digest = hashlib.sha256(repr((*facts, *versions)).encode())
        digest.update(keys.tobytes())
        return digest.hexdigest()

    def _cached(self, key: str | None, keys: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
        from safetensors.numpy import load_file

        entry = find_entry(KIND, key) if key is not None else None
        if entry is None:
            return None
        tensors = load_file(entry / FILE_NAME)
        same = np.array_equal(tensors["keys"], keys)
        return tensors["logprobs"] if same else None

    def _keep(self, key: str | None, keys: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> None:
        if key is None:
            return
        try:
            with making_entry(KIND, key) as folder:
                if folder is not None:
                    (folder / FILE_NAME).write_bytes(_table(keys, values))
                    publish(folder, {"model": self.name, "answers": len(keys)})
        except OSError as error:
            _log.warning("the reference log-probabilities are not cached: %s", error)

    # ---- with the trained model ----------------------------------------------------------------

    def state(self) -> dict[str, str]:
        """Which model it is, as JSON."""
        return {"name": self.name, "digest": self.digest}

    def file(self) -> bytes:
        """What goes with the trained model: the table of the held-out rows' answers."""
        keys = np.asarray(self._held_out, dtype=np.int64)
        return _table(keys, np.asarray(self.of(self._held_out), dtype=np.float32))

    def read(self, folder: Path) -> None:
        """Take in the table that went with the model, where there is one.

        Raises:
            ModelError: the file is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = folder / FILE_NAME
        if not file.is_file():
            return
        try:
            tensors = load_file(file)
            self._known.update(zip(tensors["keys"].tolist(), tensors["logprobs"].tolist(), strict=True))
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise ModelError(
                f"{file} cannot be read",
                given=str(error),
                expected="the table that was saved with the model",
                fix="delete the file: it is computed again where it is needed",
            ) from error

    def complete(self, model: nn.Module, answers: Iterable[Answer], device: torch.device) -> None:
        """Compute what is not known yet of these answers.

        Args:
            model: the trained model.
            device: where it is.

        Raises:
            ModelError: the model that training started from cannot be had.
        """
        missing = self.unknown(answers)
        if not missing:
            return
        with self._started_from(model, device) as base:
            values = _compute(base, missing, self._padding, device, "fp32")
        self._known.update(zip([answer.key for answer in missing], values.tolist(), strict=True))

    @contextmanager
    def _started_from(self, model: Any, device: torch.device) -> Iterator[nn.Module]:
        adapted = hasattr(model, "disable_adapter")
        if adapted and getattr(model.get_base_model(), "_tunesmith_digest", None) == self.digest:
            with model.disable_adapter():
                yield model
            return
        if self._model is None:
            self._model = self._load().to(device)
        yield self._model

    def _load(self) -> nn.Module:
        from tunesmith import models
        from tunesmith.registry import get_registry

        fix = "score rows that were held out when the model was trained: what they need is saved with it"
        if not self.digest:
            raise ModelError(
                "the reference model of these rows cannot be loaded",
                given=f"{self.name}: a model from scratch, whose first weights nobody kept",
                expected="a model that training started from, as saved",
                fix=fix,
            )
        try:
            source = models.find_model_by_name(self.name, get_registry())
        except TunesmithError as error:
            raise ModelError(
                f"the reference model of these rows cannot be found: {error.what}",
                given=self.name,
                expected="the model that training started from, where it was",
                fix=(fix, "or bring the model back to where it was"),
            ) from error
        if source.digest != self.digest:
            raise ModelError(
                "the reference model of these rows is not what it was",
                given=f"{self.name} with the weights {source.digest}",
                expected=f"the weights that training started from, {self.digest}",
                fix=(fix, "or bring these weights back"),
            )
        model: nn.Module = models.load_weights(source, "causal-lm")
        return model


def _compute(
    model: nn.Module, answers: Sequence[Answer], padding: int, device: torch.device, precision: str
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Log-probabilities float32 (N,), the model in evaluation mode and afterwards as it was."""
    import torch

    values = np.zeros(len(answers), dtype=np.float32)
    lengths = np.asarray([len(answer.ids) for answer in answers], dtype=np.int64)
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        for places in batch_order(lengths, tokens=TOKENS_PER_BATCH, rows=None, seed=0, epoch=0, shuffle=False):
            ids, labels = answer_batch([answers[place] for place in places.tolist()], padding)
            bf16 = torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision != "fp32")
            with torch.inference_mode(), bf16:
                values[places] = answer_logprobs(model, ids.to(device), labels.to(device)).cpu().numpy()
    finally:
        for module, training in modes.items():
            module.training = training
    return values


def _table(keys: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> bytes:
    from safetensors.numpy import save

    table: bytes = save({"keys": keys, "logprobs": values.astype(np.float32)})
    return table
