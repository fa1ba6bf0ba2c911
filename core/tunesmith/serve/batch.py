# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Batch files in OpenAI's format: each line is a request to the same application that answers over HTTP.

Nothing goes over a network. An answer is written when it is whole, in the order in which answers come; ``custom_id``
says which is which. A job that was killed goes on with what is not answered yet.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.engine.protocol import Engine
from tunesmith.errors import DataError, Origin, OutputError, Problem
from tunesmith.runs.log import Log
from tunesmith.serve.app import Application
from tunesmith.serve.json_body import JsonError, parse_json
from tunesmith.serve.limits import Limits

__all__ = ["BatchResult", "run_batch"]

URLS = (
    "/v1/chat/completions",
    "/v1/classify",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/rerank",
    "/v1/responses",
    "/v1/score",
)
_NAMES = frozenset({"custom_id", "method", "url", "body"})
_LONGEST = 30 * 24 * 3600.0
_RETRY = 0.2  # seconds until a request that met a full queue is sent again


@dataclass(frozen=True, slots=True)
class BatchResult:
    """How a batch went.

    Attributes:
        done: requests that were answered.
        failed: requests that were refused or failed; their answers say why.
        skipped: requests that an earlier session had answered.
    """

    done: int
    failed: int
    skipped: int


@dataclass(frozen=True, slots=True)
class _Line:
    custom_id: str
    url: str
    body: Mapping[str, Any]


def run_batch(
    engines: Mapping[str, Engine],
    source: Path,
    out: Path,
    *,
    resume: bool = False,
    at_once: int = 32,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BatchResult:
    """Answer every request of a file.

    Args:
        engines: by the name that the requests' ``model`` says.
        source: JSON lines: ``{"custom_id": …, "method": "POST", "url": "/v1/chat/completions", "body": {…}}``.
        out: JSON lines: ``{"id": …, "custom_id": …, "response": {"status_code": …, "request_id": …, "body": {…}},
            "error": null}``.
        resume: go on with an ``out`` that is there; what failed in it is asked again.
        at_once: requests under way.
        progress: called with how many are answered, and how many there are.

    Raises:
        DataError: lines that are no requests, all of them named. Nothing was asked.
        OutputError: ``out`` is there, and not to be gone on with; or the disk is full: what was written stays.
    """
    lines = _read(source)
    log, before = Log(out), dict[str, int]()
    if out.exists():
        if not resume:
            raise OutputError(
                f"{out} is there",
                given=str(out),
                expected="a file that does not exist",
                fix=["go on with it: --resume", "or choose another --out"],
            )
        before = _answered(log)
    left = [line for line in lines if before.get(line.custom_id) != 200]
    skipped = len(lines) - len(left)
    limits = Limits(requests=at_once, request_seconds=_LONGEST, body_bytes=2**30, prompt_chars=2**30)
    application = Application(engines, limits=limits, page=False)
    done, failed = asyncio.run(
        _run(application, left, log, at_once, lambda count: progress(skipped + count, len(lines)))
    )
    log.flush()
    return BatchResult(done, failed, skipped)


# ---- the file --------------------------------------------------------------------------------------------------------


def _read(source: Path) -> list[_Line]:
    lines: list[_Line] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, text in _texts(source):
        origin = Origin(str(source), number)
        try:
            line = _line(text)
        except ValueError as error:
            problems.append(Problem(origin, str(error)))
            continue
        if line.custom_id in seen:
            problems.append(Problem(origin, f"custom_id {line.custom_id!r} is that of line {seen[line.custom_id]} too"))
            continue
        seen[line.custom_id] = number
        lines.append(line)
    if problems:
        raise DataError(
            f"{len(problems):,} lines of {source} are no requests",
            expected='{"custom_id": "…", "method": "POST", "url": "/v1/chat/completions", "body": {…}}',
            fix="correct these lines or leave them out; nothing was asked",
            problems=problems,
        )
    return lines


def _texts(source: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with source.open("rb") as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    yield number, text.strip()
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or error}", fix="check the name") from error


def _line(text: bytes) -> _Line:
    try:
        record = parse_json(text)
    except JsonError as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"a JSON {type(record).__name__} instead of an object")
    unknown = sorted(record.keys() - _NAMES)
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}")
    custom_id, url, body = record.get("custom_id"), record.get("url"), record.get("body")
    if not isinstance(custom_id, str) or not custom_id:
        raise ValueError("custom_id is a text, and every line has one of its own")
    if record.get("method") != "POST":
        raise ValueError(f"method is POST; given: {record.get('method')!r}")
    if url not in URLS:
        raise ValueError(f"url is one of {', '.join(URLS)}; given: {url!r}")
    if not isinstance(body, dict):
        raise ValueError("body is an object")
    if body.get("stream"):
        raise ValueError("an answer in a file is not streamed: leave stream out")
    return _Line(custom_id, url, body)


def _answered(log: Log) -> dict[str, int]:
    """Status of every answer that is in the file; the last one counts."""
    found: dict[str, int] = {}
    for record in log.read():
        response = record.get("response")
        if not isinstance(record.get("custom_id"), str) or not isinstance(response, dict):
            raise OutputError(
                f"{log.path} is not the answers of a batch",
                given=json.dumps(record)[:80],
                expected="lines with custom_id and response",
                fix="choose another --out",
            )
        found[record["custom_id"]] = int(response.get("status_code", 0))
    return found


# ---- asking ----------------------------------------------------------------------------------------------------------


async def _run(
    application: Application, lines: list[_Line], log: Log, at_once: int, progress: Callable[[int], None]
) -> tuple[int, int]:
    done = failed = 0
    waiting = iter(lines)

    async def work() -> None:
        nonlocal done, failed
        for line in waiting:  # shared: each worker takes the next
            status, headers, body = await _ask(application, line)
            log.append(
                {
                    "id": f"batch_{headers.get('x-request-id', '')}",
                    "custom_id": line.custom_id,
                    "response": {
                        "status_code": status,
                        "request_id": headers.get("x-request-id", ""),
                        "body": json.loads(body),
                    },
                    "error": None,
                }
            )
            if status == 200:
                done += 1
            else:
                failed += 1
            progress(done + failed)

    tasks = [asyncio.ensure_future(work()) for _ in range(min(at_once, len(lines)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return done, failed


async def _ask(application: Application, line: _Line) -> tuple[int, dict[str, str], bytes]:
    """One request, again where the engine's queue was full."""
    body = json.dumps(line.body, ensure_ascii=False).encode()
    while True:
        status, headers, answer = await _call(application, line.url, body)
        if status != 429:
            return status, headers, answer
        await asyncio.sleep(_RETRY)


async def _call(application: Application, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """The application as a function (ASGI 3)."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": None,
        "server": ("localhost", 80),
    }
    asked = False
    status, headers, parts = 0, dict[str, str](), list[bytes]()

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # this client never goes
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update((name.decode().lower(), value.decode("latin-1")) for name, value in message["headers"])
        else:
            parts.append(message.get("body", b""))

    await application(scope, receive, send)
    return status, headers, b"".join(parts)
