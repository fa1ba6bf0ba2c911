# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tunesmith import models
from tunesmith.data.conversations import Message
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError, ModelError
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.tasks.chat import Chat

ROWS = (
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]},
    {"conversations": [{"from": "human", "value": "One?"}, {"from": "gpt", "value": "Two."}]},
    {"instruction": "Add", "input": "1 1", "output": "2", "system": "Count."},
    {"prompt": "Say it", "completion": "It."},
)


def ready(source, section, rows=ROWS):
    task = Chat(section)
    examples = [task.parse(Row(values, Origin("talk.jsonl", i + 1))) for i, values in enumerate(rows)]
    task.fit(examples)
    model = task.build(source).eval()
    return task, model, examples, task.encode_all(examples)


def supervised_text(task, item):
    return task.tokenizer.decode(item.features["input_ids"][item.features["supervised"]])


def test_all_shapes_learn_the_answer_and_its_stop_token(llama, data):
    task, _, _, items = ready(llama, data())
    assert [supervised_text(task, item) for item in items] == ["Hello!<|end|>", "Two.<|end|>", "2<|end|>", "It.<|end|>"]
    assert task.notes == ()


def test_loss_is_on_the_answers_alone_and_equals_the_plain_model(llama, data):
    task, model, _, items = ready(llama, data())
    batch = task.collate(items)
    expected = 0.0
    for item in items:
        ids = torch.tensor(item.features["input_ids"][None]).long()
        labels = torch.where(torch.tensor(item.features["supervised"][None]), ids, -100)
        expected += model(input_ids=ids, labels=labels).loss.item() * item.targets
    assert task.loss(model, batch).item() == pytest.approx(expected, rel=1e-5)
    assert batch.targets == sum(len(task.tokenizer(a)["input_ids"]) + 1 for a in ("Hello!", "Two.", "2", "It."))


def test_padding_never_hides_the_stop_token(llama, data):
    task, _, _, items = ready(llama, data())
    task._padding = task.template.stop
    batch = task.collate(items)
    for row, item in enumerate(items):
        assert batch.labels[row, item.length - 1] == task.template.stop
        assert (batch.labels[row, item.length :] == -100).all()


def test_stop_tokens_and_prompts_for_engines(llama, data):
    task, _, _, items = ready(llama, data())
    assert task.tokenizer.convert_tokens_to_ids(["<|end|>"])[0] in task.stop_tokens()
    assert task.tokenizer.eos_token_id in task.stop_tokens()
    start = int(items[0].features["supervised"].argmax())
    assert task.prompt_tokens("Hi") == items[0].features["input_ids"][:start].tolist()
    assert task.prompt_tokens([{"role": "user", "content": "Hi"}]) == task.prompt_tokens([Message("user", "Hi")])


def test_truncation_is_counted_in_all_its_consequences(llama, data):
    long = {"prompt": "x" * 4, "completion": "y" * 40}
    longer = {"prompt": "x" * 40, "completion": "y"}
    task, _, _, items = ready(llama, data(max_length=20), (ROWS[0], long, longer))
    assert [item.row for item in items] == [0, 1]
    assert items[1].length == 20
    assert items[1].features["input_ids"][-1] != task.template.stop
    assert list(task.notes) == [
        "2 of 3 rows truncated to 20 tokens (longest had 47)",
        "1 row cut before the stop token of their last answer by the limit of 20 tokens",
        "1 row skipped: no answer begins within 20 tokens, so there is nothing to learn",
    ]


def test_too_long_can_be_refused(llama, data):
    with pytest.raises(DataError, match=r"talk.jsonl:1: \d+ tokens; at most 4 are allowed"):
        ready(llama, data(max_length=4, too_long="error"))


def test_special_text_in_rows_is_counted(llama, data):
    task, _, _, _ = ready(llama, data(), ({"prompt": "what is <|end|>?", "completion": "a stop"},))
    assert task.notes == ("1 row with the text of a special token in a message; it is read as that token",)


def test_a_row_the_template_refuses_is_named(llama, data):
    row = {"messages": [{"role": r, "content": "x"} for r in ("user", "assistant", "tool", "assistant")]}
    with pytest.raises(DataError, match=r"cannot be rendered(.|\n)*talk.jsonl:1: (.|\n)*given: tool"):
        ready(llama, data(), (row,))


def test_all_rows_the_template_refuses_are_named_together(llama, data):
    row = {"messages": [{"role": r, "content": "x"} for r in ("user", "assistant", "tool", "assistant")]}
    with pytest.raises(DataError, match="2 of 3 rows cannot be used: a conversation cannot be rendered") as caught:
        ready(llama, data(), (row, ROWS[0], row))
    assert [problem.origin.line for problem in caught.value.problems] == [1, 3]
    assert "choose a model whose template can write them" in str(caught.value)


def test_descriptions_of_tools_are_left_out_with_a_count(llama, data):
    rows = ({**ROWS[0], "tools": '[{"name": "clock"}]'}, {**ROWS[0], "tools": "[]"}, ROWS[0])
    task, _, _, items = ready(llama, data(), rows)
    assert len(items) == 3
    assert task.notes == (
        "2 of 3 training conversations are copies of another one; they are kept",
        "1 row with descriptions of tools, which are left out: only the messages are learned",
    )


def test_rows_without_an_answer_are_row_errors_unless_predicting(data):
    row = Row({"messages": [{"role": "user", "content": "Hi"}]}, Origin("talk.jsonl", 1))
    with pytest.raises(RowError, match="no assistant's turn"):
        Chat(data()).parse(row)
    assert Chat(data()).parse(row, labelled=False).messages == (Message("user", "Hi"),)


def without_template(source, folder, *, end=True) -> ModelSource:
    model = models.load_weights(source, "causal-lm")
    tokenizer = models.load_tokenizer(source)
    tokenizer.chat_template = None
    models.save_model(model, folder, tokenizer)
    if not end:
        for name in ("tokenizer_config.json", "special_tokens_map.json"):
            if (folder / name).is_file():
                config = json.loads((folder / name).read_text())
                (folder / name).write_text(json.dumps({k: v for k, v in config.items() if k != "eos_token"}))
    return ModelSource(name="bare", kind="folder", folder=folder)


def test_without_a_template_a_plain_one_is_used_noted_and_saved(llama, data, tmp_path):
    task, model, _, items = ready(without_template(llama, tmp_path / "bare"), data())
    assert "the tokenizer has no chat template; a plain one" in task.notes[0]
    assert supervised_text(task, items[0]) == "Hello!<|endoftext|>"
    models.save_model(model, tmp_path / "m", task.tokenizer)
    saved = models.load_tokenizer(ModelSource(name="m", kind="folder", folder=tmp_path / "m"))
    assert saved.get_chat_template() == task.template.template


def test_without_template_and_end_token_there_is_no_chat(llama, data, tmp_path):
    with pytest.raises(ModelError, match="its tokenizer has neither a chat template nor an end token"):
        ready(without_template(llama, tmp_path / "bare", end=False), data())


def test_saved_and_restored_losses_and_prompts_are_identical(llama, data, tmp_path):
    task, model, examples, items = ready(llama, data(max_length=64))
    models.save_model(model, tmp_path / "m", task.tokenizer)
    again = Chat(data())
    restored = again.restore(task.state(), ModelSource(name="m", kind="folder", folder=tmp_path / "m")).eval()
    assert again.state() == task.state()
    assert again.prompt_tokens("Hi") == task.prompt_tokens("Hi")
    with torch.inference_mode():
        before = task.outputs(model, task.collate(items))
        after = again.outputs(restored, again.collate(again.encode_all(examples)))
    assert before == after
    assert task.score(before, examples).keys() == {"loss", "perplexity", "accuracy"}
    (table,) = task.sections(before, examples)
    assert {row[2] for row in table.rows} == {"Hello!", "Two.", "2", "It."}


def test_from_scratch_the_tokenizer_is_learned_from_the_messages(data):
    options = ScratchOptions(architecture="llama", size=60_000, tokenizer="bpe", vocabulary=300, context=64, seed=0)
    source = ModelSource(name="scratch:llama", kind="scratch", scratch=options)
    rows = [{"prompt": "banana banana", "completion": "ananas banana"}] * 3
    task, model, _, items = ready(source, data(), rows)
    assert model.get_input_embeddings().num_embeddings == len(task.tokenizer)
    assert supervised_text(task, items[0]) == "ananas banana<|end|>"
    assert items[0].targets < len("ananas banana")


def test_real_conversations(llama, data, shared):
    folder = shared / "data/chat_formats"
    rows = json.loads((folder / "identity.json").read_text(encoding="utf-8"))[:40]
    task, model, _, items = ready(llama, data(), rows)
    assert len(items) == 40
    full = [item for item in items if item.length < task.max_length]
    assert full
    assert all(item.features["input_ids"][-1] == task.template.stop for item in full)
    assert np.isfinite(task.loss(model, task.collate(items[:4])).item())
