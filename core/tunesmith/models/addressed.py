# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Models that a plugin brings from elsewhere: ``NAME:ADDRESS``, a folder for as long as it takes to load it.

A plugin's target opens the address and gives a folder, with a context manager. Whoever has the model in memory closes
it (:func:`close_source`), and a job what it has opened (:func:`closing_addresses`); what nobody closes is closed when
the process ends.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tunesmith.models.source import ModelSource
from tunesmith.plugin.specs import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunesmith.registry import Registry

__all__ = ["close_source", "closing_addresses", "is_addressed", "open_address"]

_open: dict[Path, ExitStack] = {}
_of_job: ContextVar[list[Path] | None] = ContextVar("folders opened by a job", default=None)


def open_address(name: str, registry: Registry) -> Path | None:
    """The folder that ``NAME:ADDRESS`` leads to: of a run, a model or an adapter; ``None`` where no such name is there.

    Raises:
        TunesmithError: what the plugin says of the address.
    """
    head, colon, address = name.partition(":")
    if not (colon and address):
        return None
    for provided in registry.all("model"):
        spec = cast(ModelSpec, provided.spec)
        if spec.addressed and head in (spec.name, provided.full_name):
            opener: Callable[[str], AbstractContextManager[Path]] = cast(Any, registry.load("model", head))
            stack = ExitStack()
            folder = Path(stack.enter_context(opener(address)))
            _open[folder] = stack
            atexit.register(_close, folder, os.getpid())
            job = _of_job.get()
            if job is not None:
                job.append(folder)
            return folder
    return None


def close_source(source: ModelSource) -> bool:
    """Give back the folders of a model that is in memory, and of the model under an adapter.

    Returns:
        Whether the model's own folder was one of them: then it is there no more.
    """
    if source.base is not None:
        close_source(source.base)
    found = _opened(source)
    if found is not None:
        _close(found, os.getpid())
    return found is not None


def is_addressed(source: ModelSource) -> bool:
    """Whether a plugin has opened the model, or the model under an adapter, and nobody has closed it yet."""
    return _opened(source) is not None or (source.base is not None and is_addressed(source.base))


def _opened(source: ModelSource) -> Path | None:
    """The folder in ``_open`` that holds the model's own."""
    folder = source.folder
    return next((place for place in _open if folder is not None and place in (folder, folder.parent)), None)


@contextmanager
def closing_addresses() -> Iterator[None]:
    """Close, at the end of the block, what the code of its context has opened in it."""
    opened: list[Path] = []
    before = _of_job.set(opened)
    try:
        yield
    finally:
        _of_job.reset(before)
        for folder in opened:
            _close(folder, os.getpid())


def _close(folder: Path, process: int) -> None:
    stack = _open.pop(folder, None)
    if stack is not None and process == os.getpid():  # a process that was forked off leaves it to its parent
        stack.close()
