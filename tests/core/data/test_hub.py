# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Data sets on the hub, against a hub of our own on the loopback."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

from tunesmith.data.hub import HubReference, hub_files, looks_like_hub_id
from tunesmith.data.sources import find_sources, read_rows
from tunesmith.errors import DataError, OfflineError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "README.md": b"# Films",
    "films.py": b"raise SystemExit('scripts are never run')",
    "data/train-00000-of-00002.jsonl": b'{"text": "a"}\n{"text": "b"}\n',
    "data/train-00001-of-00002.jsonl": b'{"text": "c"}\n{"text" "broken"}\n',
    "data/validation-00000-of-00001.jsonl": b'{"text": "v"}\n',
}


class _Hub(BaseHTTPRequestHandler):
    """Just enough of the hub's HTTP interface: a data set's file list, and its files."""

    repos: dict[str, dict[str, bytes]]
    refuse: dict[str, tuple[int, str]]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts[:2] == ["api", "datasets"]:
            repo = "/".join(parts[2:4])
            if parts[4:5] == ["revision"] and parts[5] not in ("main", "v2", COMMIT):
                return self._send(404, b"", body, {"X-Error-Code": "RevisionNotFound"})
            if f"api:{repo}" in self.refuse or repo not in self.repos:
                status, code = self.refuse.get(f"api:{repo}", (404, "RepoNotFound"))
                return self._send(status, b"", body, {"X-Error-Code": code})
            siblings = [{"rfilename": name} for name in self.repos[repo]]
            info = {"id": repo, "_id": "1", "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
            return self._send(200, json.dumps(info).encode(), body, {"Content-Type": "application/json"})
        repo = "/".join(parts[1:3])
        if repo in self.refuse:
            status, code = self.refuse[repo]
            return self._send(status, b"", body, {"X-Error-Code": code})
        content = self.repos[repo]["/".join(parts[5:])]
        etag = hashlib.sha1(content).hexdigest()
        return self._send(200, content, body, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

    def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def constants(monkeypatch, tmp_path):
    """The hub client's settings, with a cache of the test's own. It read the environment when it was imported."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.chdir(tmp_path)
    return constants


@pytest.fixture
def hub(constants, monkeypatch):
    """A running hub; ``hub.repos`` and ``hub.refuse`` say what it has."""
    handler = type("Hub", (_Hub,), {"repos": {"someone/films": dict(FILES)}, "refuse": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def _files(text: str, **options):
    return hub_files(HubReference.parse(text), **options)


def _error(text: str, kind=DataError, **options) -> str:
    with pytest.raises(kind) as caught:
        _files(text, **options)
    return str(caught.value)


def test_a_split_is_found_downloaded_and_read(hub, section, registry):
    items = list(read_rows(["hub:someone/films#train"], section(), registry))
    assert [item.values["text"] for item in items[:3]] == ["a", "b", "c"]
    assert items[3].message.startswith("not JSON")
    name = f"hub:someone/films@{COMMIT}/data/train-0000{{}}-of-00002.jsonl"
    assert [str(item.origin) for item in items] == [
        f"{name.format(shard)}:{line}" for shard in (0, 1) for line in (1, 2)
    ]


def test_a_bare_id_means_the_hub_where_no_such_path_exists(hub, section, registry, tmp_path):
    assert len(find_sources(["someone/films#dev"], section(), registry)) == 1
    (tmp_path / "someone").mkdir()
    with pytest.raises(DataError, match="if it is a data set on the hub, write hub:someone/films"):
        find_sources(["someone/films"], section(), registry)


def test_a_revision_reaches_the_hub(hub):
    assert len(_files("hub:someone/films@v2#train")) == 2
    message = _error("hub:someone/films@v9#train")
    assert "the data set has no such revision" in message
    assert "given:    v9" in message


def test_without_a_split_the_splits_are_listed(hub):
    message = _error("hub:someone/films")
    assert "which split?" in message
    assert "one of train, validation" in message
    assert "write hub:someone/films#train" in message


def test_no_files_of_the_split(hub):
    message = _error("hub:someone/films#test")
    assert "no data files of this split" in message
    assert "splits found: train, validation" in message
    hub.repos["someone/films"] = {"films.py": b"", "README.md": b""}
    assert "its scripts are not run" in _error("hub:someone/films#train")


def test_folders_and_formats_must_be_chosen(hub):
    hub.repos["someone/films"] = dict.fromkeys(("en/train.csv", "fr/train.csv", "fr/train.jsonl"), b"x")
    message = _error("hub:someone/films#train", format_name="csv")
    assert "the split lies in several folders" in message
    assert "given:    en, fr" in message
    assert "the split comes in several formats" in _error("hub:someone/films/fr#train")
    assert [file.path.name for file in _files("hub:someone/films/fr#train", format_name="csv")] == ["train.csv"]


def test_a_missing_part_of_a_split_is_an_error(hub):
    del hub.repos["someone/films"]["data/train-00000-of-00002.jsonl"]
    message = _error("hub:someone/films#train")
    assert "1 of 2 parts of the split are not there" in message
    assert "also part 00000" in message


def test_not_found_and_gated_are_told_apart(hub):
    assert "no such data set on the hub, or it is private" in _error("hub:someone/flims#train")
    hub.refuse["someone/films"] = (403, "GatedRepo")
    message = _error("hub:someone/films#train")
    assert "the data set is gated, and you have no access to it" in message
    assert "ask for access on https://huggingface.co/datasets/someone/films" in message
    hub.refuse["someone/films"] = (401, "GatedRepo")
    assert "is gated" in _error("hub:someone/films#train")
    hub.refuse["api:someone/films"] = (403, "")
    assert "is gated" in _error("hub:someone/films#train")


def test_no_network_names_the_offline_ways(constants, monkeypatch, tmp_path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{held.getsockname()[1]}")
        message = _error("hub:someone/films#train", OfflineError)
    assert "the hub cannot be reached, and the data set is not in its cache" in message
    assert "hf download someone/films --repo-type dataset" in message
    assert "HF_HUB_CACHE" in message
    assert str(tmp_path / "cache") in message
    assert "data.train=folder/train.parquet" in message


def test_offline_mode_is_named(constants, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "offline" in _error("hub:someone/films#train", OfflineError).lower()


def test_what_was_downloaded_is_found_without_a_network(hub, constants, monkeypatch, caplog):
    online = _files("hub:someone/films#train")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert _files("hub:someone/films#train") == online
    assert "using the copy in the cache" in caplog.text
    assert "no data files of this split" in _error("hub:someone/films#validation", OfflineError)


@pytest.mark.parametrize("status", [500, 429])
def test_a_hub_that_fails_is_not_reachable(hub, status):
    hub.refuse["api:someone/films"] = (status, "")
    assert f"HTTP status {status}" in _error("hub:someone/films#train", OfflineError)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hub:a/b", ("a/b", "", None, None)),
        ("hub:a/b#train", ("a/b", "", None, "train")),
        ("hub:a/b/main@refs/convert/parquet#test", ("a/b", "main", "refs/convert/parquet", "test")),
        ("hub:a-x/b.c/d/e#x", ("a-x/b.c", "d/e", None, "x")),
    ],
)
def test_references_are_taken_apart(text, parts):
    found = HubReference.parse(text)
    assert (found.repo, found.folder, found.revision, found.split) == parts


@pytest.mark.parametrize("text", ["hub:", "hub:alone", "hub:../x", "hub:a/b#", "hub:a//b"])
def test_other_forms_are_refused(text):
    with pytest.raises(DataError, match="expected: hub:OWNER/NAME#SPLIT"):
        HubReference.parse(text)


def test_what_looks_like_an_id():
    assert looks_like_hub_id("openai/gsm8k")
    assert looks_like_hub_id("openai/gsm8k#test")
    for path in ("data/train.csv", "data/train.csv.gz", "/abs/path", "../a/b", "train", "a/b/c"):
        assert not looks_like_hub_id(path)
