# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tunesmith.data.rows import Origin, Row, RowError
from tunesmith.errors import DataError, RecipeError
from tunesmith.models import save_model
from tunesmith.models.source import ModelSource
from tunesmith.recipe.schema import ObjectiveSection
from tunesmith.tasks.embedding import Embedding
from tunesmith.tasks.rendering import save_task

ROWS = (
    {"anchor": "where is my card", "positive": "card arrival"},
    {"anchor": "i want my money back", "positive": "refund"},
    {"anchor": "still no card, two weeks on", "positive": "card arrival"},
    {"anchor": "can i have a refund", "positive": "refund", "negative": ["exchange rate", "card arrival"]},
    {"anchor": "where is my card", "positive": "delivery"},
)


@torch.inference_mode()
def outputs(task, model, items):
    return task.outputs(model, task.collate(items))


def ready(source, section, rows=ROWS):
    task = Embedding(section)
    task.choose_objective(ObjectiveSection())
    examples = [task.parse(Row(values, Origin("pairs.csv", line))) for line, values in enumerate(rows, start=2)]
    task.fit(examples)
    model = task.build(source).eval()
    return task, model, examples, task.encode_all(examples)


def vector(task, model, text):
    """Mean of the last features, one text at a time."""
    ids = torch.tensor([task.tokenizer(text)["input_ids"]])
    return functional.normalize(model(input_ids=ids).last_hidden_state.mean(1), dim=-1)[0]


def plain_loss(task, model, rows):
    """The loss by its definition, row by row; what belongs to an anchor is no negative for it."""
    candidates = [(row["anchor"], row["positive"]) for row in rows]
    candidates += [(None, text) for row in rows for text in row.get("negative", ())]
    belongs = {(row["anchor"], row["positive"]) for row in rows}
    total = torch.zeros(())
    for index, row in enumerate(rows):
        anchor = vector(task, model, row["anchor"])
        mine = anchor @ vector(task, model, row["positive"]) / task.temperature
        others = [
            anchor @ vector(task, model, text) / task.temperature
            for place, (owner, text) in enumerate(candidates)
            if place != index
            and text not in (row["positive"], row["anchor"])
            and not (owner == row["anchor"] and (owner, text) in belongs)
        ]
        total = total - mine + torch.logsumexp(torch.stack([mine, *others]), 0)
    return total


def test_the_loss_is_its_definition_whatever_the_padding(bert, data):
    task, model, _, items = ready(bert, data())
    batch = task.collate(items)
    assert batch.targets == len(ROWS)
    assert batch.tokens == sum(item.length for item in items)
    assert task.loss(model, batch).item() == pytest.approx(plain_loss(task, model, ROWS).item(), rel=1e-5)


def test_nothing_that_belongs_to_an_anchor_is_a_negative_for_it(bert, data):
    rows = [{"anchor": "a", "positive": "same"}, {"anchor": "b", "positive": "same"}, {"anchor": "a", "positive": "c"}]
    task, model, _, items = ready(bert, data(), rows)
    assert task.loss(model, task.collate(items[:2])).item() == 0.0, "the only other text is a copy of the positive"
    assert task.loss(model, task.collate([items[0], items[2]])).item() == 0.0, "both belong to the same anchor"
    assert task.loss(model, task.collate(items[1:])).item() > 0.0
    (note,) = task.notes
    assert note.startswith("2 of 3 rows have their positive in common with another row: in the same step, neither is")


def test_a_decoder_is_read_at_its_last_token(llama, data):
    task, model, _, items = ready(llama, data())
    assert task.pooling == "last"
    vectors = task.represent(model, task.collate(items))
    ids = torch.tensor([task.tokenizer(ROWS[1]["anchor"])["input_ids"]])
    alone = functional.normalize(model(input_ids=ids).last_hidden_state[:, -1], dim=-1)
    torch.testing.assert_close(vectors[1:2], alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(len(vectors)))


def test_scores_search_the_splits_own_texts(bert, data):
    task, model, examples, items = ready(bert, data())
    scores = task.score(outputs(task, model, items), examples)
    assert set(scores) == {metric.name for metric in task.metrics}
    assert task.metrics[0].name == "mrr"
    # Batches change nothing, though the training loss hangs on them.
    apart = [outputs(task, model, [item])[0] for item in items]
    assert task.score(apart, examples) == pytest.approx(scores, rel=1e-5)
    for section in task.sections(apart, examples):
        assert section.title == "Hardest to find"


def test_too_long_texts_are_cut_skipped_or_refused_with_a_count(bert, data):
    rows = [*ROWS[:2], {"anchor": "x" * 40, "positive": "y"}]
    task, _, _, items = ready(bert, data(max_length=30), rows)
    assert items[2].features["lengths"].tolist() == [30, 1]
    assert "1 of 3 rows truncated to 30 tokens (longest had 40)" in task.notes
    assert len(ready(bert, data(max_length=30, too_long="skip"), rows)[3]) == 2
    with pytest.raises(DataError, match=r"pairs.csv:4: 40 tokens; at most 30 are allowed"):
        ready(bert, data(max_length=30, too_long="error"), rows)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"anchor": "a"}, "there is no positive"),
        ({"anchor": " ", "positive": "b"}, "anchor is empty"),
        ({"anchor": "a", "positive": "b", "negative": ["c", "b"]}, "the positive is among the row's negatives"),
        ({"anchor": "a", "positive": "b", "negative": "a"}, "the anchor itself is among the row's negatives"),
        ({"anchor": "a", "positive": "b", "negative": ["c", None]}, "negative is missing"),
    ],
)
def test_rows_that_cannot_be_used(data, values, words):
    with pytest.raises(RowError, match=words):
        Embedding(data()).parse(Row(values, Origin("pairs.csv", 2)))


def test_one_positive_for_all_rows_is_nothing_to_tell_apart(data):
    task = Embedding(data())
    examples = [task.parse(Row({"anchor": text, "positive": "b"}, Origin("pairs.csv", 2))) for text in "xy"]
    with pytest.raises(DataError, match=r"nothing to tell apart[\s\S]*data.columns.positive"):
        task.fit(examples)


def test_the_temperature_is_the_recipes_and_is_written_down(data):
    task = Embedding(data())
    assert task.choose_objective(ObjectiveSection()).temperature == 0.05
    assert task.choose_objective(ObjectiveSection(name="contrastive", temperature=0.1)).temperature == 0.1
    with pytest.raises(RecipeError, match=r"objective.name: dpo[\s\S]*expected: contrastive"):
        task.choose_objective(ObjectiveSection(name="dpo"))
    with pytest.raises(RecipeError, match=r"objective.beta: unknown key; it belongs to dpo, ipo, orpo or kto, of pref"):
        task.choose_objective(ObjectiveSection(beta=0.1))


def test_it_is_saved_as_sentence_transformers_save_and_opens_as_that_and_by_itself(bert, data, tmp_path):
    task, model, examples, items = ready(bert, data(max_length=40))
    before = outputs(task, model, items)
    save_model(model, tmp_path / "m", task.tokenizer)
    save_task(task, tmp_path / "m")
    source = ModelSource(name="m", kind="folder", folder=tmp_path / "m")
    again, theirs = Embedding(data()), Embedding(data())
    for other, state in ((again, task.state()), (theirs, {})):
        loaded = other.restore(state, source)
        assert (other.pooling, other._lengths.limit) == ("mean", 40)
        after = outputs(other, loaded, other.encode_all(examples))
        np.testing.assert_array_equal(after[0].anchor, before[0].anchor)
    assert again.answer(before[0])["embedding"] == [float(str(number)) for number in before[0].anchor]
