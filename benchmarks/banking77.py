# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Text classification, ours beside transformers' Trainer: same model, rows, batch, rate, epochs and seed.

    python benchmarks/banking77.py --model PATH [--repeat 1] [--epochs 5] [--max-steps 2] [--out FILE.json]

The peer runs at the best settings known for it on a processor: bf16, rows grouped by length. Each contender runs in
a process of its own, turn about; training time is what each reports for its training loop, evaluation excluded.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import machine, save, table

DATA = Path(__file__).parents[1] / ".." / "shared" / "data" / "banking77"
CONTENDERS = ("tunesmith", "trainer")
BATCH, RATE, WARMUP, SEED = 32, 2e-4, 100, 0


def ours(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    import tunesmith
    from tunesmith.plugin import RunStarted, StepDone

    recipe = tunesmith.parse_recipe(
        {
            "task": "text-classification",
            "model": options.model,
            "data": {
                "train": str(options.data / "train.csv"),
                "test": str(options.data / "test.csv"),
                "columns": {"text": "text", "label": "category"},
            },
            "train": {
                "epochs": options.epochs,
                "max_steps": options.max_steps,
                "learning_rate": RATE,
                "warmup_steps": WARMUP,
                "rows_per_batch": BATCH,
                "weight_decay": 0.0,
                "precision": "bf16",
                "save_every": 1_000_000,  # the peer saves nothing while it trains
                "seed": options.seed,
            },
            "evaluate": {"before": False},
            "output": str(folder / "run"),
        }
    )
    moments = []  # logging and whatever else happens between steps is part of the time, as it is of the peer's
    run = tunesmith.train(
        recipe,
        observers=[
            lambda event: moments.append(time.perf_counter()) if isinstance(event, (RunStarted, StepDone)) else None
        ],
    )
    return {"accuracy": run.manifest["metrics"]["test"]["accuracy"], "seconds": moments[-1] - moments[0]}


def trainer(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    splits = {name: list(csv.DictReader((options.data / f"{name}.csv").open())) for name in ("train", "test")}
    labels = sorted({row["category"] for row in splits["train"]})
    index = {label: position for position, label in enumerate(labels)}

    def encode(rows: list[dict[str, str]]) -> list[dict[str, object]]:
        encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=512)["input_ids"]
        return [
            {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": index[row["category"]]}
            for ids, row in zip(encoded, rows, strict=True)
        ]

    model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=len(labels))
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=options.epochs,
        max_steps=options.max_steps or -1,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=128,
        learning_rate=RATE,
        warmup_steps=WARMUP,
        lr_scheduler_type="linear",
        bf16=True,
        use_cpu=True,
        train_sampling_strategy="group_by_length",
        save_strategy="no",
        logging_steps=200,
        report_to=[],
        disable_tqdm=True,
        seed=options.seed,
    )
    train_rows, test_rows = encode(splits["train"]), encode(splits["test"])
    job = Trainer(model, arguments, train_dataset=train_rows, data_collator=DataCollatorWithPadding(tokenizer))
    seconds = job.train().metrics["train_runtime"]
    answers = job.predict(test_rows)  # grouped by length here as well: compare with the labels it hands back
    right = (torch.tensor(answers.predictions).argmax(-1) == torch.tensor(answers.label_ids)).float().mean()
    return {"accuracy": float(right), "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of an encoder, e.g. all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--epochs", type=float, default=5)
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--contender", choices=CONTENDERS, help="run this one here and print its figures")
    options = parser.parse_args()

    if options.contender:
        with tempfile.TemporaryDirectory() as folder:
            figures = {"tunesmith": ours, "trainer": trainer}[options.contender](options, Path(folder))
        print(json.dumps(figures))
        return

    figures: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for turn in range(options.repeat):
        for name in CONTENDERS:
            command = [sys.executable, __file__, *sys.argv[1:], "--contender", name, "--seed", str(options.seed + turn)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            figures[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{name}: {figures[name][-1]}", file=sys.stderr)
    medians = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in figures.items()
    }
    print(
        table(
            ("", "test accuracy", "training seconds", "times as fast"),
            [
                (
                    name,
                    f"{median['accuracy']:.2%}",
                    f"{median['seconds']:.1f}",
                    f"{medians['trainer']['seconds'] / median['seconds']:.2f}",
                )
                for name, median in medians.items()
            ],
        )
    )
    if options.out:
        save(options.out, {"benchmark": "banking77", "machine": machine(), "runs": figures, "median": medians})


if __name__ == "__main__":
    main()
