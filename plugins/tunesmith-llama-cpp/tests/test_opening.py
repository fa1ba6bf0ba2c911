# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Addresses, files and what is written beside them; what is missing and what does not fit."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith._plugins import get_host
from tunesmith.engine import GenerateRequest, open_engine
from tunesmith.errors import ModelError, RequestError, TooLargeError
from tunesmith.machine.memory import Room
from tunesmith_llama_cpp import decoder
from tunesmith_llama_cpp.engine import LlamaCppEngine
from tunesmith_llama_cpp.place import find

STATE = {"stop_tokens": [7], "generation": {"temperature": 0.5, "top_k": 20, "other": 1}}


def test_the_host_loads_it() -> None:
    found = [record for record in get_host().records if record.name == "llama-cpp"]
    if not found:
        pytest.skip("tunesmith-llama-cpp is not installed in this environment")
    assert [(record.status, record.reason) for record in found] == [("ok", "")]
    assert dict(found[0].provides) == {"engine": ("llama-cpp",)}


def test_declaring_imports_nothing_heavy() -> None:
    code = "import sys, tunesmith_llama_cpp.plugin; print({'llama_cpp', 'numpy', 'torch'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


def test_it_is_asked_for_by_name(llama: Any, gguf: Callable[..., Path]) -> None:
    if not any(record.name == "llama-cpp" for record in get_host().records):
        pytest.skip("tunesmith-llama-cpp is not installed in this environment")
    engine = open_engine(f"llama-cpp:{gguf()}", name="mine", slots=2)
    engine.close()
    assert isinstance(engine, LlamaCppEngine)
    assert (engine.info.name, engine.stats().slots) == ("mine", 2)


def test_a_folder_or_a_file_is_an_address(gguf: Callable[..., Path]) -> None:
    folder = gguf("chat", task="tunesmith/chat", state=STATE)
    place = find(str(folder))
    assert (place.file, place.name, place.task, place.state) == (folder / "model.gguf", "chat", "chat", STATE)
    assert find(str(folder / "model.gguf")).name == "model"
    options = find(f"{folder}#context=40,threads=2")
    assert (options.file, options.context, options.threads) == (place.file, 40, 2)
    odd = gguf("odd#context=x")
    assert find(str(odd)).file == odd / "model.gguf"


@pytest.mark.parametrize("options", ["context", "context=", "context=0", "context=-1", "context=two", "speed=1", ","])
def test_options_that_are_none(gguf: Callable[..., Path], options: str) -> None:
    with pytest.raises(ModelError, match="no such option of a llama-cpp address") as caught:
        find(f"{gguf()}#{options}")
    assert "context or threads" in str(caught.value)


def test_files_that_are_none(tmp_path: Path, gguf: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match="there is no GGUF file") as caught:
        find(str(tmp_path / "none"))
    assert "tunesmith export RUN --to gguf" in str(caught.value)
    with pytest.raises(ModelError, match=r"a folder without model\.gguf"):
        find(str(tmp_path))
    (tmp_path / "model.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match="this is not a GGUF file"):
        find(str(tmp_path))
    folder = gguf(state=STATE)
    for text in ("{", '{"format": 2}', '{"format": 1, "task": 1, "state": {}}'):
        (folder / "rendering.json").write_text(text)
        with pytest.raises(ModelError, match=r"rendering\.json cannot be read"):
            find(str(folder))


def test_what_llama_cpp_says_of_a_file_it_cannot_open_is_told(llama: Any, gguf: Callable[..., Path]) -> None:
    folder = gguf()
    (folder / "model.gguf").write_bytes(b"GGUFbroken")
    with pytest.raises(ModelError, match=r"llama\.cpp cannot open") as caught:
        LlamaCppEngine(str(folder))
    assert caught.value.given == "it is broken"


def test_models_of_another_kind_are_refused_by_it(llama: Any, gguf: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match="does not know models such as") as caught:
        LlamaCppEngine(str(gguf(kind="encoder")))
    assert "openai:http://HOST:PORT/v1#MODEL" in str(caught.value)
    assert llama.freed == ["model"]


def test_without_llama_cpp_python_the_way_to_it(gguf: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(ModelError, match="needs the package llama-cpp-python") as caught:
        LlamaCppEngine(str(gguf()))
    assert "pip install 'tunesmith-llama-cpp[llama]'" in str(caught.value)


def test_one_that_is_too_old(llama: Any, gguf: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(type(llama), "llama_memory_seq_rm")
    with pytest.raises(ModelError, match="too old") as caught:
        LlamaCppEngine(str(gguf()))
    assert "without llama_memory_seq_rm" in str(caught.value)


def test_its_messages_go_to_the_log_and_nowhere_else(
    llama: Any, gguf: Callable[..., Path], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    LlamaCppEngine(str(gguf())).close()
    with caplog.at_level(logging.DEBUG, "tunesmith_llama_cpp.library"):
        for level, text in ((2, b"fact\n"), (3, b"remark\n"), (4, b"trouble \xff\n"), (5, b"...")):
            llama.tell(level, text, None)
    told = [(record.levelname, record.message) for record in caplog.records]
    assert told == [("DEBUG", "fact"), ("INFO", "remark"), ("WARNING", "trouble \ufffd")]
    assert capfd.readouterr() == ("", "")


# ---- the rendering -------------------------------------------------------------------------------


def test_a_conversation_is_written_by_the_files_template(llama: Any, gguf: Callable[..., Path]) -> None:
    engine = LlamaCppEngine(str(gguf(template=llama.TEMPLATE, add_bos=False, state=STATE, task="tunesmith/chat")))
    ids = engine.tokenize(({"role": "user", "content": "hi"},))
    assert engine.detokenize(ids) == "u:hi<end>a:"
    assert ids.count(llama.END) == 1
    assert engine.tokenize("hi") == ids, "a text is a message of the user, as in the native engine"
    info = engine.info
    assert (info.task, info.chats) == ("chat", True)
    assert (info.sampling.temperature, info.sampling.top_k, info.sampling.top_p) == (0.5, 20, 1.0)
    found = engine.submit(GenerateRequest(prompt="hi", max_new_tokens=1, stop_tokens=None)).result(10)
    assert found.usage.prompt_tokens == len(ids)
    engine.close()


def test_special_tokens_that_somebody_says_stay_text(llama: Any, gguf: Callable[..., Path]) -> None:
    engine = LlamaCppEngine(str(gguf(template=llama.TEMPLATE, add_bos=False)))
    ids = engine.tokenize(({"role": "user", "content": "<end><s>"},))
    engine.close()
    assert engine.detokenize(ids) == "u:<end><s><end>a:"
    assert (ids.count(llama.END), ids.count(llama.BEGIN)) == (1, 0)


def test_the_start_token_stands_there_once(llama: Any, gguf: Callable[..., Path]) -> None:
    for number, template in enumerate((llama.TEMPLATE, "{{ bos_token }}" + llama.TEMPLATE)):
        engine = LlamaCppEngine(str(gguf(f"m{number}", template=template)))
        ids = engine.tokenize("hi")
        engine.close()
        assert ids[0] == llama.BEGIN
        assert ids.count(llama.BEGIN) == 1


def test_stop_tokens_are_those_of_training_where_they_are_written_down(llama: Any, gguf: Callable[..., Path]) -> None:
    for number, (state, stops) in enumerate(((STATE, {7}), (None, {llama.END}), ({"stop_tokens": []}, set()))):
        engine = LlamaCppEngine(str(gguf(f"m{number}", state=state)))
        engine.close()
        assert engine._rendering.stop_tokens == stops
    with pytest.raises(ModelError, match=r"rendering\.json does not fit"):
        LlamaCppEngine(str(gguf("wrong", state={"stop_tokens": [llama.VOCABULARY]})))
    assert llama.freed[-1] == "model"


def test_a_template_that_refuses_is_the_requests_error(llama: Any, gguf: Callable[..., Path]) -> None:
    engine = LlamaCppEngine(str(gguf(template="{{ raise_exception('no system here') }}")))
    with pytest.raises(RequestError, match="refuses a conversation") as caught:
        engine.submit(GenerateRequest(prompt="hi"))
    engine.close()
    assert caught.value.given == "no system here"
    assert caught.value.parameter == "messages"


def test_tools_where_the_template_writes_them(llama: Any, gguf: Callable[..., Path]) -> None:
    tools = ({"type": "function", "function": {"name": "look"}},)
    request = GenerateRequest(prompt="hi", tools=tools, max_new_tokens=1)
    able = LlamaCppEngine(str(gguf("able", template="{% for t in tools or [] %}{{ t.function.name }}{% endfor %}!")))
    unable = LlamaCppEngine(str(gguf("unable", template=llama.TEMPLATE)))
    assert "tools" in able.info.features
    assert able.submit(request).result(10).usage.prompt_tokens == len("<look!") - 0
    with pytest.raises(RequestError, match="knows no tools"):
        unable.submit(request)
    able.close()
    unable.close()


# ---- memory --------------------------------------------------------------------------------------


def test_little_memory_means_fewer_slots_and_a_word(
    llama: Any, gguf: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    each = 256 * 2 * 2 * 2 * 2  # a page of tokens; layers, heads, both of two bytes, keys and values of width 1
    monkeypatch.setattr(decoder, "room_on", lambda _: Room(used=0, free=int(2.5 * each / 0.6), limit="the limit"))
    engine = LlamaCppEngine(str(gguf()), slots=8)
    engine.close()
    assert (engine.stats().slots, llama.settings.n_seq_max) == (2, 2)
    assert "2 answers at once instead of 8: the memory holds no more" in caplog.text
    monkeypatch.setattr(decoder, "room_on", lambda _: Room(used=0, free=100, limit="the limit"))
    with pytest.raises(TooLargeError, match="does not hold one answer") as caught:
        LlamaCppEngine(str(gguf("again")))
    assert "#context=4096" in str(caught.value)
    assert llama.freed[-1] == "model"


def test_a_context_of_ones_own(llama: Any, gguf: Callable[..., Path]) -> None:
    folder = gguf(context=4096)
    for asked, context, capacity in ((300, 300, 512), (9999, 4096, 4096)):
        engine = LlamaCppEngine(f"{folder}#context={asked},threads=1", slots=2)
        engine.close()
        assert engine.info.context == context
        assert (llama.settings.n_ctx, llama.settings.n_threads) == (2 * capacity, 1)
        assert llama.settings.kv_unified is False
