# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Amounts: exact where a closed form is known, whole everywhere, and the model as it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tunesmith.data.rows import Origin, Row
from tunesmith.errors import ModelError
from tunesmith.models import find_model_by_name
from tunesmith.models.table_nets import TabularMlp, TabularMlpConfig
from tunesmith.recipe.schema import DataSection
from tunesmith.registry import get_registry
from tunesmith.tasks.base import Encoded
from tunesmith.tasks.image_classification import ImageClassification
from tunesmith.tasks.tabular_classification import TabularClassification
from tunesmith.tasks.tabular_regression import TabularRegression
from tunesmith.tasks.text_classification import TextClassification
from tunesmith.tasks.token_classification import TokenClassification
from tunesmith.testing import tiny_bert
from tunesmith_explain import Attribution, attribute
from tunesmith_explain.attributions import unconverged


def parsed(task: Any, rows: list[dict[str, Any]]) -> list[Any]:
    return [task.parse(Row(row, Origin("made up", number))) for number, row in enumerate(rows, start=1)]


def texts(tmp_path: Path, rows: list[dict[str, Any]], kind: type[TextClassification] = TextClassification) -> Any:
    task = kind(DataSection(train=["x"]))
    examples = parsed(task, rows)
    task.fit(examples)
    torch.manual_seed(0)
    model = task.build(find_model_by_name(str(tiny_bert(tmp_path / "bert")), get_registry()))
    return task, model, examples


def table(kind: type[Any], answer: str) -> Any:
    random = np.random.default_rng(0)
    task = kind(DataSection(train=["x"], columns={answer: answer}))
    rows = []
    for _ in range(60):
        a, b, c = float(random.normal(3, 2)), float(random.normal()), str(random.choice(["red", "green"]))
        number = 2 * a + (5 if c == "red" else 0)
        rows.append(
            {"a": a, "b": b, "c": c, answer: number if answer == "target" else "big" if number > 8 else "small"}
        )
    examples = parsed(task, rows)
    task.fit(examples)
    return task, examples


def linear_net(task: Any, outputs: int) -> TabularMlp:
    """Without hidden layers, whose only non-linear parts are the curves, which are 0 at first: all of it is linear."""
    columns, size = len(task.table.columns), 4
    config = TabularMlpConfig(
        table_edges=[list(column.edges) for column in task.table.numbers],
        table_categories=len(task.table.categories),
        table_codes=1 + sum(len(column.values) for column in task.table.categories),
        embedding=size,
        width=columns * size,
        depth=0,
        num_labels=outputs,
    )
    torch.manual_seed(1)
    return TabularMlp(config).eval()


def whole(one: Attribution) -> float:
    return float(sum(piece.score for piece in one.pieces) + one.rest if one.heat is None else one.heat.sum())


def test_of_a_linear_regression_the_amounts_are_weight_times_distance_from_the_mean() -> None:
    task, examples = table(TabularRegression, "target")
    net = linear_net(task, 1)
    weight = net.classifier.weight[0].detach().view(len(task.table.columns), -1)
    for one, example in zip(attribute(task, net, examples[:5]), examples, strict=False):
        features = task.encode(example, 0)[0].features
        expected = {
            column.name: float(features["numbers"][at] * (weight[at] @ net.body.numbers.weight[at].detach()))
            for at, column in enumerate(task.table.numbers)
        }
        vector = net.body.categories.weight[int(features["categories"][0])].detach()
        expected["c"] = float(weight[-1] @ vector)  # the unknown category has the vector 0
        assert {piece.text: piece.score for piece in one.pieces} == pytest.approx(
            {name: value * task.scale for name, value in expected.items()}, rel=1e-4, abs=1e-5
        )
        assert one.label is None
        assert one.target == example.target
        assert one.pieces[-1].cell == example.cells["c"]


def test_of_a_linear_image_classifier_the_amounts_are_weight_times_pixel() -> None:
    task, net, examples = images()
    for one in attribute(task, net, examples, baseline="black"):
        pixels = torch.from_numpy(one.pixels).permute(2, 0, 1).flatten().float() / 255 / 0.5
        weight = net.linear.weight[task.labels.index(one.label)].detach()
        assert one.heat is not None
        assert one.heat.shape == (4, 5)
        assert np.allclose(one.heat.ravel(), (weight * pixels).numpy(), atol=1e-5)
    for one in attribute(task, net, examples, baseline="mean"):
        pixels = (torch.from_numpy(one.pixels).permute(2, 0, 1).flatten().float() / 255 - 0.4) / 0.5
        weight = net.linear.weight[task.labels.index(one.label)].detach()
        assert np.allclose(one.heat.ravel(), (weight * pixels).numpy(), atol=1e-5)


class LinearImages(nn.Module):
    def __init__(self, labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(20, labels)

    def forward(self, pixel_values: torch.Tensor) -> Any:
        return SimpleNamespace(logits=self.linear(pixel_values.flatten(1)))


def images() -> Any:
    from tunesmith.models import ImageSettings

    random = np.random.default_rng(0)
    task = ImageClassification(DataSection(train=["x"]))
    rows = [
        {"image": random.integers(0, 256, (4, 5), dtype=np.uint8), "label": label} for label in ("a", "b", "c", "a")
    ]
    examples = parsed(task, rows)
    task.fit(examples)
    task._settings = ImageSettings(height=4, width=5, channels=1, mean=(0.4,), std=(0.5,))
    torch.manual_seed(0)
    return task, LinearImages(3), examples


ROWS = [{"text": "the parcel is late, naïve 今天!", "label": "delivery"}, {"text": "my card", "label": "billing"}]


def test_of_an_encoder_the_amounts_add_up_to_the_answer(tmp_path: Path) -> None:
    task, model, examples = texts(tmp_path, ROWS)
    found = attribute(task, model, examples)
    for one in found:
        assert whole(one) == pytest.approx(one.value - one.baseline_value, abs=1e-3)
        assert one.delta == pytest.approx(whole(one) - (one.value - one.baseline_value), abs=1e-6)
        assert one.error < 0.01
        batch = task.collate([task.encode(examples[one.row], 0)[0]])
        logits = task.logits(model.eval(), batch)[0].detach()
        assert one.value == pytest.approx(float(logits[task.labels.index(one.label)]), abs=1e-5)
    assert unconverged(found) is None


def test_words_have_their_places_in_the_text(tmp_path: Path) -> None:
    task, model, examples = texts(tmp_path, ROWS)
    one = attribute(task, model, examples)[0]
    assert [piece.text for piece in one.pieces] == ["the", "parcel", "is", "late", ",", "naïve", "今", "天", "!"]
    assert all(one.text[piece.start : piece.end] == piece.text for piece in one.pieces)


def test_the_true_label_stands_beside_a_wrong_one(tmp_path: Path) -> None:
    task, model, examples = texts(tmp_path, ROWS)
    found = attribute(task, model, examples)
    by_row = [[one for one in found if one.row == row] for row in (0, 1)]
    assert sorted(len(ones) for ones in by_row) == [1, 2]  # an untrained model gives one label to both
    wrong = max(by_row, key=len)
    assert [(one.predicted, one.true) for one in wrong] == [(True, False), (False, True)]
    (right,) = min(by_row, key=len)
    assert (right.predicted, right.true) == (True, True)


def test_with_several_labels_all_that_are_given_or_true_are_explained(tmp_path: Path) -> None:
    rows = [{"text": "a b", "label": ["x", "y"]}, {"text": "c", "label": ["z"]}]
    task, model, examples = texts(tmp_path, rows)
    assert task.multi_label
    with torch.no_grad():
        model.classifier.bias.fill_(-9.0)  # no label is given
        model.classifier.bias[task.labels.index("z")] = -8.0  # which one is the nearest
    found = attribute(task, model, examples)
    assert [(one.row, one.label, one.predicted, one.true) for one in found] == [
        (0, "x", False, True),
        (0, "y", False, True),
        (0, "z", False, False),
        (1, "z", False, True),
    ]


class InParts(TextClassification):
    """Reads a text in parts of six tokens."""

    def encode(self, example: Any, row: int) -> list[Encoded]:
        (item,) = super().encode(example, row)
        ids = item.features["input_ids"]
        parts = [ids[start : start + 6] for start in range(0, len(ids), 6)]
        rest = {name: value for name, value in item.features.items() if name != "input_ids"}
        return [Encoded({"input_ids": part, **rest}, len(part), item.targets, row) for part in parts]


def test_a_text_in_parts_has_amounts_for_each_in_its_place(tmp_path: Path) -> None:
    task, model, examples = texts(tmp_path, [{"text": "aba aba aba aba", "label": "a"}, ROWS[1]], InParts)
    found = [one for one in attribute(task, model, examples[:1]) if one.predicted]
    assert len(found) > 1
    assert [one.part for one in found] == list(range(len(found)))
    assert {one.parts for one in found} == {len(found)}
    starts = [piece.start for one in found for piece in one.pieces]
    assert starts == sorted(starts)
    assert {piece.text for one in found for piece in one.pieces} == {"aba"}
    assert max(piece.end for one in found for piece in one.pieces) == len("aba aba aba aba")


def test_tables_and_images_add_up_too() -> None:
    task, examples = table(TabularClassification, "label")
    torch.manual_seed(0)
    net = task.build(find_model_by_name("scratch:tabular-mlp", get_registry()))
    found = attribute(task, net, examples[:4], steps=64)
    assert [piece.text for piece in found[0].pieces] == task.table.names
    task_of_images, image_net, pictures = images()
    for one in [*found, *attribute(task_of_images, image_net, pictures)]:
        assert whole(one) == pytest.approx(one.value - one.baseline_value, abs=0.02)


def test_too_few_steps_are_told(tmp_path: Path) -> None:
    task, examples = table(TabularClassification, "label")
    torch.manual_seed(0)
    net = task.build(find_model_by_name("scratch:tabular-mlp", get_registry()))
    with torch.no_grad():
        for parameter in net.body.layers.parameters():
            parameter.mul_(3).add_(0.3)
    told = unconverged(attribute(task, net, examples[:20], steps=1), 0.001)
    assert told is not None
    assert "miss" in told
    assert told.endswith("take more steps than 1")


def test_the_same_comes_out_and_the_model_is_as_it_was(tmp_path: Path) -> None:
    task, model, examples = texts(tmp_path, ROWS)
    model.train()
    model.bert.embeddings.eval()
    frozen = next(model.parameters()).requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    wants = [parameter.requires_grad for parameter in model.parameters()]
    first, second = attribute(task, model, examples), attribute(task, model, examples)
    assert first == second
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == wants
    assert not frozen.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_no_rows_have_no_attributions(tmp_path: Path) -> None:
    task, model, _ = texts(tmp_path, ROWS)
    assert attribute(task, model, []) == []


def test_a_task_that_cannot_be_explained_is_refused_by_name() -> None:
    task = TokenClassification(DataSection(train=["x"]))
    with pytest.raises(ModelError) as caught:
        attribute(task, nn.Linear(1, 1), [])
    told = str(caught.value)
    assert "the answers of this task cannot be explained" in told
    assert "given:    a model of TokenClassification" in told
    assert "text-classification, image-classification, tabular-classification, tabular-regression" in told


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"baseline": "white"}, ["no such baseline for this task", "given:    white", "expected: pad or mask"]),
        ({"baseline": "mask"}, ["the tokenizer of this model has no mask token", "expected: pad"]),
        ({"steps": 0}, ["no such number of steps", "given:    0", "1 to 10,000"]),
    ],
)
def test_a_setting_that_cannot_be_is_refused(tmp_path: Path, asked: Any, words: list[str]) -> None:
    task, model, examples = texts(tmp_path, ROWS)
    with pytest.raises(ModelError) as caught:
        attribute(task, model, examples, **asked)
    for word in words:
        assert word in str(caught.value)
