# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith import models
from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.tasks.causal_lm import CausalLM

TEXTS = ("To be, or not to be, that is the question.", "Aye.", "Grüße – 你好 🙂, once more unto the breach")


def document(task, text, line=1):
    return task.parse(Row({"text": text}, Origin("play.txt", line)))


def ready(source, section, texts=TEXTS):
    task = CausalLM(section)
    examples = [document(task, text, i + 1) for i, text in enumerate(texts)]
    task.fit(examples)
    model = task.build(source).eval()
    return task, model, examples, task.encode_all(examples)


@pytest.fixture(scope="module")
def built(llama):
    from tunesmith.recipe.schema import DataSection

    task = CausalLM(DataSection(train=["a.txt"], max_length=7))
    task.fit([])
    task.build(llama)
    return task


@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=80).filter(str.strip))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_nothing_is_lost_when_a_text_is_cut(built, text):
    task = built
    items = task.encode(document(task, text), 3)
    begin, end = task.tokenizer.bos_token_id, task.tokenizer.eos_token_id
    whole = [begin, *task.tokenizer(text, add_special_tokens=False)["input_ids"], end]
    predicted = np.concatenate([item.features["input_ids"][1:] for item in items]).tolist()
    assert predicted == whole[1:]
    for before, after in itertools.pairwise(items):
        assert before.features["input_ids"][-1] == after.features["input_ids"][0]
        assert before.length == 7
    assert all(item.row == 3 and item.targets == item.length == len(item.features["input_ids"]) - 1 for item in items)
    assert sum(int(item.features["bytes"]) for item in items) == len(text.encode())


def test_loss_equals_the_plain_model_on_every_document(llama, data):
    task, model, _, items = ready(llama, data())
    batch = task.collate(items)
    expected = sum(
        model(
            input_ids=torch.tensor(item.features["input_ids"][None]).long(),
            labels=torch.tensor(item.features["input_ids"][None]).long(),
        ).loss.item()
        * item.targets
        for item in items
    )
    assert task.loss(model, batch).item() == pytest.approx(expected, rel=1e-5)
    assert batch.targets == batch.tokens == sum(item.targets for item in items)
    assert "attention_mask" not in batch.inputs


def test_figures_do_not_depend_on_how_rows_are_batched(llama, data):
    task, model, examples, items = ready(llama, data(max_length=16))
    aligned = [examples[item.row] for item in items]
    with torch.inference_mode():
        together = task.outputs(model, task.collate(items))
        alone = [task.outputs(model, task.collate([item]))[0] for item in items]
    one, two = task.score(together, aligned), task.score(alone, aligned)
    assert one == pytest.approx(two, rel=1e-5)
    total = sum(output.loss_sum for output in alone)
    tokens = sum(item.targets for item in items)
    assert one["loss"] == pytest.approx(total / tokens, rel=1e-5)
    assert one["perplexity"] == pytest.approx(math.exp(total / tokens), rel=1e-5)
    assert one["bits_per_byte"] == pytest.approx(total / math.log(2) / sum(len(t.encode()) for t in TEXTS), rel=1e-5)
    assert {metric.name for metric in task.metrics} == set(one)
    assert task.metrics[0].name == "loss"
    assert not task.metrics[0].greater_is_better


def test_cutting_is_told(llama, data):
    task, _, _, items = ready(llama, data(max_length=16))
    assert task.notes == (f"3 documents cut into {len(items)} blocks of at most 16 tokens; nothing is lost",)


def test_long_documents_can_be_skipped_or_refused(llama, data):
    task, _, _, items = ready(llama, data(max_length=16, too_long="skip"))
    assert [item.row for item in items] == [1]
    assert "2 of 3 rows skipped: longer than 16 tokens" in task.notes[0]
    with pytest.raises(DataError, match=r"play.txt:1: \d+ tokens; at most 16 are allowed"):
        ready(llama, data(max_length=16, too_long="error"))


def test_unigram_baseline_counts_training_documents_only(llama, data):
    task, model, examples, items = ready(llama, data())
    counts = np.bincount(np.concatenate([item.features["input_ids"][1:] for item in items]))
    share = counts[counts > 0] / counts.sum()
    expected = -(share * np.log(share)).sum()
    assert task.unigram_loss() == pytest.approx(expected)
    task.encode_all([document(task, "zzzzzzzzzzzzzzzzzzzz")])
    assert task.unigram_loss() == pytest.approx(expected)
    with torch.inference_mode():
        outputs = task.outputs(model, task.collate(items))
    figures, worst = task.sections(outputs, examples)
    assert ("unigram baseline, nats per token", round(expected, 4)) in figures.rows
    assert {row[0] for row in worst.rows} == {"play.txt:1", "play.txt:2", "play.txt:3"}
    assert {row[1] for row in worst.rows} == set(TEXTS)


def test_prompts_begin_as_documents_do(llama, data):
    task, _, _, items = ready(llama, data())
    assert task.prompt_tokens(TEXTS[1]) == items[1].features["input_ids"][:-1].tolist()
    assert task.prompt_tokens("") == [task.tokenizer.bos_token_id]
    assert task.stop_tokens() == {task.tokenizer.eos_token_id}


def test_saved_and_restored_losses_are_identical(llama, data, tmp_path):
    task, model, examples, items = ready(llama, data(max_length=16))
    task.generation = {"temperature": 0.7, "top_k": 20}
    models.save_model(model, tmp_path / "m", task.tokenizer)
    again = CausalLM(data())
    restored = again.restore(task.state(), ModelSource(name="m", kind="folder", folder=tmp_path / "m")).eval()
    assert again.state() == task.state()
    with torch.inference_mode():
        before = task.outputs(model, task.collate(items))
        after = again.outputs(restored, again.collate(again.encode_all(examples)))
    assert before == after


def test_empty_documents_are_row_errors(data):
    with pytest.raises(RowError, match="text is empty"):
        document(CausalLM(data()), " \n")


def test_from_scratch_on_names(data, shared):
    names = (shared / "data/names_makemore/names.txt").read_text().split()[:300]
    options = ScratchOptions(architecture="llama", size=40_000, tokenizer="byte", vocabulary=262, context=32, seed=0)
    source = ModelSource(name="scratch:llama", kind="scratch", scratch=options)
    task, model, _, items = ready(source, data(), names)
    first = items[0].features["input_ids"]
    assert first[0] == task.tokenizer.bos_token_id
    assert first[-1] == task.tokenizer.eos_token_id
    assert task.loss(model, task.collate(items)).item() / sum(item.targets for item in items) < 10
    assert task.notes == ()


def test_stories260k_predicts_its_own_text(data, shared):
    source = ModelSource(name="stories260k", kind="folder", folder=shared / "models/stories260k")
    text = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
    task = CausalLM(data())
    model = task.restore({}, source).eval()
    with torch.inference_mode():
        outputs = task.outputs(model, task.collate(task.encode(document(task, text), 0)))
    # The text is what the model writes by itself: each token but the end, which never came, is its most likely.
    assert outputs[0].correct >= outputs[0].tokens - 1
    assert task.prompt_tokens("") == [1]
    assert task.stop_tokens() == {2}
