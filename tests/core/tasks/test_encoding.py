# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""However examples are encoded, in memory, in files, by workers, or by an earlier job: items, counts, notes are one."""

from __future__ import annotations

import dataclasses
import errno

import numpy as np
import pytest

from tunesmith.data import cache_entries
from tunesmith.data.rows import Origin, Row
from tunesmith.errors import DataError
from tunesmith.models import find_model
from tunesmith.recipe.schema import DataSection, ModelSection
from tunesmith.registry import get_registry
from tunesmith.tasks import encoding
from tunesmith.tasks.causal_lm import CausalLM
from tunesmith.tasks.chat import Chat
from tunesmith.tasks.encoded import StoredItems, item_lengths
from tunesmith.tasks.encoding_key import encoding_key
from tunesmith.tasks.encoding_worker import Worker, WorkerError
from tunesmith.tasks.tally import blank_copy, can_tally, tally_of
from tunesmith.tasks.text_classification import TextClassification
from tunesmith.testing import tiny_bert, tiny_llama

ROWS = 37


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {"bert": tiny_bert(folder / "bert"), "llama": tiny_llama(folder / "llama")}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Everything is large: it goes to files, in parts of 5 rows."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    for name, value in {"FEW": 1, "QUICK": -1.0, "LONG": 1e9, "LEAST": 5}.items():
        monkeypatch.setattr(encoding, name, value)
    return tmp_path / "cache"


def row(number: int) -> Row:
    long = "word " * (number % 7) * 8
    values = {
        "text": f"row {number} {long}",
        "label": "ab"[number % 2],
        "messages": [
            {"role": "user", "content": f"say {number}"},
            {"role": "assistant", "content": f"{number} {long}"},
        ],
    }
    return Row(values, Origin("rows.jsonl", number + 1))


def ready(kind, models, **data):
    """A task that can encode, and its examples."""
    section = DataSection(**{"train": ["rows.jsonl"], "max_length": 64, **data})
    task = kind(section)
    examples = [task.parse(row(number)) for number in range(ROWS)]
    task.fit(examples)
    model = models["bert" if kind is TextClassification else "llama"]
    task.build(find_model(ModelSection(name=str(model)), get_registry(), seed=0))
    return task, examples


def plain(items):
    arrays = [{name: (a.dtype.str, a.shape, a.tobytes()) for name, a in item.features.items()} for item in items]
    return [(i.length, i.targets, i.row, a) for i, a in zip(items, arrays, strict=True)]


def encode(task, examples, **options):
    return encoding.encode_split(task, examples, split="train", rows="digest", **options)


@pytest.mark.parametrize("kind", [TextClassification, CausalLM, Chat])
def test_items_counts_and_notes_are_those_of_encode_all(kind, models, cache, monkeypatch):
    expected, examples = ready(kind, models)
    items = expected.encode_all(examples)
    first, examples = ready(kind, models)
    stored = encode(first, examples)
    assert isinstance(stored, StoredItems)
    assert plain(stored) == plain(items)
    assert plain(stored[3:9]) == plain(items[3:9])
    assert item_lengths(stored).tolist() == item_lengths(items).tolist() == [item.length for item in items]
    assert expected.notes
    assert first.notes == expected.notes
    assert first.state() == expected.state()
    assert tally_of(first) == tally_of(expected)

    again, examples = ready(kind, models)  # found, not made
    monkeypatch.setattr(kind, "encode", None)
    assert plain(encode(again, examples)) == plain(items)
    assert again.notes == expected.notes
    assert again.state() == expected.state()


def test_a_batch_of_stored_items_is_the_batch(models, cache):
    task, examples = ready(Chat, models)
    items, stored = task.encode_all(examples), encode(*ready(Chat, models))
    places = [5, 0, 11]
    left, right = (task.collate([source[place] for place in places]) for source in (items, stored))
    assert all((left.inputs[name] == right.inputs[name]).all() for name in left.inputs)
    assert (left.labels == right.labels).all()
    assert (left.targets, left.tokens, left.rows) == (right.targets, right.tokens, right.rows)


def test_what_is_done_within_a_second_stays_in_memory(models, cache, monkeypatch):
    monkeypatch.setattr(encoding, "QUICK", 60.0)
    expected, examples = ready(CausalLM, models)
    items = expected.encode_all(examples)
    task, examples = ready(CausalLM, models)
    made = encode(task, examples)
    assert isinstance(made, list)
    assert plain(made) == plain(items)
    assert task.notes == expected.notes
    assert task.unigram_loss() == expected.unigram_loss()
    assert cache_entries() == []


def test_without_a_cache_everything_is_in_memory(models, cache, monkeypatch):
    monkeypatch.setenv("TUNESMITH_CACHE", "off")
    expected, examples = ready(Chat, models)
    items = expected.encode_all(examples)
    task, examples = ready(Chat, models)
    assert plain(encode(task, examples)) == plain(items)
    assert task.notes == expected.notes


def test_workers_give_the_same(models, cache, monkeypatch):
    monkeypatch.setattr(encoding, "LONG", 0.0)
    served = []
    original = Worker.encode
    monkeypatch.setattr(Worker, "encode", lambda *args: served.append(args[1]) or original(*args))
    expected, examples = ready(CausalLM, models)
    items = expected.encode_all(examples)
    task, examples = ready(CausalLM, models)
    assert plain(encode(task, examples, workers=2)) == plain(items)
    assert len(served) >= 5
    assert task.notes == expected.notes
    assert task.unigram_loss() == expected.unigram_loss()


def test_a_worker_that_dies_leaves_its_parts_to_us(models, cache, monkeypatch, caplog):
    monkeypatch.setattr(encoding, "LONG", 0.0)

    def die(worker, *_):
        worker.stop()
        raise WorkerError("gone")

    monkeypatch.setattr(Worker, "encode", die)
    expected, examples = ready(Chat, models)
    items = expected.encode_all(examples)
    assert plain(encode(*ready(Chat, models), workers=2)) == plain(items)
    assert "a worker process ended: gone" in caplog.text


def test_a_task_that_cannot_be_sent_is_encoded_here(models, cache, monkeypatch, caplog):
    monkeypatch.setattr(encoding, "LONG", 0.0)
    task, examples = ready(Chat, models)
    items = task.encode_all(examples)
    task, examples = ready(Chat, models)
    task.unsendable = lambda: None
    assert plain(encode(task, examples, workers=2)) == plain(items)
    assert "the task cannot be sent to another process" in caplog.text


@pytest.mark.parametrize("workers", [1, 2])
def test_refused_rows_are_told_together_as_ever(models, cache, monkeypatch, workers):
    monkeypatch.setattr(encoding, "LONG", 0.0)
    task, examples = ready(Chat, models, too_long="error")
    with pytest.raises(DataError) as expected:
        task.encode_all(examples)
    task, examples = ready(Chat, models, too_long="error")
    with pytest.raises(DataError) as caught:
        encode(task, examples, workers=workers)
    assert str(caught.value) == str(expected.value)
    assert caught.value.problems == expected.value.problems
    assert len(caught.value.problems) > 2


def test_an_interrupted_encoding_goes_on_behind_its_last_whole_part(models, cache, monkeypatch):
    expected, examples = ready(CausalLM, models)
    items = expected.encode_all(examples)
    task, examples = ready(CausalLM, models)
    original, seen = CausalLM.encode, []

    def stop_at_20(self, example, row):
        if row == 20:
            raise KeyboardInterrupt
        return original(self, example, row)

    monkeypatch.setattr(CausalLM, "encode", stop_at_20)
    with pytest.raises(KeyboardInterrupt):
        encode(task, examples)
    monkeypatch.setattr(CausalLM, "encode", lambda *args: seen.append(args[2]) or original(*args))
    task, examples = ready(CausalLM, models)
    assert plain(encode(task, examples)) == plain(items)
    assert seen == list(range(20, ROWS))
    assert task.notes == expected.notes
    assert task.unigram_loss() == expected.unigram_loss()
    assert [entry.whole for entry in cache_entries()] == [True]


def test_a_full_disk_keeps_the_items_in_memory_and_says_so(models, cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encoding, "write_items", full)
    expected, examples = ready(Chat, models)
    items = expected.encode_all(examples)
    task, examples = ready(Chat, models)
    made = encode(task, examples)
    assert isinstance(made, list)
    assert plain(made) == plain(items)
    note = "the encoded train rows are held in memory, since they could not be cached: No space left on device"
    assert set(task.notes) == {note, *expected.notes}
    assert cache_entries() == []


def test_the_key_holds_what_items_depend_on(models):
    task, _ = ready(TextClassification, models)
    key = encoding_key(task, "train", "digest")
    task.encode(task.parse(row(1)), 0)
    assert encoding_key(task, "train", "digest") == key  # counting changes nothing
    others = [
        encoding_key(task, "train", "other"),
        encoding_key(task, "test", "digest"),
        encoding_key(ready(TextClassification, models, max_length=32)[0], "train", "digest"),
        encoding_key(ready(TextClassification, models, too_long="skip")[0], "train", "digest"),
        encoding_key(ready(CausalLM, models)[0], "train", "digest"),
    ]
    task.tokenizer.add_tokens(["row"])
    others.append(encoding_key(task, "train", "digest"))
    assert len({key, *others}) == 7
    moved = ready(TextClassification, models, train=["elsewhere.jsonl"])[0]
    assert encoding_key(moved, "train", "digest") == key


def test_a_subclass_says_its_counters_itself_or_is_encoded_as_ever(models, cache):
    class Counting(Chat):
        more = 0

        def encode(self, example, row):
            self.more += 1
            return super().encode(example, row)

    task, examples = ready(Counting, models)
    assert not can_tally(task)
    assert isinstance(encode(task, examples), list)
    assert task.more == ROWS


def test_a_blank_copy_counts_from_nothing_and_leaves_the_task_alone(models):
    task, examples = ready(Chat, models)
    task.encode_all(examples)
    before = tally_of(task)
    blank = blank_copy(task)
    assert blank._lengths.rows == blank._unstopped == 0
    assert blank._lengths == dataclasses.replace(task._lengths, rows=0, over=0, longest=0)
    blank.encode(examples[6], 6)
    assert tally_of(task) == before
    assert np.asarray(before["_lengths"]["rows"]) == ROWS
