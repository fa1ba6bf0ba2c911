# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A hub for offline tests: a server on the loopback that speaks as much of the Hugging Face hub as is needed here."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

__all__ = ["FakeHub"]

Files = Mapping[str, bytes]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
"""Of every repository of a fake hub: it has one revision, ``main``."""


class FakeHub:
    """Within its block, ids of models and data sets of the hub are found here, and nowhere else::

        with FakeHub() as hub:
            hub.add_model("someone/tiny", tiny_bert(tmp_path / "bert"))
            hub.add_dataset("someone/films", {"train.jsonl": b'{"text": "good"}'})

    The block has a cache of its own; what the real one holds is not seen. It is for one block of the process at a time.

    Attributes:
        requests: what was asked for, ``GET /api/models/someone/tiny``, in order.
        endpoint: the address, while the block is open.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.endpoint = ""
        self._repos: dict[tuple[str, str], Files] = {}
        self._gated: set[tuple[str, str]] = set()
        self._open = ExitStack()

    def add_model(self, repo: str, files: str | Path | Files, *, gated: bool = False) -> None:
        """A model ``owner/name``.

        Args:
            repo: its id.
            files: a folder, read now; or file name to content.
            gated: it is listed, and nobody has access.
        """
        self._add("models", repo, files, gated)

    def add_dataset(self, repo: str, files: str | Path | Files, *, gated: bool = False) -> None:
        """A data set ``owner/name``, as :meth:`add_model`."""
        self._add("datasets", repo, files, gated)

    def __enter__(self) -> FakeHub:
        from huggingface_hub import constants

        handler = type("Handler", (_Handler,), {"hub": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{server.server_port}"
        with ExitStack() as stack:
            stack.enter_context(_serving(server))
            cache = stack.enter_context(tempfile.TemporaryDirectory(prefix="tunesmith-hub-"))
            stack.enter_context(patch.dict(os.environ, {"HF_ENDPOINT": self.endpoint, "HF_HUB_CACHE": cache}))
            # The client read the environment when it was imported, and reads these when it is used.
            url = self.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
            settings = {
                "ENDPOINT": self.endpoint,
                "HUGGINGFACE_CO_URL_TEMPLATE": url,
                "HF_HUB_CACHE": cache,
                "HF_HUB_OFFLINE": False,
                "HF_HUB_DISABLE_XET": True,
            }
            for name, value in settings.items():
                stack.enter_context(patch.object(constants, name, value))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()
        self.endpoint = ""

    def _add(self, kind: str, repo: str, files: str | Path | Files, gated: bool) -> None:
        if repo.count("/") != 1:
            raise ValueError(f"a repository is named owner/name, given {repo!r}")
        if not isinstance(files, Mapping):
            folder = Path(files)
            if not folder.is_dir():
                raise ValueError(f"{repo}: expected a folder or a mapping of names to bytes, given {files!r}")
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        self._repos[kind, repo] = dict(files)
        if gated:
            self._gated.add((kind, repo))

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, content and headers for a path of the hub's HTTP interface."""
        parts = unquote(urlsplit(path).path).strip("/").split("/")
        if parts[0] == "api" and parts[1:2] in (["models"], ["datasets"]):
            return self._listed(parts[1], "/".join(parts[2:4]), parts[4:])
        kind = "datasets" if parts[0] == "datasets" else "models"
        return self._file(kind, parts[1:] if kind == "datasets" else parts)

    def _listed(self, kind: str, repo: str, rest: list[str]) -> tuple[int, bytes, dict[str, str]]:
        files = self._repos.get((kind, repo))
        if files is None:
            return 404, b"", {"X-Error-Code": "RepoNotFound"}
        if rest[:1] in (["revision"], ["tree"]) and not _known(rest[1]):
            return 404, b"", {"X-Error-Code": "RevisionNotFound"}
        if rest[:1] == ["tree"]:
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in files.items()
            ]
            return 200, json.dumps(entries).encode(), {"Content-Type": "application/json"}
        info: dict[str, Any] = {
            "id": repo,
            "_id": "1",
            "sha": COMMIT,
            "siblings": [{"rfilename": name} for name in files],
            "tags": [],
            "private": False,
            "downloads": 0,
            "likes": 0,
        }
        return 200, json.dumps(info).encode(), {"Content-Type": "application/json"}

    def _file(self, kind: str, parts: list[str]) -> tuple[int, bytes, dict[str, str]]:
        repo, files = "/".join(parts[:2]), self._repos.get((kind, "/".join(parts[:2])))
        if files is None:
            return 404, b"", {"X-Error-Code": "RepoNotFound"}
        if (kind, repo) in self._gated:
            return 403, b"", {"X-Error-Code": "GatedRepo"}
        if not _known(parts[3]):
            return 404, b"", {"X-Error-Code": "RevisionNotFound"}
        content = files.get("/".join(parts[4:]))
        if content is None:
            return 404, b"", {"X-Error-Code": "EntryNotFound"}
        return 200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        status, content, headers = self.hub.answer(self.path)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        return  # a test's output is its own


@contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _known(revision: str) -> bool:
    return revision in ("main", COMMIT)
