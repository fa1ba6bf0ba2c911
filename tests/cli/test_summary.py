# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is said at the end of a job."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tunesmith.recipe import parse_recipe
from tunesmith.runs import Run
from tunesmith_cli.screen import Screen
from tunesmith_cli.settings import Settings
from tunesmith_cli.summary import next_steps


@pytest.mark.parametrize(
    ("task", "command"),
    [
        ("text-classification", "tunesmith predict '{}' FILE"),
        ("reward", "tunesmith predict '{}' FILE"),
        ("embedding", "tunesmith predict '{}' FILE"),
        ("chat", "tunesmith chat '{}'"),
        ("preference", "tunesmith chat '{}'"),
        ("causal-lm", "tunesmith generate '{}' --prompt \"TEXT\" --max-new-tokens 100"),
        ("seq2seq", "tunesmith generate '{}' --prompt \"TEXT\" --max-new-tokens 100"),
    ],
)
def test_what_to_type_next_is_something_the_model_can_do(tmp_path: Path, task: str, command: str) -> None:
    run = tmp_path / "a run"
    recipe = parse_recipe({"task": task, "model": "tunesmith/tiny", "data": {"train": "a"}, "output": str(run)})
    err = io.StringIO()
    next_steps(Screen(Settings(), out=io.StringIO(), err=err), Run.create(run, recipe), ["tunesmith doctor"])
    assert err.getvalue().splitlines() == [
        "",
        f"next    {command.format(run)}",
        f"        tunesmith evaluate '{run}' --data FILE",
        "        tunesmith doctor",
    ]
