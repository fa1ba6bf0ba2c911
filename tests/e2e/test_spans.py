# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Names in texts and answers in contexts, from the command line: train, score, ask."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from forge import Forge

import tunesmith
from tunesmith_cli.main import main

NAMES = ("Ada", "Bob", "Cem", "Dan", "Eve")
CITIES = ("Bonn", "Lima", "Oslo", "Rome")


def command(*args: object) -> str:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(arg) for arg in args])
    assert code == 0, err.getvalue()
    return out.getvalue()


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory, forge: Forge) -> Path:
    """A run of the command over words with tags."""
    folder = tmp_path_factory.mktemp("tagged")
    sentences = [f"{name}\tB-per\nwent\tO\nto\tO\n{city}\tB-loc\n.\tO\n" for name in NAMES for city in CITIES]
    (folder / "train.conll").write_text("# made up\n" + "\n".join(sentences), encoding="utf-8")
    flags = ["--task", "token-classification", "--model", "scratch:bert-60k", "--train", "train.conll"]
    flags += ["--test", "train.conll", "--set", "model.tokenizer=byte", "--set", "train.epochs=15"]
    flags += ["--set", "train.tokens_per_batch=128", "--set", "train.learning_rate=3e-3", "--out", "run"]
    done = forge.tunesmith("train", *flags, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


def test_words_are_tagged_and_names_found(tagged: Path) -> None:
    figures = json.loads(command("evaluate", tagged / "run", "--data", tagged / "train.conll", "--json"))
    assert figures["metrics"]["f1"] == 1
    file = tagged / "texts.jsonl"
    file.write_text('{"text": "Eve went to Oslo."}\n{"tokens": ["Ada", "went", "to", "Rome"]}\n', encoding="utf-8")
    text, words = (json.loads(line) for line in command("predict", tagged / "run", file).splitlines())
    assert [(one["label"], one["text"], one["start"], one["end"]) for one in text["entities"]] == [
        ("per", "Eve", 0, 3),
        ("loc", "Oslo", 12, 16),
    ]
    assert words["tags"] == ["B-per", "O", "O", "B-loc"]
    assert [(one["start"], one["end"]) for one in words["entities"]] == [(0, 1), (3, 4)]


def test_from_python_a_text_is_enough(tagged: Path) -> None:
    model = tunesmith.load(tagged / "run")
    [answer] = model.predict("Dan went to Lima.")
    assert [entity["text"] for entity in answer["entities"]] == ["Dan", "Lima"]
    assert model.predict([["Dan", "went", "to", "Lima"]])[0]["tags"] == ["B-per", "O", "O", "B-loc"]
    assert "Scores per type" in (tagged / "run" / "report.html").read_text(encoding="utf-8")
    card = (tagged / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: token-classification" in card


def test_answers_are_found_in_contexts(tmp_path: Path) -> None:
    facts = [(name, city) for name in NAMES for city in CITIES]
    rows = [
        {"context": f"{name} went to {city}.", "qas": [_ask("who", name, 0), _ask("where", city, len(name) + 9)]}
        for name, city in facts
    ]
    file = tmp_path / "train.json"
    file.write_text(json.dumps({"version": "1.1", "data": [{"paragraphs": rows}]}), encoding="utf-8")
    flags = ["--task", "question-answering", "--model", "scratch:bert-60k", "--train", file, "--test", file]
    flags += ["--set", "data.format=squad", "--set", "model.tokenizer=byte", "--set", "train.epochs=25"]
    flags += ["--set", "train.tokens_per_batch=256", "--set", "train.learning_rate=3e-3"]
    command("train", *flags, "--set", "evaluate.before=false", "--out", tmp_path / "run", "--quiet")
    figures = json.loads(command("evaluate", tmp_path / "run", "--data", file, "--json"))
    assert figures["metrics"]["exact_match"] > 0.9
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"question": "where", "context": "Eve went to Oslo."}\n', encoding="utf-8")
    answer = json.loads(command("predict", tmp_path / "run", asked, "--format", "jsonl"))
    assert {key: answer[key] for key in ("answer", "start", "end")} == {"answer": "Oslo", "start": 12, "end": 16}


def _ask(question: str, text: str, start: int) -> dict[str, object]:
    return {"id": f"{question} {text}", "question": question, "answers": [{"text": text, "answer_start": start}]}
