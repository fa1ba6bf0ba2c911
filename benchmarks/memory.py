# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Estimated against real peaks of memory, each job in a process of its own: ``python benchmarks/memory.py``.

The real peak is the kernel's (VmHWM), so this runs on Linux. Jobs whose model or data are not there are passed over.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

DATA = Path("../shared/data")

CHILD = """
import json, sys
import torch
from tunesmith.recipe import parse_recipe
from tunesmith.training import job
from tunesmith.machine.memory import peak_bytes, reset_peak

cpu, found, look = torch.device("cpu"), {}, job.look_ahead

def looking(work):
    outlook = look(work)
    found["estimate"] = outlook.memory.peak
    reset_peak(cpu)  # what reading and building took for a moment is not the job's
    return outlook

job.look_ahead = looking
job.train(parse_recipe(json.loads(sys.argv[1])))
print(json.dumps({**found, "peak": peak_bytes(cpu)}))
"""


def jobs(model: str | None) -> dict[str, dict[str, Any]]:
    """Name to recipe, without its output."""
    banking = {"train": str(DATA / "banking77/train.csv"), "columns": {"label": "category"}}
    encoder = {"task": "text-classification", "model": model, "data": banking}
    found: dict[str, dict[str, Any]] = {
        "tiny, support": {
            "task": "text-classification",
            "model": "tunesmith/tiny",
            "data": {"train": "dataset:tunesmith/support#train", "test": "dataset:tunesmith/support#test"},
            "train": {"tokens_per_batch": 512, "max_steps": 60},
        },
        "llama-20M from scratch, Shakespeare": {
            "task": "causal-lm",
            "model": {"name": "scratch:llama-20M", "context": 256},
            "data": {"train": str(DATA / "tinyshakespeare/input.txt")},
            "train": {"max_steps": 8},
            "evaluate": {"samples": 0},
        },
        "stories260k, gsm8k as chat": {
            "task": "chat",
            "model": "../shared/models/stories260k",
            "data": {
                "train": str(DATA / "gsm8k/train.jsonl"),
                "columns": {"prompt": "question", "completion": "answer"},
            },
            "train": {"max_steps": 40},
            "evaluate": {"samples": 0},
        },
        "cnn from scratch, MNIST": {
            "task": "image-classification",
            "model": "scratch:cnn",
            "data": {"train": str(DATA / "mnist/train10k-images-idx3-ubyte.gz")},
            "train": {"max_steps": 60},
        },
    }
    if model is not None:
        found |= {
            "MiniLM, banking77": {**encoder, "train": {"max_steps": 200}},
            "MiniLM, banking77, lora": {**encoder, "method": "lora", "train": {"max_steps": 60}},
            "MiniLM, banking77, in 4 parts": {**encoder, "train": {"max_steps": 60, "accumulate": 4}},
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of all-MiniLM-L6-v2; without it its jobs are left out")
    parser.add_argument("--only", default="", help="jobs with this in their name")
    arguments = parser.parse_args()
    print("| job | estimated | real | estimate is off by |\n|---|---|---|---|")
    for name, recipe in jobs(arguments.model).items():
        if arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            text = json.dumps({**recipe, "output": str(Path(folder) / "run")})
            done = subprocess.run([sys.executable, "-c", CHILD, text], capture_output=True, text=True)
        if done.returncode:
            print(f"| {name} | failed: {done.stderr.strip().splitlines()[-1]} | | |")
            continue
        sizes = json.loads(done.stdout.splitlines()[-1])
        estimate, peak = sizes["estimate"], sizes["peak"]
        print(f"| {name} | {estimate / 1e6:,.0f} MB | {peak / 1e6:,.0f} MB | {estimate / peak - 1:+.0%} |", flush=True)


if __name__ == "__main__":
    main()
