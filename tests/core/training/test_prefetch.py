# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Batches made ahead, forced on where there is no GPU: the same batches, and nothing left behind."""

import threading
import traceback
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tunesmith
from tunesmith.recipe import parse_recipe
from tunesmith.tasks.base import Batch, Encoded
from tunesmith.testing import tiny_bert
from tunesmith.training import loop
from tunesmith.training.batches import parts_of_step
from tunesmith.training.feed import Feed
from tunesmith.training.prefetch import AHEAD, batches_of
from tunesmith.training.randomness import own_random_state, random_tensors

CPU = torch.device("cpu")


class Work(SimpleNamespace):
    """As much of a job as makes batches; ``made``: the steps made so far, in order, and by which thread."""

    def __init__(self, collate=None, epochs=2):
        lengths = [1 + row % 5 for row in range(20)]
        items = [
            Encoded({"x": np.full(length, row)}, length=length, targets=1, row=row)
            for row, length in enumerate(lengths)
        ]
        feed = Feed(lengths, tokens=None, rows=4, epochs=epochs, max_steps=None, accumulate=2, seed=0)
        batch, self_made = feed.batch, []

        def noted(step):
            self_made.append((step, threading.current_thread().name))
            return batch(step)

        feed.batch = noted
        strategy = SimpleNamespace(device=CPU, share=lambda batch: batch)
        super().__init__(
            feed=feed, strategy=strategy, made=self_made, seen_in=lambda _: items, collate=collate or collated
        )


def collated(items):
    rows = [item.row for item in items]
    return Batch({"x": torch.tensor(rows)}, None, targets=len(rows), tokens=len(rows), rows=rows)


def rows(parts):
    return [part.rows for part in parts]


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_every_step_sees_the_rows_it_would_see():
    expected = [rows(parts_of_step(Work(), step)) for step in range(10)]
    work = Work()
    with batches_of(work, 0, 10, ahead=True) as batches:
        assert [rows(batches.parts(step)) for step in range(10)] == expected
        assert threads()
    assert not threads()
    assert [step for step, _ in work.made] == list(range(10))
    assert all(name.startswith("batches") for _, name in work.made[1:]), "the first one is a trial"


def test_resumed_it_begins_where_the_job_goes_on():
    work = Work()
    with batches_of(work, 7, 10, ahead=True) as batches:
        assert rows(batches.parts(7)) == rows(parts_of_step(Work(), 7))
        batches.wait()
    assert [step for step, _ in work.made] == [7, 8, 9]


def test_at_most_two_steps_ahead_and_none_behind_the_end():
    work = Work()
    with batches_of(work, 0, 10, ahead=True) as batches:
        for step in range(10):
            batches.parts(step)
            batches.wait()
            assert max(made for made, _ in work.made) == min(step + AHEAD, 9)


def test_on_a_processor_each_is_made_in_its_turn():
    work = Work()
    with batches_of(work, 0, 10) as batches:
        for step in range(3):
            batches.parts(step)
            assert work.made[-1] == (step, threading.main_thread().name)
        batches.wait()
    assert len(work.made) == 3


def test_what_fails_is_raised_at_its_step_with_its_own_traceback():
    def broken(items):
        if threading.current_thread() is not threading.main_thread():
            raise KeyError("no such feature")
        return collated(items)

    def run():
        with batches_of(Work(broken), 0, 10, ahead=True) as batches:
            assert rows(batches.parts(0)) == rows(parts_of_step(Work(), 0))
            batches.wait()
            batches.parts(1)

    with pytest.raises(KeyError, match="no such feature") as caught:
        run()
    assert "broken" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not threads()


def test_a_job_that_ends_early_leaves_no_thread():
    started, go = threading.Event(), threading.Event()

    def slow(items):
        if threading.current_thread() is not threading.main_thread():
            started.set()
            go.wait(5)
        return collated(items)

    work = Work(slow)

    def run():
        with batches_of(work, 0, 10, ahead=True) as batches:
            batches.parts(0)
            started.wait(5)
            threading.Timer(0.2, go.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert not threads()
    assert len(work.made) <= 2, "what was waiting is not made"


def test_a_task_that_draws_random_numbers_has_its_batches_in_turn():
    def drawing(items):
        np.random.random()
        return collated(items)

    states = []
    for ahead in (False, True):
        with own_random_state(1, CPU), batches_of(Work(drawing), 0, 10, ahead=ahead) as batches:
            for step in range(4):
                batches.parts(step)
            states.append(random_tensors(CPU))
    assert all(torch.equal(one, states[1][name]) for name, one in states[0].items())


def test_a_job_that_is_done_makes_nothing():
    work = Work()
    with batches_of(work, 10, 10, ahead=True):
        pass
    assert not work.made


def test_a_whole_job_ends_in_the_same_weights(tmp_path, monkeypatch):
    rows = [f"{'ab ' * (2 + n % 5)},{n % 2}" for n in range(24)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    recipe = {
        "task": "text-classification",
        "model": str(tiny_bert(tmp_path / "bert")),
        "data": {"train": str(tmp_path / "rows.csv"), "split": {"validation": 0.25}, "augment": "drop-words"},
        "train": {"epochs": 2, "tokens_per_batch": 64, "precision": "fp32", "accumulate": 2},
    }
    weights = []
    for name, ahead in (("plain", False), ("ahead", True)):
        monkeypatch.setattr(loop, "batches_of", partial(batches_of, ahead=ahead))
        run = tunesmith.train(parse_recipe(recipe | {"output": str(tmp_path / name)}))
        weights.append((run.model_folder / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert not threads()
