# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The fast way to the gradients of rows against the plain one, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tunesmith.errors import RecipeError, TrainingError
from tunesmith.recipe import Recipe, parse_recipe
from tunesmith.registry import get_registry
from tunesmith.testing import tiny_bert, tiny_llama
from tunesmith.training.prepare import Work, prepare
from tunesmith.training.randomness import own_random_state
from tunesmith_privacy.dp.clipping import ClippedSum
from tunesmith_privacy.dp.fast import FastGradients, obstacle, targets_by_row
from tunesmith_privacy.dp.strategy import DifferentiallyPrivate

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_bert(folder / "bert")
    tiny_llama(folder / "llama")
    words = ["one", "two", "three", "four", "five", "six"]
    rows = [{"text": " ".join(words[: 1 + n % 6]) + f" {n}", "label": "ab"[n % 2]} for n in range(16)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def recipe(place: Path, model: str, task: str, method: str, **privacy: Any) -> Recipe:
    return parse_recipe(
        {
            "task": task,
            "model": str(place / model),
            "method": method,
            "data": {"train": str(place / "rows.jsonl"), "max_length": 64},
            "train": {"strategy": "privacy/dp", "rows_per_batch": 8, "epochs": 1, "device": "cpu", "precision": "fp32"},
            "plugins": {"privacy": {"noise_multiplier": 1.0, "delta": 1e-3, **privacy}},
            "output": str(place / "run"),
        }
    )


def work_of(wanted: Recipe) -> Work:
    with own_random_state(0, CPU):
        work = prepare(wanted, DifferentiallyPrivate(wanted), get_registry())
    work.model.eval()  # no dropout: both ways must see the same function
    for module in work.model.modules():
        if any(one.requires_grad for one in module.parameters(recurse=False)):
            module.training = True  # Opacus' hooks look at layers that train
    return work


def strategy_of(work: Work) -> DifferentiallyPrivate:
    assert isinstance(work.strategy, DifferentiallyPrivate)
    return work.strategy


def plain_rows(work: Work, count: int) -> Iterator[list[torch.Tensor]]:
    moving = [one for one in work.model.parameters() if one.requires_grad]
    for item in work.items["train"][:count]:
        batch = work.collate([item])
        (work.task.loss(work.model, batch) / batch.targets).backward()  # type: ignore[no-untyped-call]
        yield [torch.zeros_like(one) if one.grad is None else one.grad.clone() for one in moving]
        work.model.zero_grad(set_to_none=True)


@pytest.mark.parametrize(
    ("model", "task", "method"),
    [
        ("bert", "text-classification", "full"),
        ("bert", "text-classification", "lora"),
        ("bert", "text-classification", "head"),
        ("llama", "text-classification", "full"),
        ("llama", "text-classification", "lora"),
        ("llama", "text-classification", "head"),
        ("llama", "causal-lm", "lora"),
    ],
)
def test_the_fast_way_gives_each_row_the_gradient_of_the_plain_way(
    place: Path, model: str, task: str, method: str
) -> None:
    work, count = work_of(recipe(place, model, task, method)), 6
    assert strategy_of(work).way.startswith("backward passes over up to 64 rows")
    expected = list(plain_rows(work, count))
    batch = work.collate(work.items["train"][:count])
    assert len({item.length for item in work.items["train"][:count]}) > 1, "rows of several lengths, so some are padded"
    fast = FastGradients(work.model)
    with fast.of(count):
        work.task.loss(work.model, batch).backward()  # type: ignore[no-untyped-call]
    got = fast.taken(count)
    of_rows = targets_by_row(batch.labels, count, batch.targets)
    assert of_rows is not None
    moving = [name for name, one in work.model.named_parameters() if one.requires_grad]
    seen = 0.0
    for row in range(count):
        for name, table, plain in zip(moving, got, expected[row], strict=True):
            found = torch.zeros_like(plain) if table is None else table[row] / of_rows[row]
            torch.testing.assert_close(
                found, plain, rtol=1e-3, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
            )
            seen += float(plain.abs().sum())
    assert seen > 0
    assert all(one.grad is None and one.grad_sample is None for one in work.model.parameters() if one.requires_grad)


@pytest.mark.parametrize(
    ("model", "task", "method"), [("bert", "text-classification", "full"), ("llama", "causal-lm", "lora")]
)
def test_both_ways_end_in_the_same_step(place: Path, model: str, task: str, method: str) -> None:
    made = {}
    for way in ("fast", "plain"):
        work = work_of(recipe(place, model, task, method, gradients=way, max_grad_norm=0.05))
        parts = [
            work.collate([work.items["train"][int(one)] for one in part])
            for part in work.feed.parts(work.feed.batch(1))
        ]
        targets = torch.tensor(float(sum(part.targets for part in parts)))
        loss = work.strategy.backward(work.task, work.model, parts, targets, "fp32", 1)
        made[way] = (len(parts), loss, [one.grad for one in work.model.parameters() if one.requires_grad])
    assert made["fast"][0] == 1
    assert made["plain"][0] == len(work.feed.batch(1)) > 2
    torch.testing.assert_close(made["fast"][1], made["plain"][1])
    for one, other in zip(made["fast"][2], made["plain"][2], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_a_row_more_moves_the_sum_of_a_model_by_at_most_the_clip(place: Path) -> None:
    work = work_of(recipe(place, "bert", "text-classification", "full", gradients="plain"))
    moving = [one for one in work.model.parameters() if one.requires_grad]
    rows = list(plain_rows(work, 5))
    norms = [float(torch.cat([one.flatten() for one in row]).norm()) for row in rows]
    clip = sorted(norms)[2]  # some rows are cut, some are not
    for left_out in range(5):
        whole, less = ClippedSum(moving, clip), ClippedSum(moving, clip)
        for place_of_row, row in enumerate(rows):
            whole.add_row(row)
            if place_of_row != left_out:
                less.add_row(row)
        difference = torch.cat([(one - other).flatten() for one, other in zip(whole.sums, less.sums, strict=True)])
        assert float(difference.norm()) == pytest.approx(min(norms[left_out], clip), rel=1e-3)


def test_gradients_that_were_added_up_before_they_were_told_apart_are_noticed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions are looked up once for all rows, unless they are asked for row by row."""
    work = work_of(recipe(place, "bert", "text-classification", "full"))
    monkeypatch.setattr(FastGradients, "_for_each_row", lambda *_: None)
    fast = FastGradients(work.model)
    with fast.of(3):
        work.task.loss(work.model, work.collate(work.items["train"][:3])).backward()  # type: ignore[no-untyped-call]
    with pytest.raises(TrainingError, match="do not add up") as caught:
        fast.taken(3)
    assert "position_embeddings" in str(caught.value)
    assert "plugins.privacy.gradients=plain" in str(caught.value)


def test_what_cannot_go_the_fast_way_goes_the_plain_one_and_says_why(place: Path) -> None:
    work = work_of(recipe(place, "llama", "causal-lm", "full"))
    (told,) = [note for note in work.strategy.notes(work.feed) if note.startswith("gradients of rows")]
    assert told == (
        "gradients of rows: a backward pass for each row (the output layer trains, and sees labelled places without "
        "their rows)"
    )
    assert {len(part) for part in work.feed.parts(work.feed.batch(0))} == {1}
    with pytest.raises(RecipeError, match="cannot be had the fast way") as caught:
        work_of(recipe(place, "llama", "causal-lm", "full", gradients="fast"))
    assert "the output layer trains" in str(caught.value)


def test_layers_that_opacus_has_no_formula_for_are_named(place: Path) -> None:
    wanted = recipe(place, "bert", "text-classification", "full")
    assert obstacle(nn.Sequential(nn.Linear(2, 2), nn.Conv1d(2, 2, 1)), wanted) == "1 is a Conv1d"
    shared = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    shared[1].weight = shared[0].weight  # type: ignore[union-attr]
    assert obstacle(shared, wanted) == "two layers share a weight"
    assert obstacle(nn.Linear(2, 2), wanted) is None
    assert obstacle(nn.Linear(10_000, 10_000), wanted) == "the gradients of two rows would take too much memory"


def test_the_targets_of_rows_follow_from_labels_or_are_not_known() -> None:
    tokens = torch.tensor([[1, 2, -100], [3, -100, -100]])
    assert targets_by_row(tokens, 2, 3).tolist() == [2, 1]  # type: ignore[union-attr]
    assert targets_by_row(torch.tensor([4, 5]), 2, 2).tolist() == [1, 1]  # type: ignore[union-attr]
    assert targets_by_row(torch.rand(2, 5), 2, 2).tolist() == [1, 1]  # type: ignore[union-attr]
    assert targets_by_row(None, 2, 3) is None
    assert targets_by_row(tokens, 2, 5) is None
