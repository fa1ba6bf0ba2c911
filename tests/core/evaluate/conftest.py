# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A run as the report and the card see it, without a training job."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tunesmith.recipe.schema import Recipe


@dataclass
class RecordedRun:
    """What ``tunesmith.runs.Run`` gives its readers."""

    path: Path
    manifest: dict[str, Any]
    records: list[dict[str, Any]]
    job: Recipe
    model_folder: Path = field(init=False)
    report_file: Path = field(init=False)

    def __post_init__(self) -> None:
        self.model_folder = self.path / "model"
        self.model_folder.mkdir(parents=True)
        self.report_file = self.path / "report.html"

    def metrics(self) -> Iterator[dict[str, Any]]:
        return iter(self.records)

    def recipe(self) -> Recipe:
        return self.job


def steps(count: int) -> list[dict[str, Any]]:
    return [
        {
            "kind": "step",
            "step": step,
            "epoch": step / 100,
            "loss": 4 * math.exp(-step / 90) + 0.3 + 0.25 * math.sin(step * 1.7),
            "learning_rate": 2e-4 * min(step / 30, (count + 1 - step) / count),
            "grad_norm": 1.5 + math.sin(step / 3),
            "tokens": 1800,
            "seconds": 0.2,
        }
        for step in range(1, count + 1)
    ]


def evaluation(step: int, split: str = "validation", best: bool = False, **metrics: float) -> dict[str, Any]:
    return {"kind": "evaluation", "step": step, "split": split, "metrics": metrics, "best": best}


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RecordedRun]:
    """``make_run(records=…, recipe=…, **manifest)``: a finished text classification by default."""

    def make(
        records: Sequence[Mapping[str, Any]] | None = None,
        *,
        name: str = "banking",
        recipe: Mapping[str, Any] | None = None,
        **manifest: Any,
    ) -> RecordedRun:
        if records is None:
            records = [
                evaluation(0, "test", accuracy=0.013, macro_f1=0.0004, loss=4.36),
                *steps(400),
                *(
                    evaluation(step, accuracy=0.2 + step / 560, loss=4 - step / 115, best=True)
                    for step in (100, 200, 300, 400)
                ),
                evaluation(400, "test", accuracy=0.928, macro_f1=0.9271, loss=0.31),
                {"kind": "note", "message": "3 of 9,003 rows truncated to 512 tokens"},
            ]
        facts = {
            "status": "running",
            "task": "text-classification",
            "method": "full",
            "model": {
                "name": "models/minilm",
                "digest": "sha256:" + "ab" * 32,
                "parameters": 22_713_216,
                "trainable": 22_713_216,
            },
            "data": {
                "files": [{"name": "data/train.csv", "sha256": "0f" * 32, "bytes": 839_073, "rows": 9003}],
                "train": 8503,
                "validation": 500,
                "test": 3080,
            },
            "precision": "bf16",
            "device": "cpu",
            "seconds": 187.3,
            "steps": 400,
            "best_step": 400,
            "metrics": {
                "validation": {"accuracy": 0.914, "loss": 0.52},
                "test": {"accuracy": 0.928, "macro_f1": 0.9271, "loss": 0.31},
            },
            "environment": {"tunesmith": "0.1.0", "torch": "2.13.0", "python": "3.11.2", "platform": "Linux x86_64"},
            "threads": 2,
            "seed": 0,
        }
        job = {
            "task": "text-classification",
            "model": "tunesmith/tiny",
            "data": {"train": "data/train.csv"},
            "train": {"learning_rate": 2e-4, "tokens_per_batch": 1024},
            "output": "runs/banking",
        }
        return RecordedRun(
            tmp_path / name, facts | manifest, list(map(dict, records)), Recipe.model_validate(job | (recipe or {}))
        )

    return make
