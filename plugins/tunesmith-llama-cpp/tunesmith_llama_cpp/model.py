# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A GGUF file, opened by llama.cpp: its facts, and what of them an engine must know."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from tunesmith.errors import ModelError
from tunesmith_llama_cpp.library import errors_of

__all__ = ["GgufModel"]

_PRECISIONS = {"0": "fp32", "1": "fp16", "32": "bf16", "7": "int8"}
"""``general.file_type``, as far as there is a word for it."""


class GgufModel:
    """The weights. They are mapped, not copied, where the system can.

    Args:
        library: llama-cpp-python.
        file: in GGUF.

    Attributes:
        pointer: llama.cpp's own.
        weights: what they are held in: ``fp32``, ``fp16``, ``bf16``, ``int8``; "": in another way.
        context: tokens that the model was trained to read.
        template: of conversations; ``None``: it goes on with text.

    Raises:
        ModelError: llama.cpp cannot read it, or it is of a kind that this engine does not know.
    """

    def __init__(self, library: Any, file: Path) -> None:
        self._library = library
        with errors_of() as said:
            self.pointer = library.llama_model_load_from_file(str(file).encode(), library.llama_model_default_params())
        if not self.pointer:
            raise ModelError(
                f"llama.cpp cannot open {file}",
                given="; ".join(said)[:500] or "no reason was given",
                expected="a model of an architecture that this llama.cpp knows, whole",
                fix="copy or export the file again, or install a newer llama-cpp-python",
            )
        try:
            self._check_kind(file)
        except ModelError:
            self.close()
            raise
        self.weights = _PRECISIONS.get(self.fact("general.file_type") or "", "")
        self.context = int(library.llama_model_n_ctx_train(self.pointer))
        text = library.llama_model_chat_template(self.pointer, None)
        self.template: str | None = text.decode("utf-8") if text else None

    def _check_kind(self, file: Path) -> None:
        for name, kind in (
            ("has_encoder", "an encoder, whose prompt is no beginning of its answer"),
            ("is_recurrent", "a recurrent model, which keeps one state and not its tokens"),
            ("is_hybrid", "a partly recurrent model, which keeps one state and not its tokens"),
            ("is_diffusion", "a diffusion model, which writes all tokens at once"),
        ):
            ask = getattr(self._library, f"llama_model_{name}", None)
            if ask is not None and ask(self.pointer):
                raise ModelError(
                    f"the engine llama-cpp does not know models such as {file.name}",
                    given=kind,
                    expected="a decoder with keys and values",
                    fix="serve it with llama.cpp's own server, and hand over: openai:http://HOST:PORT/v1#MODEL",
                )

    def fact(self, key: str) -> str | None:
        """A value of the file's header as text; ``None``: it is not there, or a list."""
        size = 256
        buffer = ctypes.create_string_buffer(size)
        length = self._library.llama_model_meta_val_str(self.pointer, key.encode(), buffer, size)
        return buffer.value.decode("utf-8", "replace") if 0 <= length < size else None

    def bytes_per_token(self, number_size: int) -> int:
        """What keys and values of one token take in all layers.

        Args:
            number_size: bytes of one number.
        """
        library, architecture = self._library, self.fact("general.architecture")
        head = library.llama_model_n_embd(self.pointer) // library.llama_model_n_head(self.pointer)
        widths = (self.fact(f"{architecture}.attention.{side}_length") for side in ("key", "value"))
        heads = library.llama_model_n_layer(self.pointer) * library.llama_model_n_head_kv(self.pointer)
        return int(heads * sum(int(width or head) for width in widths) * number_size)

    def close(self) -> None:
        """Give back the memory. May come twice."""
        if self.pointer:
            self._library.llama_model_free(self.pointer)
            self.pointer = None
