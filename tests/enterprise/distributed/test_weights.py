# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""How the processes of a job describe their weights, and put them in place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tunesmith.models.later import LaterWeights
from tunesmith_enterprise.distributed import weights
from tunesmith_enterprise.distributed.weights import Weights, weights_of


def test_one_bit_of_a_large_weight_is_seen() -> None:
    layer = nn.Linear(1100, 1000)
    before = weights_of(layer)
    assert before["the weights weight"].startswith("(1000, 1100), sum of bits ")
    with torch.no_grad():
        layer.weight.view(torch.int32)[-1, -1] ^= 1
    after = weights_of(layer)
    assert [name for name in before if before[name] != after[name]] == ["the weights weight"]


def test_what_a_layer_needed_while_it_was_whole_is_given_back_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[int] = []
    monkeypatch.setattr(weights, "give_back_freed", lambda: given_back.append(1))
    model: Any = nn.Linear(2, 2)
    Weights(model).fill(model)
    assert given_back == []  # all was there before
    model._tunesmith_later = LaterWeights()
    Weights(model).fill(model)
    assert given_back == [1]
