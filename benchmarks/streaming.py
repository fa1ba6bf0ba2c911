# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Memory and time to read and encode JSON Lines of any size: what a job does before its first step.

    python benchmarks/streaming.py --megabytes 30 300
    python benchmarks/streaming.py --megabytes 10000 --folder /large/disk

Files of made-up rows are written to a folder (default: a temporary one), with the cache beside them; each size is read
and encoded twice, in processes of their own: the second time finds what the first one kept. Nothing stays behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WORDS = ("card", "account", "transfer", "payment", "fee", "limit", "refund", "order", "parcel", "the", "a", "my", "is")


def write(path: Path, megabytes: float, ignored: int, seed: int = 0) -> int:
    """Rows of 20 to 60 words, a label, and a column nobody reads; returns how many."""
    draw, rows, size = random.Random(seed), 0, 0
    with path.open("w", encoding="utf-8") as file:
        while size < megabytes * 1e6:
            text = " ".join(draw.choices(WORDS, k=draw.randint(20, 60)))
            row = {"text": text, "label": draw.choice("abcd"), "number": rows, "ignored": "x" * ignored}
            size += file.write(json.dumps(row) + "\n")
            rows += 1
    return rows


def measure(path: Path, task: str, model: str) -> dict[str, object]:
    """Read, fit, build and encode in this process."""
    import torch

    from tunesmith import parse_recipe
    from tunesmith.data import read_examples
    from tunesmith.models import find_model
    from tunesmith.registry import get_registry
    from tunesmith.tasks.encoded import item_lengths
    from tunesmith.tasks.encoding import encode_splits

    own = OwnMemory()
    recipe = parse_recipe({"task": task, "model": model, "data": {"train": str(path)}, "output": "unused"})
    registry = get_registry()
    definition = registry.load("task", recipe.task)(recipe.data)  # type: ignore[operator]
    source = find_model(recipe.model, registry, seed=0)
    started = time.perf_counter()
    splits = read_examples(recipe.data, definition, registry)
    read = time.perf_counter()
    definition.fit(splits.train)
    definition.build(source)
    built = time.perf_counter()
    items = encode_splits(definition, splits, workers=torch.get_num_threads())["train"]
    encoded = time.perf_counter()
    return {
        "rows": len(splits.train),
        "tokens": int(item_lengths(items).sum()),
        "read": round(read - started, 1),
        "encode": round(encoded - built, 1),
        "peak_megabytes": round(peak_megabytes()),
        "own_megabytes": own.most(),
    }


class OwnMemory:
    """The most memory that no file is behind: what the cache maps, the system takes back when others need it."""

    def __init__(self) -> None:
        self._kilobytes = 0
        self._status = Path("/proc/self/status")
        if self._status.exists():
            threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            line = next(line for line in self._status.read_text().splitlines() if line.startswith("RssAnon:"))
            self._kilobytes = max(self._kilobytes, int(line.split()[1]))
            time.sleep(0.1)

    def most(self) -> int | None:
        """In MB; ``None`` where the system does not say (it does on Linux)."""
        return round(self._kilobytes * 1024 / 1e6) if self._kilobytes else None


def peak_megabytes() -> float:
    """The most memory this process has held."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, nargs="+", default=[30, 300])
    parser.add_argument("--ignored", type=int, default=0, help="characters of each row in a column that is not read")
    parser.add_argument("--task", default="text-classification")
    parser.add_argument("--model", default="tunesmith/tiny")
    parser.add_argument("--folder", type=Path, help="where files and cache are written; needs three times their size")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.file:
        print(json.dumps(measure(options.file, options.task, options.model)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        environment = os.environ | {"TUNESMITH_CACHE": str(Path(folder) / "cache"), "HF_HUB_OFFLINE": "1"}
        for megabytes in options.megabytes:
            path = Path(folder) / f"{megabytes:g}.jsonl"
            write(path, megabytes, options.ignored)
            command = [sys.executable, __file__, "--file", str(path), "--task", options.task, "--model", options.model]
            for which in ("first", "again"):
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                print(json.dumps({"megabytes": megabytes, "which": which, **json.loads(done.stdout)}), flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
