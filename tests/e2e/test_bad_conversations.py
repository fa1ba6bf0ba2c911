# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Conversations as people hand them in, and jobs that go wrong while they run: told, counted, nothing lost."""

import json
import os
import shutil
import signal

import pytest

import tunesmith
from tunesmith.errors import DataError, ModelError, NonFiniteLossError, StoppedError
from tunesmith.plugin import RunFinished, StepDone
from tunesmith.runs import checkpoint_damage, complete_checkpoints
from tunesmith.testing import tiny_llama


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("models") / "llama")


def said(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


@pytest.fixture
def talk(tmp_path, monkeypatch, llama):
    """Trains two steps on these conversations."""
    monkeypatch.chdir(tmp_path)

    def run(chats, overrides=(), model=llama, **train):
        (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))
        recipe = {
            "task": "chat",
            "model": str(model),
            "data": {"train": "chats.jsonl", "max_length": 48},
            "train": {"max_steps": 2, "tokens_per_batch": 96, "precision": "fp32"} | train,
            "evaluate": {"samples": 0},
            "output": "run",
        }
        return tunesmith.train(tunesmith.parse_recipe(recipe, overrides=overrides))

    return run


def notes(run):
    return [record["message"] for record in run.metrics() if record["kind"] == "note"]


SHORT = [said(f"say {n}", f"{n}") for n in range(6)]
LONG = said("tell", "a long story " * 20)


def test_an_answer_longer_than_the_context_is_cut_left_out_or_refused_as_the_recipe_says(talk):
    cut = notes(talk([*SHORT, LONG]))
    assert any("1 of 7 rows truncated to 48 tokens" in note for note in cut), cut
    assert any("1 row cut before the stop token of their last answer" in note for note in cut), cut
    skipped = notes(talk([*SHORT, LONG], overrides=["data.too_long=skip", "output=skipped"]))
    assert any("1 of 7 rows skipped: longer than 48 tokens" in note for note in skipped), skipped
    with pytest.raises(DataError, match=r"chats\.jsonl:7: \d+ tokens; at most 48 are allowed"):
        talk([*SHORT, LONG], overrides=["data.too_long=error", "output=refused"])
    assert not os.path.exists("refused")


def test_a_question_that_fills_the_context_leaves_nothing_to_learn(talk):
    run = talk([*SHORT, said("why " * 40, "because")])
    assert any("1 row skipped: no answer begins within 48 tokens" in note for note in notes(run))
    with pytest.raises(DataError, match=r"no rows are left to train on"):
        talk([said("why " * 40, "because")] * 3, overrides=["output=nothing"])
    assert not os.path.exists("nothing")


def test_conversations_without_an_answer_are_refused_before_anything_trains(talk):
    asked = {"messages": [{"role": "user", "content": "why?"}]}
    silent = {"messages": [{"role": "user", "content": "why?"}, {"role": "assistant", "content": ""}]}
    with pytest.raises(DataError, match=r"2 problems in 8 rows") as caught:
        talk([*SHORT, asked, silent])
    assert "chats.jsonl:7: no assistant's turn, so there is nothing to learn" in str(caught.value)
    assert "chats.jsonl:8: turn 2 of messages (assistant) is empty" in str(caught.value)
    assert not os.path.exists("run")


def test_conversations_that_stand_there_twice_are_counted(talk):
    run = talk([*SHORT, *SHORT[:2]])
    assert "2 of 8 training conversations are copies of another one; they are kept" in notes(run)


def test_a_template_without_a_stop_token_is_refused(talk, llama, tmp_path):
    model = tmp_path / "endless"
    shutil.copytree(llama, model)
    template = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"
    template += "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    (model / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelError, match="no special token behind an answer, so the model could not") as caught:
        talk(SHORT, model=model)
    assert "repair chat_template" in str(caught.value)
    assert not os.path.exists("run")


def test_a_loss_that_becomes_nan_stops_the_job_with_the_last_weights_saved(talk):
    """A rate that no model survives: the first step is still finite, one of the next is not."""
    with pytest.raises(NonFiniteLossError, match=r"is not finite at step \d") as caught:
        talk(SHORT, learning_rate=1e30, warmup_steps=0, max_steps=9, save_every=1, epochs=9)
    text = str(caught.value)
    assert "lower the learning rate" in text
    assert "chats.jsonl:" in text
    run = tunesmith.Run.open("run")
    assert run.manifest["status"] == "failed"
    assert "is not finite" in run.manifest["error"]
    assert all(checkpoint_damage(path) is None for path in complete_checkpoints(run.checkpoint_folder))
    heard = []
    with pytest.raises(NonFiniteLossError) as again:
        tunesmith.train(resume="run", observers=[heard.append])
    assert str(again.value) == text, "resumed, it meets the same step"
    assert [event.status for event in heard if isinstance(event, RunFinished)] == ["failed"], "trackers hear of the end"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "closed"])
def test_a_job_that_is_asked_to_stop_saves_and_can_be_resumed(talk, number):
    from tunesmith_cli.signals import stop_on_signals

    def interrupt(event):
        if isinstance(event, StepDone) and event.step == 2:
            os.kill(os.getpid(), number)

    whole = talk(SHORT, max_steps=5, epochs=9)
    recipe = whole.recipe().model_copy(update={"output": "stopped"})
    with stop_on_signals() as stop, pytest.raises(StoppedError, match=r"stopped at step 2 of 5; everything is saved"):
        tunesmith.train(recipe, observers=[interrupt], stop=stop)
    assert tunesmith.Run.open("stopped").manifest["status"] == "interrupted"
    resumed = tunesmith.train(resume="stopped")
    weights = [run.model_folder / "model.safetensors" for run in (whole, resumed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
