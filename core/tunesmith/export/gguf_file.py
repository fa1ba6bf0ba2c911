# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``gguf``: one file for llama.cpp and everything that stands on it, and a ``Modelfile`` for Ollama."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError
from tunesmith.evaluate.golden import Golden
from tunesmith.export.gguf_arch import Layout, layout_of
from tunesmith.export.gguf_vocab import Vocabulary, vocabulary_of
from tunesmith.export.modelfile import modelfile
from tunesmith.export.parity import Finding
from tunesmith.export.pieces import NO_MERGE
from tunesmith.export.subject import Subject

if TYPE_CHECKING:
    import numpy as np

__all__ = ["FILE", "Gguf", "library", "plain_template"]

FILE = "model.gguf"
_WHOLE = {"fp32": "F32", "fp16": "F16", "bf16": "BF16", "int8": "Q8_0", "int4": "Q4_0"}
_FILE_TYPES = {"fp32": 0, "fp16": 1, "bf16": 32, "int8": 7, "int4": 2}
"""``general.file_type``: LlamaFileType of ``gguf-py/gguf/constants.py``."""
_BLOCK = 32  # numbers of a row that share a scale, in Q8_0 and Q4_0
_WIDE = ("token_embd.weight", "output.weight")
_GENERATION = re.compile(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}")


class Gguf:
    """Weights in one of llama.cpp's types, with tokenizer, chat template and stop tokens."""

    def write(self, subject: Subject, folder: Path, quantize: str | None) -> None:
        from tunesmith.tasks.rendering import save_task

        gguf = library()
        subject.merge()
        layout, vocabulary = layout_of(subject), vocabulary_of(subject)
        writer = gguf.GGUFWriter(folder / FILE, layout.architecture)
        _add_facts(writer, subject, layout, quantize or subject.precision, gguf)
        _add_vocabulary(writer, vocabulary)
        template = plain_template(subject)
        if template is not None:
            writer.add_chat_template(template)
        try:
            _write_tensors(writer, subject, layout, quantize or subject.precision, gguf)
        except OSError as error:
            if error.errno is None:  # numpy tells how much was written of how much, and not why it was less
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise
        finally:
            writer.close()
        text, notes = modelfile(subject, FILE, template=template, adds_bos=vocabulary.add_bos)
        (folder / "Modelfile").write_text(text, encoding="utf-8")
        save_task(subject.task, folder, registry=subject.registry)
        for note in notes:
            subject.note(note)

    def check(self, subject: Subject, folder: Path, quantize: str | None, golden: Golden) -> Sequence[Finding]:
        from tunesmith.export.gguf_check import check_gguf

        return check_gguf(subject, folder / FILE, quantize, golden)


def library() -> Any:
    """The package ``gguf``.

    Raises:
        ModelError: it is not installed.
    """
    try:
        return import_module("gguf")
    except ImportError as error:
        raise ModelError(
            "writing GGUF needs the package gguf",
            given=str(error),
            expected="gguf beside tunesmith",
            fix="pip install 'tunesmith[gguf]'",
        ) from error


def plain_template(subject: Subject) -> str | None:
    """The chat template, for programs that know Jinja and nothing of transformers' marks around answers.

    ``None`` for a model that goes on with plain text, whatever its tokenizer brought along.
    """
    if getattr(subject.task, "prompt_form", "") != "messages":
        return None
    template: str = subject.tokenizer.get_chat_template()
    return _GENERATION.sub(lambda tag: f"{{%{tag[1]} {'endif' if tag[2] else 'if true'} {tag[3]}%}}", template)


def _add_facts(writer: Any, subject: Subject, layout: Layout, precision: str, gguf: Any) -> None:
    writer.add_type("model")
    writer.add_name(Path(subject.name).name)
    writer.add_file_type(_FILE_TYPES[precision])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for key, value in layout.numbers.items():
        name = f"{layout.architecture}.{key}"
        if isinstance(value, str):
            writer.add_string(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_uint32(name, value)


def _add_vocabulary(writer: Any, vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.types))
    if vocabulary.model == "llama":
        writer.add_token_scores(list(vocabulary.scores))
        writer.add_add_space_prefix(vocabulary.space_prefix)
    else:
        writer.add_token_merges(list(vocabulary.merges) or [NO_MERGE])
    for name, token in vocabulary.special.items():
        key = {"unk": "unknown", "pad": "padding"}.get(name, name)
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", token)
    writer.add_add_bos_token(vocabulary.add_bos)
    writer.add_add_eos_token(False)


def _type_of(name: str, shape: Sequence[int], precision: str) -> str:
    """llama.cpp wants norms and biases in F32; rows that are no whole number of blocks stay in F16."""
    if len(shape) < 2:
        return "F32"
    if precision in ("int8", "int4") and shape[-1] % _BLOCK:
        return "F16"
    if precision == "int4" and name in _WIDE:  # four bits of these cost more than they save
        return "Q8_0"
    return _WHOLE[precision]


def _write_tensors(writer: Any, subject: Subject, layout: Layout, precision: str, gguf: Any) -> None:
    """One after the other: the file may be as large as the memory."""
    import torch

    state = subject.module.state_dict()
    types: dict[str, Any] = {}
    if layout.rope_factors is not None:
        factors = layout.rope_factors.numpy()
        writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
    for tensor in layout.tensors:
        shape = tuple(state[tensor.parameter].shape)
        kind = gguf.GGMLQuantizationType[_type_of(tensor.name, shape, precision)]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        count = state[tensor.parameter].numel() // block * size
        types[tensor.name] = kind
        writer.add_tensor_info(tensor.name, shape, _float32(), count, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    if layout.rope_factors is not None:
        writer.write_tensor_data(layout.rope_factors.numpy())
    stored = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[subject.precision]
    for tensor in layout.tensors:
        # As they are stored, so that the file holds what --to merged would.
        weight = tensor.there(state[tensor.parameter].detach().cpu().to(stored).float()).contiguous()
        writer.write_tensor_data(gguf.quants.quantize(weight.numpy(), types[tensor.name]))


def _float32() -> np.dtype[np.float32]:
    import numpy as np

    return np.dtype(np.float32)
