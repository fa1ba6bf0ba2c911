# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The files: one for each beginning, written whole or not at all, the least used removed where they take too much.

A file holds ``tokens`` (N,), ``keys`` and ``values`` (L, G, N, D) as safetensors, and in its header what it belongs to
and a digest of all of it. They are readable by their owner only: what prompts begin with can be read from them.

Shapes: L layers, G key-value heads, N tokens, D head width.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunesmith.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["Entry", "Folder", "checked_folder"]

_log = logging.getLogger(__name__)
_FORM: Final = "tunesmith-prefix-1"
_NAME: Final = re.compile(r"[0-9a-f]{32}\.safetensors\Z")
_PARTIAL: Final = re.compile(r"\.[0-9a-f]{16}\.partial\Z")
_ABANDONED: Final = 3600.0  # seconds after which nobody writes a file any more: whoever did was killed
_IDENTITY: Final = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept beginning.

    Attributes:
        path: its file.
        key: who may share it (:func:`tunesmith_enterprise.optimizations.prefixes.identity.key_of`).
        tokens: ids.
    """

    path: Path
    key: str
    tokens: tuple[int, ...]


class Folder:
    """The beginnings of one model in a folder that several models, and several processes, may share.

    Args:
        folder: made where it is not there.
        identity: of the model.
        most_bytes: of all models' files together.

    Attributes:
        ignored: files that were damaged, or no beginnings of this model.
    """

    def __init__(self, folder: Path, identity: str, *, most_bytes: int) -> None:
        self._root, self._identity, self._most_bytes = folder, identity, most_bytes
        self._own = folder / identity
        self._own.mkdir(mode=0o700, exist_ok=True)
        self.ignored = 0

    def entries(self) -> list[Entry]:
        """What is there, without keys and values; what cannot be used is counted, what was never finished removed."""
        from safetensors import safe_open

        found = []
        for path in sorted(self._own.iterdir()):
            if _PARTIAL.match(path.name):
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > _ABANDONED:
                        path.unlink()
            if not _NAME.match(path.name):
                continue
            try:
                with safe_open(path, "pt") as file:
                    facts = file.metadata() or {}
                    if (facts.get("form"), facts.get("identity")) != (_FORM, self._identity):
                        raise ValueError("it belongs to another model")
                    found.append(Entry(path, facts["key"], tuple(file.get_tensor("tokens").tolist())))
            except Exception as error:  # whatever is in a file, the server starts
                self._ignore(path, error)
        return found

    def read(self, entry: Entry) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Keys and values; None where the file is gone or damaged, which is counted."""
        from safetensors import safe_open

        try:
            with safe_open(entry.path, "pt") as file:
                facts = file.metadata() or {}
                tokens, keys, values = (file.get_tensor(name) for name in ("tokens", "keys", "values"))
            if facts.get("digest") != _digest(entry.key, tokens, keys, values):
                raise ValueError("its digest is another")
            os.utime(entry.path)  # it was used
        except Exception as error:  # whatever is in a file, the request is answered
            self._ignore(entry.path, error)
            return None
        return keys, values

    def used(self, entry: Entry) -> bool:
        """It is used, though not read; False: its file is there no more."""
        try:
            os.utime(entry.path)
        except FileNotFoundError:
            return False
        except OSError:  # a disk that cannot be written to just now has it still
            return True
        return True

    def write(self, key: str, tokens: Sequence[int], keys: torch.Tensor, values: torch.Tensor) -> Entry:
        """Write one, and make room for it.

        Raises:
            OSError: it cannot be written.
        """
        import torch
        from safetensors.torch import save

        ids = torch.tensor(tokens, dtype=torch.int32)
        digest = _digest(key, ids, keys, values)
        facts = {"form": _FORM, "identity": self._identity, "key": key, "digest": digest}
        content = save({"tokens": ids, "keys": keys, "values": values}, facts)
        if len(content) > self._most_bytes:
            raise OSError(f"it takes {len(content) / 1e9:.1f} GB, of {self._most_bytes / 1e9:.1f} that all may take")
        entry = Entry(self._own / f"{digest[:32]}.safetensors", key, tuple(tokens))
        partial = self._own / f".{secrets.token_hex(8)}.partial"
        try:
            with open(partial, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, entry.path)
        finally:
            partial.unlink(missing_ok=True)
        self._make_room(entry.path)
        return entry

    def _make_room(self, newest: Path) -> None:
        """Remove what was not used for longest, of any model, but for what was written just now."""
        files: list[tuple[float, int, Path]] = []
        for path in self._root.glob("*/*.safetensors"):
            if _IDENTITY.match(path.parent.name) and _NAME.match(path.name):
                with suppress(OSError):  # another process removes too
                    facts = path.stat()
                    files.append((facts.st_mtime, facts.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._most_bytes:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size

    def _ignore(self, path: Path, error: Exception) -> None:
        self.ignored += 1
        if self.ignored.bit_count() == 1:  # the first, the second, the fourth …
            _log.warning(
                "kept beginnings of prompts that cannot be used: %d, the last of them %s: %s", self.ignored, path, error
            )


def checked_folder(text: str) -> Path:
    """The folder for the files.

    Raises:
        ModelError: none is named, or others may write into it: what is in there becomes part of answers.
    """
    if not text:
        raise ModelError(
            "the prefix store has no folder",
            given="enterprise/prefix-store",
            expected="where to keep what prompts begin with: enterprise/prefix-store:FOLDER",
            fix="name a folder of this server's own",
        )
    folder = Path(text).expanduser()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
    except OSError as error:
        raise ModelError(
            "the folder of the prefix store cannot be used",
            given=f"{folder}: {error.strerror or error}",
            expected="a folder that this account may write into",
            fix="name another one",
        ) from error
    if os.name == "posix" and (facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o022):
        raise ModelError(
            "others may write into the folder of the prefix store",
            given=f"{folder}, mode {stat.S_IMODE(facts.st_mode):o}, of the account {facts.st_uid}",
            expected="a folder that this account alone may write into: what is in there becomes part of answers",
            fix=f"chmod 700 {folder}, or name a folder of this server's own",
        )
    return folder


def _digest(key: str, tokens: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> str:
    import torch

    digest: Any = hashlib.sha256(key.encode())
    for tensor in (tokens, keys, values):
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}\0".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
    return str(digest.hexdigest())
