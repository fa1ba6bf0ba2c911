# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The log: one JSON object a line. No prompt, no answer and no key is ever in it."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, TextIO

from tunesmith.plugin import RequestServed

__all__ = ["JsonLines", "log_failure", "log_served", "log_to"]

LOGGER = logging.getLogger("tunesmith.serve")

# asyncio warns whenever a client goes while it is answered; the line of the request says that already (499).
_LOGGERS = {"tunesmith.serve": logging.INFO, "uvicorn.error": logging.WARNING, "asyncio": logging.ERROR}


class JsonLines(logging.Formatter):
    """A record as one line of ASCII: whatever a client sent cannot begin a line or move a terminal's cursor."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object."""
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[1] is not None:
            line |= _failure(record.exc_info[1])
        return json.dumps(line, default=str)


def log_to(stream: TextIO | None = None) -> None:
    """Write the server's log, and uvicorn's and asyncio's, to a stream (default: standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in _LOGGERS.items():
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


def log_served(served: RequestServed) -> None:
    """A request has ended."""
    facts = {name: value for name, value in asdict(served).items() if value not in ("", 0)}
    LOGGER.info("request", extra={"facts": facts | {"seconds": round(served.seconds, 6)}})


def log_failure(request_id: str, error: BaseException) -> None:
    """A request met an error that nobody had thought of.

    The message of the error is left out: it may quote the request. Its type and the places it came through are there.
    """
    LOGGER.error("failure", extra={"facts": {"id": request_id} | _failure(error)})


def _failure(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "places": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-20:]],
    }
