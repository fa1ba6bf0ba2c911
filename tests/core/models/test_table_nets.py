# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The net for tables against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tunesmith.errors import ModelError
from tunesmith.models.load import load_weights
from tunesmith.models.save import save_model
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.models.table_nets import NumberEmbedding

NAN = float("nan")


def scratch(size: int | None = None) -> ModelSource:
    options = ScratchOptions(architecture="tabular-mlp", size=size, tokenizer="byte", vocabulary=256, context=8, seed=0)
    return ModelSource(name="scratch:tabular-mlp", kind="scratch", scratch=options)


def net(**config):
    values = {"table_edges": [[-1.0, 0.0, 1.0], [0.0, 2.0]], "table_categories": 2, "table_codes": 6, "num_labels": 3}
    return load_weights(scratch(), "tabular", **{**values, **config})


def test_a_number_is_a_line_and_a_curve_over_its_bins():
    edges = [[-1.0, 0.0, 2.0], [0.0, 1.0]]
    embedding = NumberEmbedding(edges, 4)
    torch.manual_seed(0)
    for parameter in embedding.parameters():
        torch.nn.init.normal_(parameter)
    numbers = torch.tensor([[-3.0, 0.25], [1.0, NAN], [9.0, 7.0]])
    found = embedding(numbers)
    for row, values in enumerate(numbers.tolist()):
        for column, x in enumerate(values):
            if np.isnan(x):
                wanted = embedding.missing[column]
            else:
                share = np.interp(x, edges[column], range(len(edges[column])))  # how many bins lie below x
                filled = [min(max(share - place, 0), 1) for place in range(len(edges[column]) - 1)]
                curve = sum(part * embedding.curve[column, place] for place, part in enumerate(filled))
                wanted = x * embedding.weight[column] + embedding.bias[column] + curve
            assert torch.allclose(found[row, column], wanted, atol=1e-6)


def test_an_unknown_category_and_a_number_never_missed_say_nothing_and_never_learn():
    model = net()
    batch = {"numbers": torch.tensor([[0.5, 1.0]]), "categories": torch.tensor([[0, 3]])}
    assert not model.body.categories.weight[0].any()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(**batch).logits.sum().backward()
        optimizer.step()
    assert not model.body.categories.weight[0].any()
    assert not model.body.numbers.missing.any()
    assert model.body.categories.weight[3].any()


def test_no_gradient_is_nan_where_numbers_are_missing():
    model = net().train()
    model(
        numbers=torch.tensor([[NAN, NAN], [NAN, 1.0]]), categories=torch.zeros(2, 2, dtype=torch.long)
    ).logits.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.body.numbers.missing.grad.any()


@pytest.mark.parametrize("config", [{"table_edges": []}, {"table_categories": 0, "table_codes": 1}])
def test_either_kind_of_column_may_be_absent(config):
    model = net(**config)
    sizes = len(config.get("table_edges", [0, 0])), config.get("table_categories", 2)
    logits = model(numbers=torch.zeros(5, sizes[0]), categories=torch.ones(5, sizes[1], dtype=torch.long)).logits
    assert logits.shape == (5, 3)


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    model = net()
    save_model(model, tmp_path / "m")
    again = load_weights(ModelSource(name="m", kind="folder", folder=tmp_path / "m"), "tabular", new_head=False)
    inputs = {"numbers": torch.randn(4, 2), "categories": torch.randint(0, 6, (4, 2))}
    assert torch.equal(model(**inputs).logits, again(**inputs).logits)
    assert again.config.table_edges == model.config.table_edges


def test_what_it_cannot_be_is_refused():
    with pytest.raises(ModelError, match="a net for tables needs columns"):
        load_weights(scratch(), "tabular")
    with pytest.raises(ModelError, match=r"comes in one size[\s\S]*leave the size out"):
        load_weights(scratch(size=1000), "tabular")
    with pytest.raises(ModelError, match=r"cannot be used for causal-lm"):
        load_weights(scratch(), "causal-lm", table_edges=[[0.0, 1.0]])
