# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What encoded items depend on, as one digest. Too much in it costs time; too little would cost the truth."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tunesmith.data.code import code_digest
from tunesmith.tasks.tally import AnyTask

__all__ = ["encoding_key"]

FORMAT = 1
"""Of the stored items."""
_PATHS = {"train", "validation", "test"}  # where rows lie says nothing about them; their digest is in the key
_LATER = {"augment"}  # rows are changed after they were encoded


def encoding_key(task: AnyTask, split: str, rows: str) -> str:
    """The key of a split's items: 64 hexadecimal digits.

    From the rows (digests of their files), the task's settings and state, its tokenizer, and the code and the versions
    of the libraries that encode.
    """
    import tunesmith.models
    import tunesmith.tasks
    from tunesmith.runs import environment

    parts = {
        "format": FORMAT,
        "packages": environment()["packages"],
        "code": code_digest(type(task), tunesmith.models, tunesmith.tasks),
        "task": f"{type(task).__module__}.{type(task).__qualname__}",
        "data": {key: value for key, value in task.data.model_dump(mode="json").items() if key not in _PATHS | _LATER},
        "state": task.state(),
        "objective": task.objective.model_dump(mode="json"),
        "settings": {
            name: repr(value)
            for name, value in sorted(vars(task).items())
            if _is_plain(value) and name not in (type(task).tallied or ())
        },
        "tokenizer": _tokenizer_digest(getattr(task, "tokenizer", None)),
        "split": split,
        "rows": rows,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _tokenizer_digest(tokenizer: Any) -> str:
    if tokenizer is None:
        return ""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    described = {} if backend is None else json.loads(backend.to_str())
    for setting in ("truncation", "padding"):  # of the last call; every call sets them anew
        described.pop(setting, None)
    settings = {name: value for name, value in vars(tokenizer).items() if _is_plain(value)}
    told = [
        type(tokenizer).__qualname__,
        json.dumps(described, sort_keys=True),
        json.dumps(settings, sort_keys=True, default=str),
        json.dumps(tokenizer.special_tokens_map, sort_keys=True, default=str),
        str(tokenizer.chat_template),
    ]
    return hashlib.sha256("\0".join(told).encode("utf-8", "surrogatepass")).hexdigest()
