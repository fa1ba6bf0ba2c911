# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What llama.cpp itself says of a GGUF file, where llama-cpp-python is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tunesmith.evaluate.golden import Golden
from tunesmith.evaluate.probe import Probe
from tunesmith.export.parity import TOLERANCES, Finding, Tolerance, compare_golden

if TYPE_CHECKING:
    from tunesmith.export.gguf_check import FileProbe
    from tunesmith.export.subject import Subject

__all__ = ["LlamaCppProbe", "check_llama_cpp"]

_COARSE = Tolerance(logprob=0.5, number=1.0)
"""llama.cpp rounds what flows between layers to 16 or 8 bits on the way, also over whole weights."""


class LlamaCppProbe(Probe):
    """llama.cpp, asked for tokens and logits.

    Args:
        file: the model.
        words: how prompts are written.
        context: tokens that it makes room for.
    """

    def __init__(self, subject: Subject, file: Path, words: FileProbe, context: int) -> None:
        super().__init__(subject.task, subject.module)
        self._words = words
        library = import_module("llama_cpp")
        self.llama: Any = library.Llama(str(file), n_ctx=context, n_batch=context, logits_all=True, verbose=False)

    def prompt_ids(self, prompt: str | Sequence[Mapping[str, Any]]) -> list[int]:
        text = self._words.prompt_text(prompt)
        language: Any = self.task
        start = language.tokenizer.bos_token
        begun = start is not None and text.startswith(start)  # its server takes a second start token out again
        ids: list[int] = self.llama.tokenize(text.encode("utf-8"), add_bos=not begun, special=True)
        return ids

    def logprobs(self, ids: Sequence[int], tokens: Sequence[int]) -> NDArray[np.float32]:
        self.llama.reset()
        self.llama.eval([*ids, *tokens[:-1]])
        logits = np.asarray(self.llama.scores[len(ids) - 1 : len(ids) + len(tokens) - 1], dtype=np.float64)
        shifted = logits - logits.max(-1, keepdims=True)
        logprobs: NDArray[np.float32] = (shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))).astype(np.float32)
        return logprobs


def check_llama_cpp(subject: Subject, file: Path, golden: Golden, precision: str, words: FileProbe) -> list[Finding]:
    """The golden set, by llama.cpp."""
    try:
        import_module("llama_cpp")
    except ImportError:
        return [Finding("llama.cpp", None, "not asked: llama-cpp-python is not installed")]
    tolerance = max(_COARSE, TOLERANCES[precision], key=lambda one: one.logprob)
    context = max(len(text.ids) + len(text.tokens) for text in golden.texts)
    probe = LlamaCppProbe(subject, file, words, context)
    found = compare_golden(golden, probe, tolerance, rendering=False).findings(tolerance)
    return [Finding(f"llama.cpp: {finding.name}", finding.holds, finding.detail) for finding in found]
