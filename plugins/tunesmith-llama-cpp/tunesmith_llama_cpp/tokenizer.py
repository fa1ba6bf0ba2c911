# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The tokens of a GGUF file. Text is split by llama.cpp itself, as the file says; all else is read once and kept."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

from tunesmith.errors import DrainingError
from tunesmith_llama_cpp.model import GgufModel

__all__ = ["GgufTokenizer"]


class GgufTokenizer:
    """As much of a tokenizer as an engine asks for. Threads may share it.

    Args:
        library: llama-cpp-python.
        model: opened.

    Attributes:
        tokens: the bytes that each token stands for; half a character is possible, unused ones are empty.
        all_special_ids: tokens that decoding may leave out.
        bos_token_id: begins a text; ``None``: there is none.
        eos_token_id: ends one, likewise.
        adds_bos: every prompt begins with it.
        ends: where answers of such a file end, as llama.cpp has it.
    """

    def __init__(self, library: Any, model: GgufModel) -> None:
        self._library = library
        self._vocabulary = library.llama_model_get_vocab(model.pointer)
        self._lock = threading.Lock()
        count = int(library.llama_vocab_n_tokens(self._vocabulary))
        attributes = [int(library.llama_vocab_get_attr(self._vocabulary, token)) for token in range(count)]
        unused, special = library.LLAMA_TOKEN_ATTR_UNUSED, _special_attributes(library)
        self.tokens = [b"" if attribute & unused else self._piece(n) for n, attribute in enumerate(attributes)]
        self.all_special_ids = [token for token, attribute in enumerate(attributes) if attribute & special]
        self._special = frozenset(self.all_special_ids)
        self._bytes = {n for n, attribute in enumerate(attributes) if attribute & library.LLAMA_TOKEN_ATTR_BYTE}
        self.bos_token_id = self._named(library.llama_vocab_bos)
        self.eos_token_id = self._named(library.llama_vocab_eos)
        self.adds_bos = self.bos_token_id is not None and bool(library.llama_vocab_get_add_bos(self._vocabulary))
        self.ends = frozenset(n for n in range(count) if library.llama_vocab_is_eog(self._vocabulary, n))
        prefix = model.fact("tokenizer.ggml.add_space_prefix") or "true"
        self._loses_space = model.fact("tokenizer.ggml.model") == "llama" and prefix == "true"

    def __len__(self) -> int:
        return len(self.tokens)

    def _named(self, ask: Any) -> int | None:
        token = int(ask(self._vocabulary))
        return token if token >= 0 else None

    def _piece(self, token: int, size: int = 64) -> bytes:
        buffer = ctypes.create_string_buffer(size)
        length = self._library.llama_token_to_piece(self._vocabulary, token, buffer, size, 0, True)
        return self._piece(token, -length) if length < -size else buffer.raw[: max(0, length)]

    def encode(self, text: str, *, special: bool) -> list[int]:
        """The tokens of a text, nothing put in front of it.

        Args:
            special: texts of special tokens become these.

        Raises:
            DrainingError: the engine is closed.
        """
        data = text.encode("utf-8")
        size = len(data) + 16
        with self._lock:
            if self._vocabulary is None:
                raise DrainingError("the engine is closed", fix="open it again")
            buffer = (ctypes.c_int32 * size)()
            count = self._library.llama_tokenize(self._vocabulary, data, len(data), buffer, size, False, special)
            if count < 0:  # never seen: a token stands for a byte at least
                buffer = (ctypes.c_int32 * -count)()
                count = self._library.llama_tokenize(self._vocabulary, data, len(data), buffer, -count, False, special)
        return list(buffer[:count])

    def decode(
        self, token_ids: Sequence[int], *, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool = False
    ) -> str:
        """The text of tokens; bytes that are no character become U+FFFD. Nothing is ever cleaned up."""
        kept = [token for token in token_ids if not (skip_special_tokens and token in self._special)]
        data = b"".join(self.tokens[token] for token in kept)
        if self._loses_space and kept[:1] and kept[0] not in self._special:
            data = data.removeprefix(b" ")
        return data.decode("utf-8", "replace")

    def convert_ids_to_tokens(self, token: int) -> str | None:
        """The name of a token: ``<0xE4>`` for a byte that is part of a character, else its text."""
        if not 0 <= token < len(self.tokens):
            return None
        if token in self._bytes:
            return f"<0x{self.tokens[token][0]:02X}>"
        return self.tokens[token].decode("utf-8", "replace") or None

    def bytes_of(self, token: int) -> bytes:
        """What a token stands for."""
        return self.tokens[token]

    def close(self) -> None:
        """The model is about to be freed: no text is split any more."""
        with self._lock:
            self._vocabulary = None


def _special_attributes(library: Any) -> int:
    return int(library.LLAMA_TOKEN_ATTR_CONTROL | library.LLAMA_TOKEN_ATTR_UNKNOWN)
