# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
import torch

from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError
from tunesmith.models import find_model_by_name, save_model
from tunesmith.registry import get_registry
from tunesmith.tasks.rendering import open_task, save_task
from tunesmith.tasks.reward import Reward, Scores

ROWS = (
    {"prompt": "Hi", "chosen": "Hello!", "rejected": "Go away, please"},
    {"instruction": "Add", "input": "1 + 1", "chosen": "2", "rejected": "eleven"},
    {"prompt": [{"role": "user", "content": "a"}], "chosen": "b", "rejected": ""},
)


def ready(source, section, rows=ROWS):
    task = Reward(section)
    examples = [task.parse(Row(values, Origin("pairs.jsonl", i + 1))) for i, values in enumerate(rows)]
    task.fit(examples)
    model = task.build(source).eval()
    return task, model, examples, task.encode_all(examples)


def plain_score(task, model, example, answer):
    """The head at the last token of the conversation, one conversation at a time."""
    ids = torch.from_numpy(task.template.render([*example.messages, answer])[-1].ids.astype("int64"))[None]
    assert ids[0, -1] == task.template.stop
    return model.score(model.base_model(input_ids=ids).last_hidden_state[0, -1])[0]


def test_the_loss_is_bradley_and_terrys_whatever_the_padding(llama, data):
    task, model, examples, items = ready(llama, data())
    scores = [[plain_score(task, model, e, answer) for answer in e.answers] for e in examples]
    expected = -sum(torch.log(torch.sigmoid(chosen - rejected)) for chosen, rejected in scores)
    batch = task.collate(items)
    assert batch.targets == 3
    assert task.loss(model, batch).item() == pytest.approx(expected.item(), rel=1e-5)
    apart = sum(task.loss(model, task.collate([item])).item() for item in items)
    assert apart == pytest.approx(expected.item(), rel=1e-5)


def test_the_stop_token_is_read_also_where_it_is_what_the_tokenizer_pads_with(llama, data):
    task, model, examples, items = ready(llama, data())
    task._padding = task._other_than_stop(task.template.stop)
    model.config.pad_token_id = task._padding
    assert task._padding != task.template.stop
    expected = [plain_score(task, model, e, answer).item() for e in examples for answer in e.answers]
    with torch.inference_mode():
        outputs = task.outputs(model, task.collate(items))
    assert [score for output in outputs for score in output.scores] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_figures_by_hand(llama, data):
    task = Reward(data())
    outputs = [Scores((1.0, 0.0)), Scores((0.0, 3.0)), Scores((2.0, 2.0))]
    scores = task.score(outputs, [])
    assert scores["accuracy"] == (1 + 0 + 0.5) / 3
    assert scores["margin"] == pytest.approx(-2 / 3)
    losses = torch.nn.functional.softplus(torch.tensor([-1.0, 3.0, 0.0]))
    assert scores["loss"] == pytest.approx(losses.mean().item(), rel=1e-6)


def test_rows_that_are_cut_or_left_out_are_counted(llama, data):
    rows = [
        ROWS[0],
        {"prompt": "x" * 60, "chosen": "a", "rejected": "b"},
        {"prompt": "x", "chosen": "y" * 60 + "a", "rejected": "y" * 60 + "b"},
    ]
    task, _, _, items = ready(llama, data(max_length=30), rows)
    assert [item.row for item in items] == [0]
    assert list(task.notes) == [
        "2 of 3 rows truncated to 30 tokens (longest had 66)",
        "1 row skipped: no answer begins within 30 tokens",
        "1 row skipped: chosen and rejected are the same answer, as far as they are read",
    ]
    with pytest.raises(DataError, match=r"pairs.jsonl:1: \d+ tokens; at most 4 are allowed"):
        ready(llama, data(max_length=4, too_long="error"), rows[:1])


def test_saved_and_opened_it_scores_any_answer(llama, data, tmp_path):
    task, model, examples, items = ready(llama, data())
    with torch.inference_mode():
        (first, *_) = task.outputs(model, task.collate(items))
    save_model(model, tmp_path / "m", task.tokenizer)
    save_task(task, tmp_path / "m")
    loaded, module = open_task(find_model_by_name(str(tmp_path / "m"), get_registry()), get_registry())
    same = [
        {"prompt": "Hi", "completion": "Hello!"},
        {"prompt": "Hi", "chosen": "Hello!"},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]},
    ]
    rows = [loaded.parse(Row(values, Origin("x", 1)), labelled=False) for values in same]
    with torch.inference_mode():
        answers = [loaded.answer(o) for o in loaded.outputs(module, loaded.collate(loaded.encode_all(rows)))]
    assert [answer["score"] for answer in answers] == pytest.approx([first.scores[0]] * 3, rel=1e-5)
    with pytest.raises(RowError, match="there is no answer to score: expected prompt and completion"):
        loaded.parse(Row({"prompt": "Hi"}, Origin("x", 1)), labelled=False)
    assert examples[0].answers[0].content == "Hello!"


def test_an_encoder_with_a_chat_template_scores_too(bert, data):
    task, model, _, items = ready(bert, data())
    together = task.loss(model, task.collate(items)).item()
    assert together == pytest.approx(sum(task.loss(model, task.collate([item])).item() for item in items), rel=1e-5)
