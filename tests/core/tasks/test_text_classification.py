# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch.nn import functional

from tunesmith import models
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError, ModelError
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.tasks.rendering import labels_of_config
from tunesmith.tasks.text_classification import TextClassification

TEXTS = ("good", "this one is very bad indeed", "so so", "x")
LABELS = ("pos", "neg", "pos", "neg")


def row(line=1, **values) -> Row:
    return Row(values, Origin("train.csv", line))


def ready(source, section, texts=TEXTS, labels=LABELS):
    """A task with its model and encoded examples."""
    task = TextClassification(section)
    examples = [task.parse(row(i + 2, text=t, label=l)) for i, (t, l) in enumerate(zip(texts, labels, strict=True))]
    task.fit(examples)
    model = task.build(source).eval()
    return task, model, examples, task.encode_all(examples)


@pytest.fixture(params=["llama", "bert"])
def source(request) -> ModelSource:
    return request.getfixturevalue(request.param)


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_padding_changes_no_loss_and_no_gradient(source, data):
    task, model, _, items = ready(source, data())
    together = task.loss(model, task.collate(items))
    together.backward()
    padded = gradients(model)
    model.zero_grad()
    alone = torch.stack([task.loss(model, task.collate([item])) for item in items]).sum()
    alone.backward()
    assert together.item() == pytest.approx(alone.item(), abs=1e-5)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(padded[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_padding_changes_no_answer_even_when_a_text_ends_like_padding(llama, data):
    """A decoder is read at its last token that is not padding; here padding is also a token of the texts."""
    task, model, _, _ = ready(llama, data())
    task._padding = model.config.pad_token_id = task.tokenizer("x", add_special_tokens=False)["input_ids"][0]
    items = task.encode_all([task.parse(row(text=text), labelled=False) for text in ("axx", "x", "something longer")])
    with torch.inference_mode():
        together = [output.probabilities for output in task.outputs(model, task.collate(items))]
        alone = [task.outputs(model, task.collate([item]))[0].probabilities for item in items]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_loss_is_the_plain_models_summed_cross_entropy(source, data):
    task, model, _, items = ready(source, data())
    batch = task.collate(items)
    labels = torch.tensor([1, 0, 1, 0])
    plain = model(**batch.inputs, labels=labels).loss * 4
    assert task.loss(model, batch).item() == pytest.approx(plain.item(), rel=1e-5)
    assert (batch.targets, batch.rows) == (4, [0, 1, 2, 3])
    assert batch.tokens == sum(item.length for item in items)


def test_several_labels_use_the_mean_binary_cross_entropy(bert, data):
    task, model, _, items = ready(bert, data(label_separator="|"), labels=("a|b", "b", "c", "a"))
    assert task.labels == ("a", "b", "c")
    assert task.multi_label
    batch = task.collate(items)
    expected = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=torch.float32)
    assert torch.equal(batch.labels, expected)
    logits = model(**batch.inputs).logits
    wanted = functional.binary_cross_entropy_with_logits(logits, expected) * 4
    assert task.loss(model, batch).item() == pytest.approx(wanted.item(), rel=1e-5)
    assert model.config.problem_type == "multi_label_classification"


def test_lists_of_labels_need_no_separator(bert, data):
    task, model, examples, items = ready(bert, data(), labels=(["a", "b"], ["b"], [], ["a"]))
    with torch.inference_mode():
        outputs = task.outputs(model, task.collate(items))
    scores = task.score(outputs, examples)
    assert list(scores) == [metric.name for metric in task.metrics]
    assert set(task.answer(outputs[0])) == {"labels", "probabilities"}
    assert [output.truth for output in outputs] == [(0, 1), (1,), (), (0,)]
    assert next(section.title for section in task.sections(outputs, examples)) == "Scores per label"


def test_answers_and_scores(bert, data):
    task, model, examples, items = ready(bert, data())
    with torch.inference_mode():
        outputs = task.outputs(model, task.collate(items))
    answer = task.answer(outputs[0])
    assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert answer["probability"] == answer["probabilities"][answer["label"]]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    scores = task.score(outputs, examples)
    decided = [task.answer(output)["label"] for output in outputs]
    assert scores["accuracy"] == np.mean([d == l for d, l in zip(decided, LABELS, strict=True)])
    assert scores["loss"] == pytest.approx(-np.mean([np.log(o.probabilities[o.truth[0]]) for o in outputs]), rel=1e-5)
    assert {metric.name for metric in task.metrics} <= set(scores)
    matrix, table, *mistakes = task.sections(outputs, examples)
    assert np.sum(matrix.counts) == 4
    assert table.header == ("label", "precision", "recall", "F1", "support")
    assert bool(mistakes) == (scores["accuracy"] < 1)


def test_rows_without_labels_are_predicted(bert, data):
    task, model, _, _ = ready(bert, data())
    items = task.encode_all([task.parse(row(text="hello"), labelled=False)])
    batch = task.collate(items)
    assert batch.labels is None
    assert items[0].targets == batch.targets == 0
    with torch.inference_mode():
        output = task.outputs(model, batch)[0]
    assert output.loss is None
    assert output.truth is None
    assert task.sections([output], [None]) == []
    with pytest.raises(ValueError, match="no labels, so it has no loss"):
        task.loss(model, batch)


def test_autocast_still_gives_float32(bert, data):
    task, model, _, items = ready(bert, data())
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        output = task.outputs(model, task.collate(items))[0]
        assert task.loss(model, task.collate(items)).dtype == torch.float32
    assert output.probabilities.dtype == np.float32
    assert output.probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_a_200_000_character_row_is_truncated_quickly_and_counted(bert, data):
    task, _, _, _ = ready(bert, data(max_length=64))
    began = time.perf_counter()
    item = task.encode(task.parse(row(text="word " * 40_000, label="pos")), 0)[0]
    assert time.perf_counter() - began < 5
    assert item.length == 64
    assert task.notes[-1] == "1 of 5 rows truncated to 64 tokens (longest had 200,000)"


def test_too_long_rows_can_be_skipped_or_refused(bert, data):
    task, _, _, items = ready(bert, data(max_length=8, too_long="skip"))
    assert [item.row for item in items] == [0, 2, 3]
    assert "1 of 4 rows skipped: longer than 8 tokens (longest had 27)" in task.notes
    with pytest.raises(DataError, match=r"train.csv:3: 27 tokens; at most 8 are allowed"):
        ready(bert, data(max_length=8, too_long="error"))


def test_all_rows_that_are_too_long_are_named_together(bert, data):
    with pytest.raises(DataError, match=r"3 of 4 rows cannot be used: a row is longer than data\.max_length") as caught:
        ready(bert, data(max_length=2, too_long="error"))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"text": "", "label": "a"}, "text is empty"),
        ({"text": float("nan"), "label": "a"}, "text is missing"),
        ({"text": "x", "label": None}, "label is missing"),
        ({"text": "x"}, "there is no label"),
    ],
)
def test_bad_rows_say_why(data, values, words):
    with pytest.raises(RowError, match=words):
        TextClassification(data()).parse(row(**values))


def test_a_label_that_training_never_saw(bert, data):
    task, _, _, _ = ready(bert, data())
    strange = task.parse(row(9, text="x", label="neutral"))
    with pytest.raises(
        DataError, match=r"the test rows have a label that training never saw(.|\n)*train.csv:9: label 'neutral'"
    ):
        task.check([strange], "test")
    with pytest.raises(DataError, match="training never saw"):
        task.encode(strange, 0)


def test_saved_and_restored_predictions_are_identical(source, data, tmp_path):
    task, model, examples, items = ready(source, data(max_length=20, label_separator="|"))
    models.save_model(model, tmp_path / "m", task.tokenizer)
    again = TextClassification(data())
    folder = ModelSource(name="m", kind="folder", folder=tmp_path / "m")
    restored = again.restore(task.state(), folder).eval()
    assert again.state() == task.state()
    assert again.parse(row(text="x", label="pos|neg")).labels == ("pos", "neg")
    with torch.inference_mode():
        before = task.outputs(model, task.collate(items))
        after = again.outputs(restored, again.collate(again.encode_all(examples)))
    for one, two in zip(before, after, strict=True):
        assert np.array_equal(one.probabilities, two.probabilities)
    assert labels_of_config(folder) == {"labels": ["neg", "pos"], "multi_label": True}


def test_a_damaged_state_is_refused(bert, data):
    with pytest.raises(ModelError, match="the labels saved with 'tiny-bert' cannot be used"):
        TextClassification(data()).restore({"labels": "pos"}, bert)
    with pytest.raises(ModelError, match=r"the checkpoint of tiny-bert lacks weights"):
        TextClassification(data()).restore({}, bert)


def test_from_scratch_the_tokenizer_is_learned_from_the_training_texts(data):
    options = ScratchOptions(architecture="bert", size=60_000, tokenizer="bpe", vocabulary=300, context=64, seed=0)
    source = ModelSource(name="scratch:bert", kind="scratch", scratch=options)
    task, model, _, _ = ready(source, data(), texts=("banana banana", "ananas ananas", "nana", "banana"))
    assert len(task.tokenizer("banana")["input_ids"]) < len("banana")
    assert model.get_input_embeddings().num_embeddings == len(task.tokenizer)
    assert task._training is None


def test_a_tokenizer_of_another_model_is_refused(bert, data, tmp_path):
    task, model, _, _ = ready(bert, data())
    task.tokenizer.add_tokens(["<new>"])
    models.save_model(model, tmp_path / "m", task.tokenizer)
    with pytest.raises(ModelError, match=r"does not fit its weights(.|\n)*tokens in the tokenizer"):
        TextClassification(data()).restore(task.state(), ModelSource(name="m", kind="folder", folder=tmp_path / "m"))


def test_real_rows_of_banking77(bert, data, shared):
    import csv

    with (shared / "data/banking77/train.csv").open(encoding="utf-8", newline="") as file:
        rows = [next(reader) for reader in [csv.DictReader(file)] for _ in range(400)]
    task, model, _, items = ready(bert, data(), [r["text"] for r in rows], [r["category"] for r in rows])
    assert len(items) == 400
    batch = task.collate(items[:32])
    assert task.loss(model, batch).item() / 32 == pytest.approx(np.log(len(task.labels)), rel=0.3)
