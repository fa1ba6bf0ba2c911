# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where a model comes from, found and checked, before any of it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["BASE_FILE", "ModelSource", "ScratchOptions"]

BASE_FILE = "adapter_base.json"
"""Beside an adapter of ours: the digest of the weights under it, as ``ModelSource.digest`` counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchOptions:
    """How to make an untrained model.

    Attributes:
        architecture: registered name, e.g. ``llama``, ``cnn``, ``mlp``.
        size: what stands behind the last ``-`` of ``scratch:llama-1m``: about how many parameters
            (``k``, ``m``, ``b``), or ``None`` for the architecture's default.
        tokenizer: ``bpe``, ``byte``, or a folder or hub id.
        vocabulary: entries to learn (``bpe``).
        context: longest input in tokens.
        seed: of the initial weights.
    """

    architecture: str
    size: int | None
    tokenizer: str
    vocabulary: int
    context: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A model that can be loaded.

    Attributes:
        name: as the user wrote it.
        kind: ``folder`` (weights on disk, also the hub's cache), ``adapter`` (a PEFT folder over ``base``),
            ``scratch`` (an architecture; no weights yet).
        folder: where the files lie; ``None`` for scratch.
        base: the model under an adapter.
        scratch: for ``scratch``.
        revision: the hub commit, where it came from the hub.
        digest: ``sha256:…`` over the weight files; empty for scratch.
        trust_remote_code: as the recipe says; False by default.
        seed: of layers that have to be initialized because the weights lack them (a new head, an adapter).
    """

    name: str
    kind: Literal["folder", "adapter", "scratch"]
    folder: Path | None = None
    base: ModelSource | None = None
    scratch: ScratchOptions | None = None
    revision: str | None = None
    digest: str = ""
    trust_remote_code: bool = False
    seed: int = 0
