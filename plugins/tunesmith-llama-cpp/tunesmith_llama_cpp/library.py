# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""llama-cpp-python: found, new enough, and quiet."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from tunesmith.errors import ModelError

__all__ = ["errors_of", "library"]

_log = logging.getLogger("tunesmith_llama_cpp.library")

_LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.INFO, 4: logging.WARNING}
"""ggml's debug, info, warning and error. It tells a great deal of what only its developers want to know, and
calls a context shorter than the model's a warning; what stops a model is in our own error too."""

_NEEDED = ("llama_model_load_from_file", "llama_init_from_model", "llama_get_memory", "llama_memory_seq_rm")
"""Names that came with the last great change of the C API."""

_callbacks: list[Any] = []  # C holds no reference; the one that is set must stay


def library() -> Any:
    """The module ``llama_cpp``, whose messages go to the log from now on.

    Raises:
        ModelError: it is not installed, its library cannot be loaded, or it is too old.
    """
    fix = ("pip install 'tunesmith-llama-cpp[llama]'; it needs a C++ compiler,", "or a wheel that fits this machine")
    try:
        found = import_module("llama_cpp")
    except (ImportError, OSError, RuntimeError) as error:  # the last two: its shared library
        raise ModelError(
            "the engine llama-cpp needs the package llama-cpp-python",
            given=f"{type(error).__name__}: {error}",
            expected="llama-cpp-python beside tunesmith-llama-cpp",
            fix=fix,
        ) from error
    missing = [name for name in _NEEDED if not hasattr(found, name)]
    if missing:
        raise ModelError(
            "llama-cpp-python is too old for the engine llama-cpp",
            given=f"version {getattr(found, '__version__', 'unknown')}, without {missing[0]}",
            expected="0.3.16 or newer",
            fix=fix,
        )
    if not _callbacks:
        _callbacks.append(found.llama_log_callback(_tell))
        found.llama_log_set(_callbacks[0], ctypes.c_void_p(0))
        found.llama_backend_init()
    return found


def _tell(level: int, text: bytes, _: Any) -> None:
    if level in _LEVELS:
        _log.log(_LEVELS[level], "%s", text.decode("utf-8", "replace").rstrip())


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def errors_of() -> Iterator[list[str]]:
    """What llama.cpp calls an error meanwhile: its functions give no reasons, its log does."""
    kept = _Kept()
    _log.addHandler(kept)
    try:
        yield kept.messages
    finally:
        _log.removeHandler(kept)
