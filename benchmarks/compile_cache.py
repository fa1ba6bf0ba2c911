# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How long a machine waits for its compiler: one that has nothing, and the next, with a compile cache that both share.

    python benchmarks/compile_cache.py serve [--shape llama-16m] [--repeat 3]
    python benchmarks/compile_cache.py train [--repeat 3]

``serve``: from asking for an engine to its first token. ``train``: from the start of a job with ``train.compile: true``
(a little BERT, rows of a few words) to the end of its first step. Each machine is a process with a cache folder and a
temporary folder of its own, which are empty. The license that the cache asks for is made for the occasion.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report import table
from serve_decode import SHAPES, make_model

FIRST, NEXT = "the first machine", "the next, with the shared cache"


def first_token(model: Path) -> dict[str, float]:
    """Seconds until an engine over a model has answered with one token."""
    from tunesmith.engine import GenerateRequest, Sampling, open_engine

    started = time.perf_counter()
    engine = open_engine(model, slots=1)
    request = GenerateRequest(prompt=(1, 2, 3), max_new_tokens=1, sampling=Sampling(temperature=0))
    engine.submit(request).result()
    seconds = time.perf_counter() - started
    engine.close()
    return {"seconds": seconds}


def first_step(folder: Path) -> dict[str, float]:
    """Seconds until a job over compiled layers has taken one step."""
    import tunesmith
    from tunesmith.plugin import StepDone
    from tunesmith.testing import tiny_bert

    rows = "".join(f"{word} {'very ' * (n % 7)}{n},{word}\n" for n in range(24) for word in ("pear", "zinc"))
    folder.mkdir(parents=True)
    (folder / "rows.csv").write_text("text,label\n" + rows)
    recipe = {
        "task": "text-classification",
        "model": str(tiny_bert(folder / "bert")),
        "data": {"train": str(folder / "rows.csv"), "split": {"test": 0.25, "validation": 0.25}},
        "train": {"max_steps": 1, "tokens_per_batch": 96, "precision": "fp32", "device": "cpu", "compile": True},
        "output": str(folder / "run"),
    }
    ends: list[float] = []
    started = time.perf_counter()
    tunesmith.train(
        tunesmith.parse_recipe(recipe),
        observers=[lambda event: ends.append(time.perf_counter()) if isinstance(event, StepDone) else None],
    )
    return {"seconds": ends[0] - started}


def measured(part: str, shape: str, folder: Path) -> dict[str, dict[str, float]]:
    """One machine after the other, which share a cache; what each took, and how large the archive is."""
    from licensed_copy import licensed_copy

    environ = os.environ | licensed_copy(folder, "optimizations")
    write_settings(folder)
    if part == "serve":
        make_model(shape, folder / "model")
    found = {}
    for name in (FIRST, NEXT):
        own = Path(tempfile.mkdtemp(dir=folder))
        (own / "tmp").mkdir()
        for variable in ("NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
            environ.pop(variable, None)
        environ |= {"TUNESMITH_CACHE": str(own / "cache"), "TMPDIR": str(own / "tmp")}
        command = [sys.executable, __file__, part, "--child", str(own if part == "train" else folder / "model")]
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
        found[name]["mb"] = sum(file.stat().st_size for file in (folder / "shared").glob("*.code")) / 1e6
    return found


def write_settings(folder: Path) -> None:
    """The person's settings, which name a cache in the folder, with a new key."""
    (folder / "shared").mkdir(mode=0o770)
    key = folder / "shared.key"
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(32))
    table = f'folder = "{(folder / "shared").as_posix()}", key_file = "{key.as_posix()}"'
    settings = folder / "config" / "tunesmith" / "tunesmith.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"[plugins.enterprise]\ncompile_cache = {{ {table} }}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("serve", "train"))
    parser.add_argument("--shape", choices=SHAPES, default="llama-16m", help="of the model that answers")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child is not None:
        part: Any = first_token if options.part == "serve" else lambda own: first_step(own / "job")
        print(json.dumps(part(options.child)))
        return
    runs: dict[str, list[dict[str, float]]] = {FIRST: [], NEXT: []}
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory() as folder:
            for name, figures in measured(options.part, options.shape, Path(folder)).items():
                runs[name].append(figures)
                print(f"{name}: {figures}", file=sys.stderr, flush=True)
    medians = {
        name: {key: statistics.median(run[key] for run in all_) for key in all_[0]} for name, all_ in runs.items()
    }
    what = "first token, s" if options.part == "serve" else "first step, s"
    print(table(["", what, "shared, MB"], [[n, f"{m['seconds']:.1f}", f"{m['mb']:.1f}"] for n, m in medians.items()]))


if __name__ == "__main__":
    main()
