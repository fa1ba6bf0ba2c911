# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A GGUF file read back: every weight, the vocabulary, how text is split, and the golden set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunesmith.evaluate.golden import Golden
from tunesmith.evaluate.probe import Probe
from tunesmith.export.gguf_arch import layout_of
from tunesmith.export.gguf_file import library
from tunesmith.export.gguf_vocab import vocabulary_of
from tunesmith.export.llama_cpp import check_llama_cpp
from tunesmith.export.parity import TOLERANCES, Finding, compare_golden
from tunesmith.export.pieces import Pieces
from tunesmith.export.subject import Subject

__all__ = ["STRESS", "check_gguf", "read_fields"]

_FAR = {"fp32": 0.0, "fp16": 1e-3, "bf16": 0.0, "int8": 0.01, "int4": 0.15}
"""Greatest relative error of a tensor: the root of the mean square of the error by that of the weights."""

STRESS = (
    "Hello, world!  Two  spaces,\ttabs\nand\n\n\nlines.",
    "It's 12345.678 € – we'll've DON'T they'RE",
    " leading and trailing ",
    "naïve café, Größe, Straße; Привет; 你好，世界; こんにちは; مرحبا; 🙂🙂👩‍👩‍👧",
    "def f(x):\n    return x**2  # 1234567890\r\n",
    "<|not a token|> <s> </s> [INST]",
)


def check_gguf(subject: Subject, file: Path, quantize: str | None, golden: Golden) -> list[Finding]:
    """Read a file back and hold it against the merged model; then give the model the file's weights.

    Changes ``subject.module``: it computes with what is in the file afterwards.
    """
    reader = library().GGUFReader(file)
    fields = read_fields(reader)
    precision = quantize or subject.precision
    findings = [_vocabulary(subject, fields), _splitting(subject, fields), _weights(subject, reader, precision)]
    tolerance = TOLERANCES[precision]
    if not len(golden):
        return [*findings, Finding("golden rows", None, "there are no rows to compare with")]
    probe = FileProbe(subject, fields)
    findings += compare_golden(golden, probe, tolerance, rendering=False).findings(tolerance)
    return [*findings, *check_llama_cpp(subject, file, golden, precision, probe)]


def read_fields(reader: Any) -> dict[str, Any]:
    """Every key of a file and its value."""
    return {name: field.contents() for name, field in reader.fields.items()}


class FileProbe(Probe):
    """The model with the file's weights, asked in the file's words: its template, its tokens."""

    def __init__(self, subject: Subject, fields: Mapping[str, Any]) -> None:
        super().__init__(subject.task, subject.module)
        self._template = fields.get("tokenizer.chat_template")
        self._pieces = Pieces(_tokenizer_fields(fields))

    def prompt_ids(self, prompt: str | Sequence[Mapping[str, Any]]) -> list[int]:
        return self._pieces.encode(self.prompt_text(prompt))

    def prompt_text(self, prompt: str | Sequence[Mapping[str, Any]]) -> str:
        """A prompt as llama.cpp would write it before it splits it."""
        if isinstance(prompt, str) and self._template is None:
            return prompt
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        language: Any = self.task
        text: str = language.tokenizer.apply_chat_template(
            messages, chat_template=self._template, tokenize=False, add_generation_prompt=True
        )
        return text


def _tokenizer_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    start = "tokenizer.ggml."
    return {name.removeprefix(start): value for name, value in fields.items() if name.startswith(start)}


def _vocabulary(subject: Subject, fields: Mapping[str, Any]) -> Finding:
    found, wanted = _tokenizer_fields(fields), vocabulary_of(subject)
    names = {"unk": "unknown", "pad": "padding"}
    wrong = [name for name, token in wanted.special.items() if found.get(f"{names.get(name, name)}_token_id") != token]
    tokens, pieces = list(found["tokens"]), Pieces(found)
    known = subject.tokenizer.get_vocab()
    odd = sum(1 for token, number in known.items() if tokens[number] != token or pieces.ids[token] != number)
    detail = f"{len(known):,} tokens and {len(wanted.special)} special ones"
    if wrong or odd:
        return Finding("vocabulary", False, f"{odd:,} of {detail} differ; special: {', '.join(wrong) or 'alike'}")
    return Finding("vocabulary", True, f"{detail} have their ids")


def _splitting(subject: Subject, fields: Mapping[str, Any]) -> Finding:
    """Texts that are hard to split, by the file's own words and by the tokenizer."""
    pieces = Pieces(_tokenizer_fields(fields) | {"add_bos_token": False})
    lone = vocabulary_of(subject).lone_space
    texts = [text for text in STRESS if not (lone and text.startswith(" "))]
    wrong = [text for text in texts if pieces.encode(text) != _ids(subject, text)]
    if wrong:
        return Finding("splitting", False, f"{len(wrong)} of {len(texts)} texts become other tokens, e.g. {wrong[0]!r}")
    return Finding("splitting", True, f"{len(texts)} texts become the same tokens")


def _ids(subject: Subject, text: str) -> list[int]:
    ids: list[int] = subject.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def _weights(subject: Subject, reader: Any, precision: str) -> Finding:
    import torch

    layout = layout_of(subject)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    state, far, worst = subject.module.state_dict(), 0.0, ""
    for tensor in layout.tensors:
        parameter = state[tensor.parameter]
        numbers = torch.from_numpy(_dequantized(stored.pop(tensor.name)))
        read = tensor.back(numbers.reshape(parameter.shape)).to(parameter.device)
        if subject.precision != "fp32":
            parameter.copy_(parameter.to(torch.float16 if subject.precision == "fp16" else torch.bfloat16))
        scale = float(parameter.double().square().mean().sqrt()) or 1.0
        error = float((read.double() - parameter.double()).square().mean().sqrt()) / scale
        if not error <= far:
            far, worst = error, tensor.name
        parameter.copy_(read)
    stored.pop("rope_freqs.weight", None)
    detail = f"{len(layout.tensors)} tensors read back, at most {far:.2g} from the model's"
    detail += f" ({worst})" if worst else ""
    detail += f" (allowed: {_FAR[precision]:g})"
    return Finding("weights", far <= _FAR[precision] and not stored, detail)


def _dequantized(tensor: Any) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = library().quants.dequantize(tensor.data, tensor.tensor_type)
    return np.array(numbers, dtype=np.float32)
