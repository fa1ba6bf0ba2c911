# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plugins for a block, recorded hooks, a hub on the loopback, no network, and no pytest in any of it."""

from __future__ import annotations

import socket
import subprocess
import sys
from types import SimpleNamespace

import faults
import pytest

from tunesmith._plugins import authorize, get_host
from tunesmith.data.hub import HubReference, hub_files
from tunesmith.errors import DeniedError, ModelError, NotFoundError, PluginError
from tunesmith.models.hub import download
from tunesmith.plugin import Action, Deny, Event, RunNote, TransformSpec, hookimpl
from tunesmith.registry import get_registry
from tunesmith.testing import FakeHub, HookRecorder, WentOnlineError, no_network, plugin_installed

SQUEEZE = TransformSpec(name="squeeze", summary="One space", target=f"{faults.__name__}:Squeeze")
PLUGIN = SimpleNamespace(tunesmith_transforms=hookimpl(lambda: [SQUEEZE]))


def test_a_plugin_is_there_within_its_block_only():
    before = get_host()
    with plugin_installed(PLUGIN, name="demo") as registry:
        assert get_registry() is registry
        assert registry.load("transform", "demo/squeeze") is faults.Squeeze
        assert [one.name for one in get_host().records] == ["tunesmith", "demo"]
        with plugin_installed(SimpleNamespace(), name="other"):
            assert [one.name for one in get_host().records] == ["tunesmith", "demo", "other"]
    assert get_host() is before
    with pytest.raises(NotFoundError):
        get_registry().find("transform", "demo/squeeze")


def test_a_plugin_beside_those_installed():
    installed = {one.name for one in get_host().records}  # none but the built-ins where the wheel is tested alone
    with plugin_installed(PLUGIN, name="demo", alone=False):
        assert {one.name for one in get_host().records} == installed | {"demo"}


def test_a_broken_plugin_is_refused_and_nothing_stays():
    def tunesmith_tasks():
        return []

    before = get_host()
    with (
        pytest.raises(PluginError, match="broken: the function tunesmith_tasks is not marked"),
        plugin_installed(SimpleNamespace(tunesmith_tasks=tunesmith_tasks), name="demo"),
    ):
        pass
    assert get_host() is before


def test_a_recorder_keeps_events_actions_and_questions():
    def refuse(action):
        return Deny(reason="not on Sundays") if action.name == "train" else None

    told = []
    plugin = SimpleNamespace(
        tunesmith_transforms=hookimpl(lambda: [SQUEEZE]),
        tunesmith_run_note=hookimpl(lambda event: told.append(event.message)),
        tunesmith_authorize=hookimpl(refuse),
    )
    note = RunNote(run="runs/a", message="3 rows cut")
    with HookRecorder() as recorder, plugin_installed(plugin, name="demo"):
        assert recorder.asked("demo") == ["tunesmith_transforms"]
        get_host().notify(note)
        authorize(Action(name="evaluate", subject="runs/a"))
        with pytest.raises(DeniedError, match="not on Sundays"):
            authorize(Action(name="train", subject="runs/b"))
        assert recorder.events(RunNote) == recorder.events(Event) == [note]
        assert [action.subject for action in recorder.actions()] == ["runs/a", "runs/b"]
        assert [action.subject for action in recorder.actions("train")] == ["runs/b"]
        calls = [(call.hook, call.plugin) for call in recorder.calls if call.plugin == "demo"]
        assert calls == [
            ("tunesmith_transforms", "demo"),
            ("tunesmith_run_note", "demo"),
            ("tunesmith_authorize", "demo"),
            ("tunesmith_authorize", "demo"),
        ]
        assert recorder.calls[-1].answer == [Deny(reason="not on Sundays")]
        recorder.clear()
        assert not recorder.events(Event)
    assert told == ["3 rows cut"]


def test_what_a_hook_raises_is_recorded():
    def fail(event):
        raise ValueError("no disk")

    plugin = SimpleNamespace(tunesmith_run_note=hookimpl(fail))
    with plugin_installed(plugin, name="demo"), HookRecorder() as recorder:
        get_host().notify(RunNote(run="r", message="m"))
    (call,) = recorder.calls
    assert isinstance(call.error, ValueError)
    assert call.hook == "tunesmith_run_note"


def test_after_a_recorder_nothing_is_kept():
    with HookRecorder() as recorder:
        pass
    get_host().notify(RunNote(run="r", message="m"))
    assert recorder.events(Event) == []


def test_models_and_data_sets_of_a_fake_hub(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model" / "weights.bin").write_bytes(b"a pickle")
    with FakeHub() as hub:
        hub.add_model("someone/tiny", tmp_path / "model")
        hub.add_model("someone/secret", {"config.json": b"{}"}, gated=True)
        hub.add_dataset("someone/films", {"train.jsonl": b'{"text": "good"}\n', "test.jsonl": b'{"text": "bad"}\n'})
        folder, commit = download("someone/tiny")
        assert [path.name for path in folder.iterdir()] == ["config.json"]  # and never the pickle
        assert len(commit) == 40
        (file,) = hub_files(HubReference.parse("hub:someone/films#train"))
        assert file.path.read_bytes() == b'{"text": "good"}\n'
        with pytest.raises(ModelError, match="gated"):
            download("someone/secret")
        with pytest.raises(ModelError, match="the hub has no model someone/else"):
            download("someone/else")
        with pytest.raises(ModelError, match="no such revision"):
            download("someone/tiny", revision="v9")
        assert any("/api/datasets/someone/films" in request for request in hub.requests)
    from huggingface_hub import constants

    assert "127.0.0.1" not in constants.ENDPOINT


def test_a_fake_hub_takes_folders_and_mappings_only(tmp_path):
    with pytest.raises(ValueError, match="expected a folder or a mapping"):
        FakeHub().add_model("someone/tiny", tmp_path / "missing")
    with pytest.raises(ValueError, match="owner/name, given 'tiny'"):
        FakeHub().add_model("tiny", {})


def test_without_a_network_loopback_still_works():
    server = socket.create_server(("127.0.0.1", 0))
    with server, no_network() as attempts:
        with pytest.raises(WentOnlineError, match=r"something tried to reach 'films\.example'"):
            socket.create_connection(("films.example", 80))
        with pytest.raises(WentOnlineError, match=r"192\.0\.2\.1"), socket.socket() as plain:
            plain.connect(("192.0.2.1", 80))
        socket.create_connection(server.getsockname()).close()
    assert attempts == ["films.example", "192.0.2.1"]


def test_nothing_needs_pytest():
    code = """
import sys
sys.modules["pytest"] = None
import tunesmith.testing as testing
for name in testing.__all__:
    getattr(testing, name)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
