# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Embedding, preference and reward: stopped and resumed they end with the same weights, and then they are of use."""

import json
import os
import threading

import numpy as np
import pytest

import tunesmith
from tunesmith.errors import StoppedError
from tunesmith.evaluate import evaluate
from tunesmith.plugin import StepDone
from tunesmith.testing import tiny_bert, tiny_llama


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    texts = [{"question": f"what is {n} and {n}", "answer": f"it is {2 * n}"} for n in range(24)]
    answers = [
        {"prompt": f"say {n}", "chosen": f"{n}", "rejected": f"{n}, or so I think" * (1 + n % 2)} for n in range(24)
    ]
    for name, rows in {"texts": texts, "answers": answers}.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    tiny_bert(folder / "bert")
    tiny_llama(folder / "llama")
    return folder


def recipe(place, out, task, **changes):
    encoder = task == "embedding"
    base = {
        "task": task,
        "model": str(place / ("bert" if encoder else "llama")),
        "data": {"train": str(place / ("texts.jsonl" if encoder else "answers.jsonl")), "split": {"test": 0.25}},
        "train": {"epochs": 2, "tokens_per_batch": 256, "learning_rate": 1e-3, "save_every": 2, "precision": "fp32"},
        "evaluate": {"samples": 1, "sample_tokens": 4},
        "output": str(out),
    }
    return tunesmith.parse_recipe(base, overrides=[f"{key}={json.dumps(value)}" for key, value in changes.items()])


def weights(run):
    return {path.name: path.read_bytes() for path in run.model_folder.glob("*.safetensors")}


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("embedding", {"train.accumulate": 3}),
        ("preference", {}),
        ("preference", {"objective": "kto", "train.accumulate": 2, "method": "lora"}),
        ("reward", {}),
    ],
    ids=["embedding", "dpo", "kto-lora", "reward"],
)
def test_stopped_and_resumed_is_equal_bit_for_bit(place, tmp_path, monkeypatch, task, changes):
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    whole = tunesmith.train(recipe(place, tmp_path / "whole", task, **changes))
    flag = threading.Event()

    def stop_at_3(event):
        if isinstance(event, StepDone) and event.step == 3:
            flag.set()

    monkeypatch.setenv("TUNESMITH_CACHE", "off")  # what is computed again is the same
    with pytest.raises(StoppedError):
        tunesmith.train(recipe(place, tmp_path / "parts", task, **changes), observers=[stop_at_3], stop=flag)
    parts = tunesmith.train(resume=tmp_path / "parts")
    assert len(weights(whole)) == (2 if task == "preference" else 1)
    assert weights(parts) == weights(whole)
    assert parts.manifest["metrics"] == whole.manifest["metrics"]
    assert parts.recipe().objective == whole.recipe().objective
    use(place, tunesmith.load(parts.path, device="cpu"))


def use(place, model):
    """Every kind of model answers, and is scored on rows it has not seen."""
    if model.task == "preference":
        assert model.chats
        assert model.predict(["say 3"], max_new_tokens=3)[0]["finish"] in ("stop", "length")
        scores = evaluate(model, [str(place / "answers.jsonl")]).metrics
        assert {"accuracy", "margin", "loss", "chosen_logprob", "rejected_logprob"} == scores.keys()
    elif model.task == "reward":
        (answer,) = model.predict([{"prompt": "say 3", "completion": "3"}])
        assert answer.keys() == {"score"}
    else:
        with pytest.raises(tunesmith.errors.ModelError, match="does not generate text"):
            model.generate("say 3")


def test_the_command_trains_and_embeds(place, tmp_path, forge):
    def command(*arguments):
        cache = os.environ | {"TUNESMITH_CACHE": str(tmp_path / "cache")}
        done = forge.tunesmith(*arguments, cwd=tmp_path, env=cache)
        assert done.returncode == 0, done.stderr
        return done.stdout

    data = ("--train", place / "texts.jsonl", "--set", "train.max_steps=2")
    command("train", "--task", "embedding", "--model", place / "bert", *data, "--out", "e")
    (tmp_path / "queries.txt").write_text("what is 3 and 3\nit is 6\n")
    lines = [json.loads(line)["embedding"] for line in command("predict", "e", "queries.txt").splitlines()]
    vectors = tunesmith.load(tmp_path / "e", device="cpu").embed(["what is 3 and 3", "it is 6"])
    np.testing.assert_allclose(np.asarray(lines, dtype=np.float32), vectors, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
