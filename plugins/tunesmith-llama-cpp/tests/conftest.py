# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A stand-in for llama-cpp-python: the functions that the plugin calls, over a model of bytes whose logits follow from
the tokens before. What it stands in for is tried in ``test_with_llama_cpp.py``, where it is installed."""

from __future__ import annotations

import ctypes
import json
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

END, BEGIN, BYTES = 0, 1, 2  # <end>, <s>, and from 2 on the 256 bytes; then one that is not used
VOCABULARY = BYTES + 256 + 1
TEMPLATE = (
    "{% for m in messages %}{{ m['role'][0] }}:{{ m['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)
TEXTS = {END: b"<end>", BEGIN: b"<s>"}
DEFAULTS: dict[str, Any] = {
    "general.architecture": "fake",
    "general.file_type": "7",
    "context": 64,
    "template": None,
    "add_bos": True,
    "kind": "",
}


def text_of(token: int) -> bytes:
    return TEXTS[token] if token < BYTES else bytes([token - BYTES])


def logits_of(history: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What the stand-in's model says after some tokens."""
    seed = zlib.crc32(np.asarray(history, dtype=np.int32).tobytes())
    logits = np.random.default_rng(seed).normal(0, 3, VOCABULARY).astype(np.float32)
    logits[[BEGIN, VOCABULARY - 1]] = -30
    return logits


class FakeLlama(ModuleType):
    """Attributes say what happened.

    Attributes:
        END, BEGIN, BYTES, VOCABULARY, TEMPLATE: of its model.
        logits_of: what it says after some tokens.
        steps: of every decode, the sequences and how many tokens each read.
        fail: so many decodes fail from now on.
        copies: sequences copied from, and to.
        freed: what was given back.
    """

    LLAMA_TOKEN_ATTR_UNKNOWN, LLAMA_TOKEN_ATTR_UNUSED, LLAMA_TOKEN_ATTR_NORMAL, LLAMA_TOKEN_ATTR_CONTROL = 1, 2, 4, 8
    LLAMA_TOKEN_ATTR_BYTE = 32
    __version__ = "0.0"
    END, BEGIN, BYTES, VOCABULARY, TEMPLATE = END, BEGIN, BYTES, VOCABULARY, TEMPLATE
    logits_of = staticmethod(logits_of)

    def __init__(self) -> None:
        super().__init__("llama_cpp")
        self.steps: list[dict[int, int]] = []
        self.fail = 0
        self.copies: list[tuple[int, int]] = []
        self.freed: list[str] = []
        self.settings: Any = None
        self.llama_log_callback = lambda function: function
        self.tell: Callable[..., None] = lambda *_: None

    def llama_log_set(self, callback: Any, _: Any) -> None:
        self.tell = callback

    def llama_backend_init(self) -> None: ...

    # ---- the model -----------------------------------------------------------------------------

    def llama_model_default_params(self) -> Any:
        return SimpleNamespace()

    def llama_model_load_from_file(self, path: bytes, _: Any) -> Any:
        content = Path(path.decode()).read_bytes()[4:]
        if content == b"broken":
            self.tell(4, b"it is broken\n", None)
            return None
        return DEFAULTS | json.loads(content)

    def llama_model_free(self, _: Any) -> None:
        self.freed.append("model")

    def llama_model_has_encoder(self, model: Any) -> bool:
        return bool(model["kind"] == "encoder")

    def llama_model_meta_val_str(self, model: Any, key: bytes, buffer: Any, size: int) -> int:
        value = model.get(key.decode())
        if value is None:
            return -1
        buffer.value = value.encode()
        return len(value)

    def llama_model_chat_template(self, model: Any, _: Any) -> bytes | None:
        return model["template"].encode() if model["template"] else None

    def llama_model_n_ctx_train(self, model: Any) -> int:
        return int(model["context"])

    llama_model_n_embd = llama_model_n_head = llama_model_n_head_kv = llama_model_n_layer = lambda *_: 2

    # ---- tokens --------------------------------------------------------------------------------

    def llama_model_get_vocab(self, model: Any) -> Any:
        return model

    def llama_vocab_n_tokens(self, _: Any) -> int:
        return VOCABULARY

    def llama_vocab_get_attr(self, _: Any, token: int) -> int:
        return 8 if token < BYTES else 2 if token == VOCABULARY - 1 else 4

    def llama_vocab_bos(self, _: Any) -> int:
        return BEGIN

    def llama_vocab_eos(self, _: Any) -> int:
        return END

    def llama_vocab_get_add_bos(self, model: Any) -> bool:
        return bool(model["add_bos"])

    def llama_vocab_is_eog(self, _: Any, token: int) -> bool:
        return token == END

    def llama_token_to_piece(self, _: Any, token: int, buffer: Any, size: int, strip: int, special: bool) -> int:
        text = text_of(token)
        ctypes.memmove(buffer, text, len(text))
        return len(text)

    def llama_tokenize(self, _: Any, data: bytes, length: int, buffer: Any, size: int, add: bool, special: bool) -> int:
        assert not add
        ids, place = [], 0
        while place < length:
            found = [one for one, text in TEXTS.items() if special and data.startswith(text, place)]
            ids.append(found[0] if found else BYTES + data[place])
            place += len(TEXTS[found[0]]) if found else 1
        buffer[: len(ids)] = ids
        return len(ids)

    # ---- computing -----------------------------------------------------------------------------

    def llama_max_parallel_sequences(self) -> int:
        return 256

    def llama_supports_gpu_offload(self) -> bool:
        return False

    def llama_context_default_params(self) -> Any:
        return SimpleNamespace()

    def llama_init_from_model(self, model: Any, settings: Any) -> Any:
        self.settings = settings
        return {number: [] for number in range(settings.n_seq_max)}

    def llama_free(self, _: Any) -> None:
        self.freed.append("context")

    def llama_get_memory(self, context: Any) -> Any:
        return context

    def llama_memory_clear(self, memory: Any, _: bool) -> None:
        for held in memory.values():
            held.clear()

    def llama_memory_seq_rm(self, memory: Any, number: int, begin: int, end: int) -> bool:
        assert end == -1
        del memory[number][max(begin, 0) :]
        return True

    def llama_memory_seq_cp(self, memory: Any, source: int, target: int, begin: int, end: int) -> None:
        assert (begin, end) == (-1, -1), "a cache that is not unified copies whole sequences only"
        memory[target] = list(memory[source])
        self.copies.append((source, target))

    def llama_batch_init(self, size: int, embedding: int, sequences: int) -> Any:
        integers = ctypes.c_int32 * size
        return SimpleNamespace(
            n_tokens=0,
            token=integers(),
            pos=integers(),
            n_seq_id=integers(),
            seq_id=[(ctypes.c_int32 * 1)() for _ in range(size)],
            logits=(ctypes.c_int8 * size)(),
        )

    def llama_batch_free(self, _: Any) -> None:
        self.freed.append("batch")

    def llama_decode(self, context: Any, batch: Any) -> int:
        assert batch.n_tokens <= self.settings.n_batch
        if self.fail:
            self.fail -= 1
            return -3
        rows, read = [], dict[int, int]()
        for place in range(batch.n_tokens):
            assert batch.n_seq_id[place] == 1
            number = batch.seq_id[place][0]
            held = context[number]
            assert batch.pos[place] == len(held), "the next place of its sequence"
            held.append(batch.token[place])
            assert len(held) <= self.settings.n_ctx // self.settings.n_seq_max
            read[number] = read.get(number, 0) + 1
            if batch.logits[place]:
                rows.append(logits_of(held))
        self.steps.append(read)
        self._rows = np.concatenate(rows) if rows else np.zeros(0, np.float32)
        return 0

    def llama_get_logits(self, _: Any) -> Any:
        return self._rows.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


@pytest.fixture
def llama(monkeypatch: pytest.MonkeyPatch) -> FakeLlama:
    """In the place of llama-cpp-python."""
    from tunesmith_llama_cpp import library

    fake = FakeLlama()
    monkeypatch.setitem(sys.modules, "llama_cpp", fake)
    monkeypatch.setattr(library, "_callbacks", [])
    return fake


@pytest.fixture
def gguf(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder as an export does: what the stand-in opens, and ``rendering.json`` where a state is given."""

    def write(name: str = "little", *, task: str = "tunesmith/causal-lm", state: Any = None, **facts: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.gguf").write_bytes(b"GGUF" + json.dumps(facts).encode())
        if state is not None:
            (folder / "rendering.json").write_text(json.dumps({"format": 1, "task": task, "state": state}))
        return folder

    return write
