# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What the core's loggers say, as notes on stderr. The core itself prints nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tunesmith_cli.settings import Settings

__all__ = ["shown"]


class _Notes(logging.Handler):
    """Warnings as ``note: …``; under ``--debug`` everything, with its logger; under ``--quiet`` errors only."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def emit(self, record: logging.LogRecord) -> None:
        if self._settings.debug:
            print(f"{record.levelname.lower()} {record.name}: {self.format(record)}", file=sys.stderr)
        elif record.levelno >= (logging.ERROR if self._settings.quiet else logging.WARNING):
            print(f"note: {record.getMessage()}", file=sys.stderr)


@contextmanager
def shown(settings: Settings) -> Iterator[None]:
    """Show the records of ``tunesmith.*`` while it lasts. What is shown follows the settings as they are then."""
    logger = logging.getLogger("tunesmith")
    handler, level, propagate = _Notes(settings), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)  # the handler decides: --debug may stand behind the command, and be read later
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
