# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""``Model`` as people use it from Python."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import tunesmith.engine
from tunesmith.data.rows import Origin, Row
from tunesmith.engine import Model, Sampling, load
from tunesmith.errors import DataError, ModelError

TEXTS = ["I lost my card", "what is the rate?", "x", "a much longer question about nothing at all", ""]


@pytest.fixture(scope="module")
def labels(classifier: Path) -> Model:
    return load(classifier, device="cpu")


@pytest.fixture(scope="module")
def text(writer: Path) -> Model:
    return load(writer, device="cpu")


@pytest.fixture(scope="module")
def chat(talker: Path) -> Model:
    return load(talker, device="cpu")


def test_the_public_names() -> None:
    requests = ["Constraint", "EmbedRequest", "GenerateRequest", "PredictRequest", "RankRequest", "Sampling"]
    answers = ["Choice", "Embeddings", "Generation", "Predictions", "Ranking", "Token", "TokenScore", "Usage"]
    engines = ["Engine", "EngineInfo", "EngineStats", "Model", "Stream", "load", "open_engine", "Acceleration"]
    order = ["Measure", "Origin", "Queue", "Scheduler", "Ticket", "Times"]
    names = sorted([*requests, *answers, *engines, *order])
    assert tunesmith.engine.__all__ == names
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tunesmith.engine.nothing  # noqa: B018


def test_importing_the_room_stays_cheap() -> None:
    code = "import sys, tunesmith.engine, tunesmith.evaluate; print('torch' in sys.modules, 'jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


# ---- predict -----------------------------------------------------------------------------------


def test_a_classifier_answers_in_the_rows_order(labels: Model) -> None:
    assert (labels.task, labels.device) == ("text-classification", torch.device("cpu"))
    texts = TEXTS[:4]
    together = labels.predict(texts, tokens_per_batch=64)
    for sentence, answer in zip(texts, together, strict=True):
        alone = labels.predict(sentence)
        assert len(alone) == 1
        assert answer["label"] == alone[0]["label"]
        assert answer["probability"] == pytest.approx(alone[0]["probability"], abs=1e-5)
        assert answer["probability"] == max(answer["probabilities"].values())
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert list(answer["probabilities"]) == ["card", "rate", "<b>other</b>"]
    assert len({answer["probability"] for answer in together}) == len(texts)


def test_rows_come_in_several_forms(labels: Model) -> None:
    expected = labels.predict("I lost my card")
    assert labels.predict({"text": "I lost my card"}) == expected
    assert labels.predict({"sentence": "I lost my card", "label": "unknown here"}) == expected
    assert labels.predict({"body": "I lost my card"}, columns={"text": "body"}) == expected
    assert labels.predict(Row({"text": "I lost my card"}, Origin("f.csv", 2))) == expected
    assert labels.predict(row for row in ["I lost my card"]) == expected
    assert labels.predict([]) == []


def test_all_bad_rows_are_named_at_once(labels: Model) -> None:
    rows = ["fine", {"text": None}, {"number": 3}, Row({"text": None}, Origin("f.csv", 9))]
    with pytest.raises(DataError) as caught:
        labels.predict(rows)
    words = str(caught.value)
    assert "3 of 4 rows cannot be predicted" in words
    assert "rows[1]: " in words
    assert "rows[2]: no column for 'text'" in words
    assert "f.csv:9: " in words
    assert "rows[0]" not in words


def test_the_column_of_the_training_wins_over_one_of_the_task_s_name(classifier: Path) -> None:
    model = load(classifier, device="cpu")
    model.definition.data = model.definition.data.model_copy(update={"columns": {"text": "body"}})
    row = {"text": "a title, which training did not read", "body": "I lost my card"}
    assert model.predict(row) == model.predict("I lost my card")


def test_a_column_that_a_whole_file_lacks_is_one_error(labels: Model) -> None:
    rows = [Row({"remark": "hello"}, Origin("f.csv", line)) for line in (2, 3)]
    with pytest.raises(DataError) as caught:
        labels.predict(rows)
    words = str(caught.value)
    assert words.startswith("f.csv: no column for 'text'\n  given:    columns remark\n")
    assert "--columns text=COLUMN" in words
    assert "--set" not in words


def test_a_line_of_text_is_a_message_to_a_chat_model(chat: Model) -> None:
    expected = chat.predict("hello", max_new_tokens=3)
    line = Row({"text": "hello"}, Origin("questions.txt", 1))
    assert chat.predict(line, max_new_tokens=3) == expected
    assert chat.predict(line, columns={"prompt": "text"}, max_new_tokens=3) == expected


@pytest.mark.parametrize(
    ("rows", "message"), [(5, "rows must be a row or several, given int: 5"), ([5], r"rows\[0\] must be")]
)
def test_what_is_no_row_is_a_type_error(labels: Model, rows: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        labels.predict(rows)  # type: ignore[arg-type]


def test_cut_rows_are_told_once(labels: Model, caplog: pytest.LogCaptureFixture) -> None:
    labels.predict(["long " * 100, "short"])
    labels.predict("longer " * 100)
    assert [("truncated to 64 tokens" in record.message) for record in caplog.records] == [True]
    assert len(labels.notes) == 1
    assert labels.notes[0].startswith("2 of ")


def test_threads_may_share_a_model(labels: Model) -> None:
    expected = [labels.predict(sentence) for sentence in TEXTS[:4]]
    found: dict[int, object] = {}

    def work(number: int) -> None:
        found[number] = labels.predict(TEXTS[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(4)] == expected


def test_a_classifier_says_that_it_does_not_write(labels: Model) -> None:
    for call in (lambda: labels.generate("a"), lambda: labels.stream("a"), lambda: labels.chat([])):
        with pytest.raises(ModelError, match="does not generate text") as caught:
            call()
        assert "use predict(rows)" in str(caught.value)


# ---- generate ----------------------------------------------------------------------------------


def test_greedy_text_streams_to_the_same_text(text: Model) -> None:
    whole = text.generate("ab", max_new_tokens=30, greedy=True)
    pieces = list(text.stream("ab", max_new_tokens=30, greedy=True))
    assert "".join(pieces) == whole
    assert all(pieces)
    assert text.predict([{"text": "ab"}], max_new_tokens=30) == [{"text": whole, "finish": "length"}]


def test_a_seed_is_a_text(text: Model) -> None:
    first, again, other = (text.generate("", seed=seed, max_new_tokens=30) for seed in (1, 1, 2))
    assert first == again != other


def test_the_default_length_fits_the_context(text: Model) -> None:
    tokens = list(text.tokens("a" * 50, Sampling(temperature=0)))
    assert len(tokens) <= 64 - 51
    with pytest.raises(ModelError, match="do not fit into the model's context"):
        text.generate("a" * 64)
    with pytest.raises(ModelError, match=r"rows\[1\]: prompt and answer do not fit"):
        text.predict(["a", "a" * 64])


def test_stop_strings_end_it(text: Model) -> None:
    whole = text.generate("ab", max_new_tokens=30, greedy=True)
    stop = whole[5:7]
    assert text.generate("ab", max_new_tokens=30, greedy=True, stop=[stop]) == whole[: whole.index(stop)]
    assert text.generate("ab", max_new_tokens=30, greedy=True, stop=stop) == whole[: whole.index(stop)]


def test_bytes_that_are_no_text_are_no_bug(text: Model, chat: Model) -> None:
    for model, prompt in ((text, "a\udcff"), (chat, "a\udcff"), (chat, [{"role": "user", "content": "a\udcff"}])):
        with pytest.raises(DataError, match="the prompt holds something that is no text") as caught:
            model.generate(prompt)
        assert "\\udcff" in str(caught.value)


def test_settings_that_exclude_each_other(text: Model) -> None:
    with pytest.raises(ValueError, match="greedy draws nothing, so temperature, top_k cannot be given with it"):
        text.generate("a", greedy=True, temperature=0.5, top_k=3)
    with pytest.raises(ValueError, match="top_p is out of range"):
        text.generate("a", top_p=0)


def test_the_models_own_settings_are_the_defaults(text: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    greedy = text.generate("ab", max_new_tokens=20, greedy=True)
    monkeypatch.setattr(text.definition, "generation", {"top_k": 1})
    assert text.generate("ab", max_new_tokens=20) == greedy
    assert text.generate("ab", max_new_tokens=20, top_k=0, temperature=5) != greedy


def test_a_model_of_text_says_that_it_does_not_chat(text: Model) -> None:
    assert not text.chats
    with pytest.raises(ModelError, match="has not learned to answer messages") as caught:
        text.chat([{"role": "user", "content": "Hello"}])
    assert "use generate(text)" in str(caught.value)


def test_chat_answers_messages_and_a_text_is_one_message(chat: Model) -> None:
    assert chat.chats
    messages = [{"role": "user", "content": "Hi"}]
    answer = chat.chat(messages, max_new_tokens=10, greedy=True)
    assert chat.generate("Hi", max_new_tokens=10, greedy=True) == answer
    [predicted] = chat.predict("Hi", max_new_tokens=10)
    assert predicted["text"] == answer
    assert predicted["finish"] in ("stop", "length")
    assert chat.predict([{"messages": [*messages, {"role": "assistant", "content": "known"}]}], max_new_tokens=10) == [
        predicted
    ]


# ---- load --------------------------------------------------------------------------------------


def test_devices_are_named(writer: Path) -> None:
    with pytest.raises(ModelError, match="no such device"):
        load(writer, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ModelError, match="no CUDA device is available"):
            load(writer, device="cuda")


def test_an_untrained_architecture_cannot_be_used() -> None:
    with pytest.raises(ModelError, match="untrained"):
        load("scratch:llama-1m")


def test_stories260k_from_the_command_lines_side(shared: Path) -> None:
    folder = shared / "models" / "stories260k"
    if not folder.is_dir():
        pytest.skip("needs ../shared/models/stories260k")
    assert (
        load(folder, device="cpu")
        .generate("", max_new_tokens=80, greedy=True)
        .startswith(
            "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
            "One day, she saw a big, red ball."
        )
    )
