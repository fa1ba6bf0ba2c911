# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The engine for models that answer rows: the same answers as from Python, many requests in one batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tunesmith
from tunesmith.engine import EmbedRequest, Engine, GenerateRequest, PredictRequest, RankRequest, open_engine
from tunesmith.engine import rows as rows_file
from tunesmith.errors import CancelledError, RequestError
from tunesmith.testing import tiny_bert, tiny_image_model, tiny_llama

TEXTS = ("a card", "the rate of exchange is too high for me", "x", "where is my new card")


def trained(folder: Path, task: str, lines: list[str], model: Path) -> Path:
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    recipe = {
        "task": task,
        "model": str(model),
        "data": {"train": str(folder / "rows.csv")},
        "train": {"max_steps": 2, "precision": "fp32"},
        "output": str(folder / "run"),
    }
    return tunesmith.train(tunesmith.parse_recipe(recipe)).path


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedding")
    lines = ["anchor,positive", "hello,greeting", "bye,farewell", "thanks,gratitude"]
    return trained(folder, "embedding", lines, tiny_bert(folder / "bert"))


@pytest.fixture
def engine(classifier: Path) -> Iterator[Engine]:
    opened = open_engine(classifier)
    yield opened
    opened.close()


def test_answers_are_those_of_predict(engine: Engine, classifier: Path) -> None:
    expected = tunesmith.load(classifier).predict(TEXTS)
    whole = engine.submit(PredictRequest(rows=TEXTS)).result(30)
    for got, one in zip(whole.rows, expected, strict=True):
        assert got["label"] == one["label"]
        assert got["probability"] == pytest.approx(one["probability"], abs=1e-6)
    assert whole.usage.prompt_tokens > len(TEXTS)
    assert engine.info.kinds == {"predict"}
    assert engine.info.labels == ("card", "rate", "<b>other</b>")
    assert not engine.info.chats


def test_requests_share_batches_and_a_long_one_holds_nobody_up(
    classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_file, "_TOKENS", 64)
    engine = open_engine(classifier)
    sizes: list[int] = []
    outputs = engine._task.outputs  # type: ignore[attr-defined]

    def counted(model: Any, batch: Any) -> Any:
        sizes.append(len(batch.rows))
        time.sleep(0.005)
        return outputs(model, batch)

    engine._task.outputs = counted  # type: ignore[attr-defined]
    try:
        long = engine.submit(PredictRequest(rows=TEXTS * 50))
        short = engine.submit(PredictRequest(rows=TEXTS[:1]))
        short.result(30)
        assert not long.done
        assert len(long.result(30).rows) == 200
        assert len(sizes) > 5
    finally:
        engine.close()


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_batches_side_by_side_answer_the_same(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tunesmith.load(classifier).predict(TEXTS)
    monkeypatch.setattr(rows_file, "_TOKENS", 32)
    engine = open_engine(classifier)
    threads: set[str] = set()
    outputs = engine._task.outputs  # type: ignore[attr-defined]

    def watched(model: Any, batch: Any) -> Any:
        threads.add(threading.current_thread().name)
        time.sleep(0.01)
        return outputs(model, batch)

    engine._task.outputs = watched  # type: ignore[attr-defined]
    try:
        for got, one in zip(engine.submit(PredictRequest(rows=TEXTS * 30)).result(30).rows, expected * 30, strict=True):
            assert got["label"] == one["label"]
            assert got["probability"] == pytest.approx(one["probability"], abs=1e-6)
        assert len([name for name in threads if "beside" in name]) == 3
        engine._task.outputs = lambda *_: 1 / 0  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            engine.submit(PredictRequest(rows=TEXTS * 30)).result(30)
        engine._task.outputs = outputs  # type: ignore[attr-defined]
        assert len(engine.submit(PredictRequest(rows=TEXTS)).result(30).rows) == 4
        assert torch.get_num_threads() == 3
    finally:
        engine.close()


def test_a_cancelled_request_stops_computing(engine: Engine) -> None:
    stream = engine.submit(PredictRequest(rows=TEXTS * 500))
    stream.cancel()
    with pytest.raises(CancelledError):
        stream.result(20)
    assert len(engine.submit(PredictRequest(rows=TEXTS)).result(30).rows) == 4
    assert engine.stats().running == 0


@pytest.mark.parametrize(
    ("request_", "parameter", "words"),
    [
        (PredictRequest(rows=()), "rows", "there is nothing to answer"),
        (PredictRequest(rows=({"wrong": "x"},)), "rows", "cannot be read"),
        (PredictRequest(rows=(3,)), "rows", "must be a mapping of columns"),
        (PredictRequest(rows=("x",), adapter="a"), "adapter", "takes no adapters"),
        (EmbedRequest(texts=("x",)), None, "expected: a request of a kind it takes: predict"),
        (RankRequest(query="x", documents=("y",)), None, "does not answer such requests"),
        (GenerateRequest(prompt="x"), None, "does not answer such requests"),
    ],
)
def test_requests_that_cannot_be_answered(engine: Engine, request_: Any, parameter: str | None, words: str) -> None:
    with pytest.raises(RequestError) as caught:
        engine.submit(request_)
    assert " ".join(words.split()) in " ".join(str(caught.value).split())
    assert caught.value.parameter == parameter


def test_words_are_not_its_business(engine: Engine) -> None:
    with pytest.raises(RequestError, match="does not read prompts"):
        engine.tokenize("x")
    with pytest.raises(RequestError, match="does not read prompts"):
        engine.detokenize([1])


def test_vectors_and_ranking(embedder: Path) -> None:
    model, engine = tunesmith.load(embedder), open_engine(embedder)
    try:
        assert engine.info.kinds == {"predict", "embed", "rank"}
        vectors = engine.submit(EmbedRequest(texts=TEXTS)).result(30).vectors
        assert vectors.dtype == np.float32
        assert np.allclose(vectors, model.embed(TEXTS), atol=1e-5)
        ranking = engine.submit(RankRequest(query="hello", documents=TEXTS)).result(30)
        expected = model.embed(TEXTS) @ model.embed("hello")[0]
        assert ranking.scores == pytest.approx(expected.tolist(), abs=1e-5)
        with pytest.raises(RequestError, match="makes vectors of texts"):
            engine.submit(EmbedRequest(texts=((1, 2),)))
    finally:
        engine.close()


def test_a_reward_model_ranks_answers(tmp_path: Path) -> None:
    lines = ["prompt,chosen,rejected", "open?,at nine,perhaps", "abroad?,yes of course,no idea"]
    run = trained(tmp_path, "reward", lines, tiny_llama(tmp_path / "llama"))
    model, engine = tunesmith.load(run), open_engine(run)
    try:
        assert engine.info.kinds == {"predict", "rank"}
        documents = ("at nine", "perhaps not at all", "no")
        ranking = engine.submit(RankRequest(query="open?", documents=documents)).result(30)
        rows = [{"prompt": "open?", "completion": document} for document in documents]
        assert ranking.scores == pytest.approx([row["score"] for row in model.predict(rows)], abs=1e-5)
    finally:
        engine.close()


def test_an_answer_that_cannot_be_made_is_its_own_requests(engine: Engine) -> None:
    answer_row = engine._task.answer_row  # type: ignore[attr-defined]

    def broken(parts: Any, example: Any) -> Any:
        if example.text == "x":
            raise ZeroDivisionError("a fault of a plugin")
        return answer_row(parts, example)

    engine._task.answer_row = broken  # type: ignore[attr-defined]
    streams = [engine.submit(PredictRequest(rows=(text,))) for text in ("x", "a card")]
    with pytest.raises(ZeroDivisionError):
        streams[0].result(20)
    assert streams[1].result(20).rows[0]["label"]
    assert (engine.stats().failed, engine.stats().done) == (1, 1)


def test_in_bf16_it_is_products_and_not_pictures_that_are_rounded(classifier: Path, tmp_path: Path) -> None:
    pictures = open_engine(tiny_image_model(tmp_path / "net"), weights="bf16")
    texts = open_engine(classifier, weights="bf16")
    try:
        picture = np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8)
        for engine, rows in ((pictures, (picture,)), (texts, TEXTS)):
            (row, *_) = engine.submit(PredictRequest(rows=rows)).result(30).rows
            assert sum(row["probabilities"].values()) == pytest.approx(1, abs=0.01)
        expected = tunesmith.load(classifier).predict(TEXTS[0])[0]["probability"]
        got = texts.submit(PredictRequest(rows=TEXTS)).result(30).rows[0]["probability"]
        assert got == pytest.approx(expected, abs=0.05)
    finally:
        pictures.close()
        texts.close()
