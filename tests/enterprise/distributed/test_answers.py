# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What a process sends of held-out rows arrives as it was, bit for bit, and nothing else is made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from tunesmith.tasks.classification import ClassOutput
from tunesmith_enterprise.distributed.answers import UnknownAnswerError, pack, unpack


@dataclass(frozen=True, slots=True)
class Answer:
    value: Any

    def __post_init__(self) -> None:
        assert self.value != "made again"


def test_numbers_texts_and_their_kinds_arrive() -> None:
    sent = [None, True, 3, 0.1 + 0.2, -math.inf, "ö", (1, [2.0, "x"]), {"a": (1,), 2: None}, Answer((Answer(1), 2))]
    found = unpack(pack(sent))
    assert found == sent
    assert [type(one) for one in found] == [type(one) for one in sent]
    (nothing,) = unpack(pack([math.nan]))
    assert math.isnan(nothing)


def test_arrays_and_tensors_arrive_bit_for_bit() -> None:
    table = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    sent = [table, table.T, np.zeros((0, 4), np.float32), np.arange(3), np.float32(0.1), torch.ones(2).bfloat16()]
    found = unpack(pack([ClassOutput(table, None, (1,), table[0]), *sent]))
    assert found[0].probabilities.tobytes() == table.tobytes()
    assert (found[0].loss, found[0].truth) == (None, (1,))
    for one, other in zip(found[1:6], sent[:5], strict=True):
        assert (one.dtype, np.shape(one)) == (other.dtype, np.shape(other))
        assert np.array_equal(one, other)
    assert isinstance(found[5], np.float32)
    assert torch.equal(found[6], sent[5])


def test_rows_of_one_tensor_and_one_tensor_twice_arrive() -> None:
    table = torch.arange(6.0).view(2, 3)
    found = unpack(pack([table[0], table, table, table[:, 1]]))
    assert [one.tolist() for one in found] == [[0, 1, 2], table.tolist(), table.tolist(), [1, 4]]


def test_an_object_of_another_kind_is_not_sent() -> None:
    with pytest.raises(UnknownAnswerError, match=r"builtins\.set"):
        pack([{1, 2}])

    @dataclass
    class Local:
        value: int

    with pytest.raises(UnknownAnswerError, match="Local"):
        pack([Local(1)])


def test_a_name_makes_no_object_but_of_a_dataclass_that_is_imported() -> None:
    packed = pack([Answer(1)])
    name = __name__.encode()
    for other in (b"os", b"subprocess"):
        length = int.from_bytes(packed[:8], "little")
        text = packed[8 : 8 + length].replace(name, other).replace(b'"Answer"', b'"Popen"')
        forged = len(text).to_bytes(8, "little") + text + packed[8 + length :]
        with pytest.raises(UnknownAnswerError, match="Popen"):
            unpack(forged)
