# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is served answers as what was trained, or is not served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import tunesmith
from tunesmith.engine import open_engine
from tunesmith.errors import ParityError, RunError
from tunesmith.serve.parity import check_engine
from tunesmith.testing import tiny_llama


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity")
    rows = [{"prompt": f"say {n}", "completion": f"number {n}"} for n in range(8)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "task": "chat",
        "model": str(tiny_llama(folder / "llama")),
        "data": {"train": str(folder / "rows.jsonl")},
        "train": {"max_steps": 2, "precision": "fp32"},
        "evaluate": {"samples": 0},
        "output": str(folder / "run"),
    }
    return tunesmith.train(tunesmith.parse_recipe(recipe)).path


@pytest.mark.parametrize("weights", ["auto", "fp32", "bf16"])
def test_an_engine_of_the_run_answers_as_it_did(run: Path, weights: Any) -> None:
    engine = open_engine(run, weights=weights)
    try:
        findings = check_engine(engine, run)
    finally:
        engine.close()
    assert [(finding.name, finding.holds) for finding in findings] == [
        ("token ids", True),
        ("greedy tokens", True),
        ("log-probabilities", True),
    ]


def test_other_weights_are_not_served(run: Path) -> None:
    engine: Any = open_engine(run, weights="fp32")
    try:
        with torch.inference_mode():
            engine._decoder._held[5].mul_(3)  # weights of the first layer
        with pytest.raises(ParityError, match="does not answer as it did when it was trained") as caught:
            check_engine(engine, run)
        assert "nats" in str(caught.value)
        assert "--no-check" in str(caught.value)
    finally:
        engine.close()


def test_another_template_is_not_served(run: Path) -> None:
    engine: Any = open_engine(run)
    template = engine._rendering._task.template
    template.template = template.template.replace("content", "role")
    try:
        with pytest.raises(ParityError, match="token ids: 0 of"):
            check_engine(engine, run)
    finally:
        engine.close()


def test_without_a_golden_set_nothing_is_asked(run: Path, tmp_path: Path) -> None:
    engine = open_engine(run)
    try:
        assert check_engine(engine, run / "model") == []
        (tmp_path / "golden.json").write_text("{}")
        with pytest.raises(RunError, match="cannot be used"):
            check_engine(engine, tmp_path)
    finally:
        engine.close()
