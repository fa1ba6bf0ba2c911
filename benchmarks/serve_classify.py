# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Classifying texts offline, ours beside transformers' pipeline as it is, at 32 rows a batch, and at its best.

    python benchmarks/serve_classify.py --model PATH/TO/all-MiniLM-L6-v2 [--rows 2000] [--peer-python PATH]

Messages of banking77, in the file's order; an output layer of 77 labels with random weights, for speed does not depend
on them. The peer at its best has its rows sorted by length, the best number of rows a batch of five, and bf16 where the
processor gains from it; sorting is part of its time, looking for the best number is not.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contest import SHARED, Column, bf16_pays, contest, options_parser

LABELS = 77
WARM_UP = 64
BATCHES = (8, 16, 32, 64, 128)


def texts(options: argparse.Namespace) -> list[str]:
    with (options.data / "test.csv").open(newline="", encoding="utf-8") as file:
        found = [row["text"] for row in csv.DictReader(file)]
    return (found * (options.rows // len(found) + 1))[: options.rows]


def make_classifier(options: argparse.Namespace, folder: Path) -> Path:
    import torch
    import transformers

    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=LABELS)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(options.model).save_pretrained(folder)
    return folder


def figures(rows: int, seconds: float) -> dict[str, float]:
    return {"rows_per_second": rows / seconds, "seconds": seconds}


def ours(weights: Any) -> Callable[[argparse.Namespace, Path], dict[str, float]]:
    def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
        from tunesmith.engine import PredictRequest, open_engine

        rows = texts(options)
        engine = open_engine(make_classifier(options, folder / "model"), weights=weights)
        engine.submit(PredictRequest(rows=tuple(rows[:WARM_UP]))).result()
        start = time.perf_counter()
        found = engine.submit(PredictRequest(rows=tuple(rows))).result()
        seconds = time.perf_counter() - start
        engine.close()
        assert len(found.rows) == len(rows)
        return figures(len(rows), seconds)

    return measure


def pipeline(options: argparse.Namespace, folder: Path, dtype: Any) -> Any:
    import transformers

    model = str(make_classifier(options, folder / "model"))
    return transformers.pipeline("text-classification", model=model, dtype=dtype, device="cpu", truncation=True)


def pipeline_of(batch: int) -> Callable[[argparse.Namespace, Path], dict[str, float]]:
    def measure(options: argparse.Namespace, folder: Path) -> dict[str, float]:
        import torch

        rows, classify = texts(options), pipeline(options, folder, torch.float32)
        classify(rows[:WARM_UP], batch_size=batch)
        start = time.perf_counter()
        found = classify(rows, batch_size=batch)
        seconds = time.perf_counter() - start
        assert len(found) == len(rows)
        return figures(len(rows), seconds)

    return measure


def pipeline_best(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    import torch

    rows, classify = texts(options), pipeline(options, folder, torch.bfloat16 if bf16_pays() else torch.float32)

    def seconds(some: list[str], batch: int) -> float:
        start = time.perf_counter()
        found = classify(sorted(some, key=len), batch_size=batch)
        assert len(found) == len(some)
        return time.perf_counter() - start

    seconds(rows[:WARM_UP], 32)
    tried = rows[: max(BATCHES) * 2]
    best = min(BATCHES, key=lambda batch: seconds(tried, batch))
    return figures(len(rows), seconds(rows, best)) | {"batch": best}


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("--model", required=True, help="folder of an encoder, e.g. all-MiniLM-L6-v2")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "banking77")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rows = min(options.rows, (options.max_steps or options.rows) * 32)
    contenders = {
        "tunesmith": ours("auto"),
        "tunesmith, fp32": ours("fp32"),
        "pipeline, as it is": pipeline_of(1),
        "pipeline, 32 rows": pipeline_of(32),
        "pipeline, best": pipeline_best,
    }
    columns = [
        Column("rows_per_second", "rows/s", "{:,.0f}", greater_is_better=True),
        Column("seconds", "seconds", "{:,.2f}"),
        Column("peak_mb", "peak memory, MB", "{:,.0f}"),
    ]
    contest(options, contenders, columns, facts={"rows": options.rows})


if __name__ == "__main__":
    main()
