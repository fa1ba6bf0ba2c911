# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A step whose loss couples its rows: the same gradient in however many parts, dropout included."""

import numpy as np
import pytest
import torch
from torch import nn

from tunesmith.data.rows import Origin, Row
from tunesmith.models.source import ModelSource
from tunesmith.recipe.schema import DataSection, ObjectiveSection
from tunesmith.tasks.embedding import Embedding
from tunesmith.testing import tiny_bert
from tunesmith.training.coupled import coupled_backward

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return ModelSource(name="bert", kind="folder", folder=tiny_bert(tmp_path_factory.mktemp("bert") / "m"))


def ready(source, *, dropout=0.0):
    task = Embedding(DataSection(train=["x"]))
    task.choose_objective(ObjectiveSection())
    rows = [
        {"anchor": f"question {n} " + "so " * (n % 4), "positive": f"answer {n % 5}"}
        | ({"negative": [f"wrong {n}", "never"]} if n % 3 == 0 else {})
        for n in range(11)
    ]
    examples = [task.parse(Row(row, Origin("x", n))) for n, row in enumerate(rows)]
    task.fit(examples)
    model = task.build(source)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
    return task, model.train(), task.encode_all(examples)


def gradients(task, model, items, cuts):
    parts = [task.collate(items[a:b]) for a, b in zip([0, *cuts], [*cuts, len(items)], strict=True)]
    model.zero_grad()
    loss = coupled_backward(task, model, parts, targets=torch.tensor(float(len(items))), device=CPU, precision="fp32")
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("cuts", [(4,), (1, 2, 3), (3, 6, 9)])
def test_parts_give_the_gradient_of_the_whole(bert, cuts):
    task, model, items = ready(bert)
    (task.loss(model, task.collate(items)) / len(items)).backward()
    plain = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    loss, parted = gradients(task, model, items, cuts)
    assert loss == pytest.approx(task.loss(model, task.collate(items)).item() / len(items), rel=1e-5)
    assert parted.keys() == plain.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(parted[name], gradient, rtol=1e-3, atol=1e-6)


def test_added_up_part_by_part_it_would_be_another_loss(bert):
    task, model, items = ready(bert)
    apart = sum(task.loss(model, task.collate(part)).item() for part in (items[:5], items[5:]))
    assert apart < 0.9 * task.loss(model, task.collate(items)).item()


def test_the_second_pass_draws_the_dropout_of_the_first(bert):
    """Along the gradient the loss falls by as much as it says: both were made with the same dropout."""
    task, model, items = ready(bert, dropout=0.3)
    model.double()
    start = torch.get_rng_state()

    def measure():
        torch.set_rng_state(start)
        return gradients(task, model, items, (4, 8))

    with torch.random.fork_rng():
        loss, gradient = measure()
        size = 1e-4
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in gradient:
                    parameter -= size * gradient[name]
        after, _ = measure()
    predicted = size * float(np.sum([float(g.square().sum()) for g in gradient.values()]))
    assert (loss - after) == pytest.approx(predicted, rel=0.05)
