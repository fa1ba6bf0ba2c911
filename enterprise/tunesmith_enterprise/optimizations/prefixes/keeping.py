# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the engine is given: looks for kept beginnings, and keeps what prompts share, behind the engine's back."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from tunesmith.engine.acceleration import Beginning
from tunesmith.engine.keys_values import KeysValues
from tunesmith.engine.low_rank import Adapter
from tunesmith_enterprise.optimizations.prefixes.files import Entry, Folder
from tunesmith_enterprise.optimizations.prefixes.identity import adapter_digest, key_of

if TYPE_CHECKING:
    import torch

__all__ = ["LEAST", "Counts", "Keeping"]

LEAST: Final = 64
"""Tokens. To read shorter beginnings again takes no longer than to open a file."""

_WAITING: Final = 2  # beginnings that wait to be written, each a copy in memory; what comes then is shared again later
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    """Since the engine was opened."""

    restored: int = 0
    restored_tokens: int = 0
    kept: int = 0
    failed: int = 0


class Keeping:
    """As :class:`tunesmith.engine.acceleration.Prefixes` says.

    Args:
        folder: of the files.

    Attributes:
        counts: what came of it.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._entries: dict[str, list[Entry]] = {}
        self._changing = threading.Lock()
        for entry in folder.entries():
            self._entries.setdefault(entry.key, []).append(entry)
        self._adapters: WeakKeyDictionary[Adapter, str] = WeakKeyDictionary()
        self._waiting: queue.Queue[tuple[str, tuple[int, ...], torch.Tensor, torch.Tensor] | None]
        self._waiting = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._write, name="kept beginnings", daemon=True)
        self._thread.start()
        self.counts = Counts()

    @property
    def ignored(self) -> int:
        """Files that could not be used."""
        return self._folder.ignored

    def restore(self, prompt: Beginning, shared: int, memory: KeysValues, slot: int) -> int:
        """Write what is kept of a prompt's beginning into a slot, where it is worth it."""
        key = self._key(prompt)
        tokens = prompt.tokens[: min(len(prompt.tokens) - 1, memory.capacity)]
        best, most = None, max(shared, LEAST - 1)
        for entry in self._entries.get(key, ()):
            size = _common(entry.tokens, tokens)
            if size > most and size - shared >= LEAST // 2:
                best, most = entry, size
        if best is None:
            return 0
        found = self._folder.read(best)
        if found is None:
            self._forget(key, best)
            return 0
        for store, kept in zip((memory.keys, memory.values), found, strict=True):
            for layer, tensor in zip(store, kept, strict=True):
                layer[slot, :, :most].copy_(tensor[:, :most])
        self.counts.restored += 1
        self.counts.restored_tokens += most
        return most

    def shared(self, beginning: Beginning, memory: KeysValues, slot: int) -> None:
        """Keep what two prompts share, if it is long and not kept yet."""
        import torch

        size = len(beginning.tokens)
        key = self._key(beginning)
        if size < LEAST or self._waiting.full() or self._is_still_kept(key, beginning.tokens):
            return
        keys = torch.stack([layer[slot, :, :size] for layer in memory.keys]).cpu()
        values = torch.stack([layer[slot, :, :size] for layer in memory.values]).cpu()
        self._waiting.put_nowait((key, tuple(beginning.tokens), keys, values))

    def close(self) -> None:
        """Write what waits to be written."""
        self._waiting.put(None)
        self._thread.join()

    def _kept(self, key: str, tokens: Sequence[int]) -> Entry | None:
        """All of it but a few tokens: beginnings that differ by the first word of a question are one."""
        entries = self._entries.get(key, ())
        return next((entry for entry in entries if len(tokens) - _common(entry.tokens, tokens) < LEAST), None)

    def _is_still_kept(self, key: str, tokens: Sequence[int]) -> bool:
        """What the engine finds in its memory is used too, and its file is not the first to be removed for that."""
        entry = self._kept(key, tokens)
        if entry is None or self._folder.used(entry):
            return entry is not None
        self._forget(key, entry)  # its file was removed to make room
        return False

    def _forget(self, key: str, entry: Entry) -> None:
        with self._changing:
            self._entries[key] = [one for one in self._entries[key] if one is not entry]

    def _write(self) -> None:
        while True:
            waiting = self._waiting.get()
            if waiting is None:
                return
            key, tokens, keys, values = waiting
            if self._kept(key, tokens) is not None:
                continue
            try:
                entry = self._folder.write(key, tokens, keys, values)
            except Exception as error:  # whatever it is: the thread goes on, for close() waits for it
                self.counts.failed += 1
                if self.counts.failed.bit_count() == 1:
                    _log.warning("beginnings of prompts could not be kept: %d, the last: %s", self.counts.failed, error)
                continue
            with self._changing:  # and a new list, for the other thread may be reading the old one
                self._entries[key] = [*self._entries.get(key, ()), entry]
            self.counts.kept += 1

    def _key(self, beginning: Beginning) -> str:
        adapter = beginning.adapter
        if adapter is None:
            return key_of("", beginning.salt)
        if adapter not in self._adapters:
            self._adapters[adapter] = adapter_digest(adapter)
        return key_of(self._adapters[adapter], beginning.salt)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    size = min(len(one), len(other))
    if tuple(one[:size]) == tuple(other[:size]):
        return size
    return next(place for place in range(size) if one[place] != other[place])
