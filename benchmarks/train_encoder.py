# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""An encoder classifier, ours beside transformers' Trainer at its defaults and at its best.

    python benchmarks/train_encoder.py --model PATH [--method full|head] [--join 3] [--epochs 2] [--repeat 3]

Rows are the messages of banking77, ``--join`` of one intent together (3: 45 tokens on average; 1: 16). Same model,
rows, rows per batch, rate, epochs and seed for all. The peer at its best has its rows grouped by length, and bf16 where
the processor gains from it.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

from contest import SHARED, Clock, Column, bf16_pays, contest, options_parser

BATCH = 32
RATES = {"full": 2e-4, "head": 1e-2}


def tunesmith(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    import torch
    import transformers  # before the clock starts, as for the peer

    import tunesmith
    from tunesmith.plugin import RunStarted, StepDone

    del torch, transformers
    recipe = {
        "task": "text-classification",
        "model": options.model,
        "method": options.method,
        "data": {"train": str(options.rows / "train.jsonl"), "test": str(options.rows / "test.jsonl")},
        "train": {
            "epochs": options.epochs,
            "max_steps": options.max_steps,
            "learning_rate": RATES[options.method],
            "rows_per_batch": BATCH,
            "weight_decay": 0.0,
            "precision": options.precision,
            "save_every": 1_000_000,
            "seed": options.seed,
        },
        "evaluate": {"before": False},
        "output": str(folder / "run"),
    }
    clock, started = Clock(), time.perf_counter()

    def observe(event: object) -> None:
        if isinstance(event, RunStarted):
            clock.start()
        elif isinstance(event, StepDone):
            clock.tick(event.tokens)

    run = tunesmith.train(tunesmith.parse_recipe(recipe), observers=[observe])
    whole = time.perf_counter() - started
    return {**clock.figures(), "accuracy": run.manifest["metrics"]["test"]["accuracy"], "whole": whole}


def trainer(options: argparse.Namespace, folder: Path, **settings: object) -> dict[str, float]:
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    started = time.perf_counter()
    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    splits = {
        name: [json.loads(line) for line in (options.rows / f"{name}.jsonl").open(encoding="utf-8")]
        for name in ("train", "test")
    }
    index = {label: place for place, label in enumerate(sorted({row["label"] for row in splits["train"]}))}
    encoded = {
        name: [
            {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": index[row["label"]]}
            for ids, row in zip(
                tokenizer([row["text"] for row in rows], truncation=True, max_length=512)["input_ids"],
                rows,
                strict=True,
            )
        ]
        for name, rows in splits.items()
    }
    model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=len(index))
    if options.method == "head":
        model.base_model.requires_grad_(False)
    clock, pad = Clock(), DataCollatorWithPadding(tokenizer)
    waiting: list[int] = []

    def collate(rows: list[dict[str, object]]) -> object:
        batch = pad(rows)
        waiting.append(int(batch["attention_mask"].sum()))
        return batch

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: object, **__: object) -> None:
            clock.start()

        def on_step_end(self, *_: object, **__: object) -> None:
            clock.tick(waiting.pop(0))

    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=options.epochs,
        max_steps=options.max_steps or -1,
        per_device_train_batch_size=BATCH,
        learning_rate=RATES[options.method],
        warmup_steps=0.05,  # below 1: a share of all steps
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=options.seed,
        **settings,
    )
    job = Trainer(model, arguments, train_dataset=encoded["train"], data_collator=collate, callbacks=[Watch()])
    job.train()
    answers = job.predict(encoded["test"])
    right = (torch.tensor(answers.predictions).argmax(-1) == torch.tensor(answers.label_ids)).float().mean()
    return {**clock.figures(), "accuracy": float(right), "whole": time.perf_counter() - started}


def trainer_default(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return trainer(options, folder)


def trainer_best(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    return trainer(options, folder, bf16=bf16_pays(), train_sampling_strategy="group_by_length", logging_steps=200)


def join_rows(source: Path, target: Path, count: int) -> None:
    """Messages of one intent, ``count`` together; what is left over of an intent is left out."""
    waiting: dict[str, list[str]] = {}
    with source.open(encoding="utf-8") as rows, target.open("w", encoding="utf-8") as out:
        for row in csv.DictReader(rows):
            texts = waiting.setdefault(row["category"], [])
            texts.append(row["text"].strip())
            if len(texts) == count:
                out.write(json.dumps({"text": " ".join(texts), "label": row["category"]}) + "\n")
                texts.clear()


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("--model", required=True, help="folder of an encoder, e.g. all-MiniLM-L6-v2")
    parser.add_argument("--method", choices=RATES, default="full")
    parser.add_argument("--precision", default="auto", help="ours; see train.precision")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "banking77")
    parser.add_argument("--join", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    columns = [
        Column("tokens_per_second", "tokens/s", "{:,.0f}", greater_is_better=True),
        Column("whole", "whole job, s", "{:,.1f}", greater_is_better=False),
        Column("accuracy", "test accuracy", "{:.2%}"),
        Column("peak_mb", "peak memory, MB", "{:,.0f}", greater_is_better=False),
    ]
    contenders = {"tunesmith": tunesmith, "Trainer, defaults": trainer_default, "Trainer, best": trainer_best}
    if options.contender:
        options.rows = Path(options.folder)
        for split in ("train", "test"):
            join_rows(options.data / f"{split}.csv", options.rows / f"{split}.jsonl", options.join)
    contest(options, contenders, columns, facts={"method": options.method, "join": options.join, "batch": BATCH})


if __name__ == "__main__":
    main()
