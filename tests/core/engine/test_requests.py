# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What may be asked: refused with the name of the parameter, before anything is computed."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.engine import GenerateRequest, Sampling
from tunesmith.errors import RequestError


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("temperature", -0.1, "0 (greedy) or more"),
        ("temperature", float("nan"), "0 (greedy) or more"),
        ("temperature", float("inf"), "0 (greedy) or more"),
        ("top_k", -1, "0 (all) or more"),
        ("top_p", 0.0, "more than 0 and at most 1"),
        ("top_p", 1.1, "more than 0 and at most 1"),
        ("min_p", 1.5, "0 (all) to 1"),
        ("repetition_penalty", 0.0, "more than 0"),
        ("presence_penalty", 2.5, "-2 to 2"),
        ("frequency_penalty", -3.0, "-2 to 2"),
        ("seed", -1, "0 to 2⁶³ - 1"),
        ("logit_bias", ((3, 101.0),), "token ids with values from -100 to 100"),
    ],
)
def test_sampling_out_of_range(name: str, value: Any, expected: str) -> None:
    with pytest.raises(RequestError, match=f"{name} is out of range") as caught:
        Sampling(**{name: value})
    assert caught.value.parameter == name
    assert caught.value.expected == expected


@pytest.mark.parametrize(
    ("name", "value"), [("max_new_tokens", 0), ("choices", 0), ("logprobs", -1), ("prompt", ()), ("prompt", [])]
)
def test_requests_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(RequestError) as caught:
        GenerateRequest(**{"prompt": "x", name: value})
    assert caught.value.parameter == name
    assert isinstance(caught.value, ValueError)


def test_an_empty_text_is_a_prompt() -> None:
    assert GenerateRequest(prompt="").prompt == ""
