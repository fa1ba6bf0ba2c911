# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""With llama.cpp itself: an exported model answers as the native engine does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tunesmith
from tunesmith.engine import Constraint, Engine, GenerateRequest, Sampling, open_engine
from tunesmith.errors import ModelError
from tunesmith.serve.parity import check_engine
from tunesmith.testing import tiny_llama

pytest.importorskip("llama_cpp", reason="needs llama-cpp-python: pip install 'tunesmith-llama-cpp[llama]'")
pytest.importorskip("gguf", reason="needs the package gguf: pip install 'tunesmith[gguf]'")

from tunesmith_llama_cpp.engine import LlamaCppEngine

SHARED = Path(__file__).resolve().parents[4] / "shared"
GREEDY = Sampling(temperature=0)
SCHEMA = Constraint("json_schema", '{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}')


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished chat run."""
    folder = tmp_path_factory.mktemp("run")
    rows = [f'{{"prompt": "say {word}", "completion": "{word}!"}}' for word in ("yes", "no", "up", "down") * 4]
    (folder / "chat.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    recipe = {
        "task": "chat",
        "model": str(tiny_llama(folder / "model")),
        "data": {"train": str(folder / "chat.jsonl")},
        "train": {"max_steps": 30, "learning_rate": 0.02, "tokens_per_batch": 256},
        "output": str(folder / "chat"),
    }
    return tunesmith.train(tunesmith.parse_recipe(recipe)).path


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    folder = run.parent / "exported"
    assert tunesmith.export_model(run, to="gguf", out=folder).state == "passed"
    return folder


@pytest.fixture(scope="module")
def native(run: Path) -> Iterator[Engine]:
    engine = open_engine(run, weights="fp32")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def engine(exported: Path) -> Iterator[Engine]:
    opened = LlamaCppEngine(f"{exported}#threads=1", slots=3)
    yield opened
    opened.close()


def said(engine: Engine, **request: Any) -> Any:
    return engine.submit(GenerateRequest(**request)).result(60)


def ids(generation: Any) -> list[list[int]]:
    return [[token.id for token in choice.tokens] for choice in generation.choices]


TALK = ({"role": "user", "content": "say up <|end|> – naïve 你好"},)


def test_it_says_of_itself_what_the_native_engine_says(engine: Engine, native: Engine) -> None:
    mine, theirs = engine.info, native.info
    for name in ("task", "kinds", "chats", "context", "weights", "sampling"):
        assert getattr(mine, name) == getattr(theirs, name), name
    assert mine.features == theirs.features - {"adapters"}


def test_prompts_become_the_tokens_of_training(engine: Engine, native: Engine) -> None:
    for prompt in (TALK, "say yes", ({"role": "system", "content": " a  b "}, *TALK)):
        found = engine.tokenize(prompt)
        assert found == native.tokenize(prompt)
        assert engine.detokenize(found) == native.detokenize(found)


@pytest.mark.parametrize("prompt", [TALK, "say yes", "say no", "x" * 60])
def test_greedy_tokens_are_equal(engine: Engine, native: Engine, prompt: Any) -> None:
    request = {"prompt": prompt, "max_new_tokens": 40, "sampling": GREEDY, "logprobs": 3}
    mine, theirs = said(engine, **request), said(native, **request)
    assert ids(mine) == ids(theirs)
    assert [token.text for token in mine.choices[0].tokens] == [token.text for token in theirs.choices[0].tokens]
    for one, other in zip(mine.choices[0].tokens, theirs.choices[0].tokens, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-3)
        assert [each.id for each in one.alternatives] == [each.id for each in other.alternatives]
        assert one.score.bytes == other.score.bytes


def test_drawn_tokens_are_equal_too(engine: Engine, native: Engine) -> None:
    sampling = Sampling(
        seed=7, temperature=0.8, top_p=0.9, repetition_penalty=1.1, presence_penalty=0.5, logit_bias=((40, -2.0),)
    )
    request = {"prompt": "say", "choices": 3, "max_new_tokens": 20, "sampling": sampling}
    mine, theirs = said(engine, **request), said(native, **request)
    assert ids(mine) == ids(theirs)
    assert len({choice.text for choice in mine.choices}) > 1


def test_constraints_stop_strings_and_settings_hold(engine: Engine, native: Engine) -> None:
    pytest.importorskip("llguidance", reason="needs llguidance: pip install 'tunesmith[serve]'")
    for request in (
        {"prompt": "say yes", "max_new_tokens": 40, "sampling": GREEDY, "constraint": SCHEMA},
        {"prompt": "say yes", "max_new_tokens": 40, "sampling": GREEDY, "stop_strings": ("s", "n")},
        {"prompt": "say yes", "max_new_tokens": 40, "sampling": GREEDY, "stop_tokens": frozenset()},
    ):
        mine, theirs = said(engine, **request), said(native, **request)
        assert (mine.text, ids(mine)) == (theirs.text, ids(theirs))


def test_many_at_once_and_one_by_one_are_equal(engine: Engine) -> None:
    requests = [
        GenerateRequest(
            prompt=f"say {word}", max_new_tokens=20, sampling=Sampling(seed=number), stop_tokens=frozenset()
        )
        for number, word in enumerate(("yes", "no", "up", "down", "a", "b", "c"))
    ]
    alone = [ids(engine.submit(request).result(60)) for request in requests]
    streams = [engine.submit(request) for request in requests]
    assert [ids(stream.result(60)) for stream in streams] == alone
    stats = engine.stats()
    assert (stats.slots_used, stats.running, stats.failed) == (0, 0, 0)


def test_what_is_held_of_a_prompt_is_gone_on_from(engine: Engine) -> None:
    request = {"prompt": "tell me, and take your time, of the sea", "max_new_tokens": 8, "sampling": GREEDY}
    first, second = said(engine, **request), said(engine, **request)
    assert second.usage.cached_tokens == second.usage.prompt_tokens - 1
    assert ids(first) == ids(second)


def test_the_runs_golden_rows_are_answered_as_in_training(engine: Engine, run: Path) -> None:
    findings = check_engine(engine, run)
    assert {finding.name for finding in findings} >= {"token ids", "greedy tokens", "log-probabilities"}
    assert all(finding.holds for finding in findings)


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_in_fewer_bits(run: Path, quantize: str, tmp_path: Path) -> None:
    tunesmith.export_model(run, to="gguf", out=tmp_path / "out", quantize=quantize, check="warn")
    engine = LlamaCppEngine(str(tmp_path / "out"), slots=1)
    found = said(engine, prompt="say yes", max_new_tokens=8)
    engine.close()
    assert engine.info.weights == ("int8" if quantize == "int8" else "")
    assert found.usage.completion_tokens >= 1


@pytest.mark.parametrize("name", ["stories260k", "tunesmith/tiny"])
def test_models_of_text(name: str, tmp_path: Path) -> None:
    """Bytes joined, and pieces of SentencePiece's kind."""
    source = name if "/" in name else str(SHARED / "models" / name)
    if "/" not in name and not SHARED.is_dir():
        pytest.skip("needs the models of ../shared, which are not beside this checkout")
    tunesmith.export_model(source, to="gguf", out=tmp_path / "out")
    native, engine = open_engine(source, weights="fp32"), LlamaCppEngine(str(tmp_path / "out"), slots=2)
    for prompt in ("Once upon a time", "", "naïve 你好 <s> x"):
        assert engine.tokenize(prompt) == native.tokenize(prompt)
        assert engine.detokenize(engine.tokenize(prompt)) == native.detokenize(native.tokenize(prompt))
    request = {"prompt": "Once upon a time", "max_new_tokens": 60, "sampling": GREEDY}
    assert said(engine, **request).text == said(native, **request).text
    native.close()
    engine.close()


def test_a_file_that_is_cut_short(exported: Path, tmp_path: Path) -> None:
    content = (exported / "model.gguf").read_bytes()
    (tmp_path / "half.gguf").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"llama\.cpp cannot open") as caught:
        LlamaCppEngine(str(tmp_path / "half.gguf"))
    assert "not within the file bounds" in str(caught.value.given)
