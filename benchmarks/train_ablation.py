# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What each fast path gives: the jobs of the other contests, with one path left out at a time.

    python benchmarks/train_ablation.py encoder --model PATH [--repeat 3]
    python benchmarks/train_ablation.py chat [--repeat 3]

The last contender leaves out all of them: the plain loop over the plain model. Ratios are to the job with all of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import train_chat
import train_encoder
from contest import SHARED, Column, contest, options_parser
from report import table

Cut = Callable[[], None]


def _attention() -> None:
    from tunesmith.training import prepare

    prepare.fit_attention = lambda *_, **__: None  # type: ignore[assignment]


def _own_products() -> None:
    """Plain attention by the model's own code instead of ours."""
    from tunesmith.training import attention

    attention._same = lambda *_: False  # type: ignore[assignment]


def _dropout() -> None:
    from tunesmith.training import prepare

    prepare.use_cheap_dropout = lambda *_: 0  # type: ignore[assignment]


def _vocabulary() -> None:
    from tunesmith.training import prepare

    prepare.train_occurring_rows = lambda *_: None  # type: ignore[assignment]


def _memory() -> None:
    from tunesmith.training import job

    job.kept_memory = nullcontext  # type: ignore[assignment]


def _loss_in_parts() -> None:
    from tunesmith.tasks import supervised

    supervised.plain_output_layer = lambda *_: None  # type: ignore[assignment]


def _labelled_only() -> None:
    """Logits of every place, as the models' own loss makes them."""
    from tunesmith.tasks import supervised

    _loss_in_parts()
    supervised._forward_takes = lambda _: (False, True)  # type: ignore[assignment]


def _lengths() -> None:
    """Rows in the order they are drawn, whatever their lengths; a step is still so many tokens."""
    import numpy as np

    from tunesmith.training import feed

    sorted_order = feed.batch_order

    def drawn(lengths: Any, *, tokens: int | None, rows: int | None, seed: int, epoch: int) -> list[Any]:
        mean = float(np.mean(lengths))
        size = rows or max(1, round((tokens or 1) / mean))
        return sorted_order(np.full_like(lengths, 1), tokens=None, rows=size, seed=seed, epoch=epoch)

    feed.batch_order = drawn  # type: ignore[assignment]


CUTS: dict[str, dict[str, Cut]] = {
    "encoder": {
        "rows of like length together": _lengths,
        "plain attention for short rows": _attention,
        "our own products in it": _own_products,
        "cheap dropout": _dropout,
        "vectors of tokens that occur": _vocabulary,
        "memory kept between steps": _memory,
    },
    "chat": {
        "rows of like length together": _lengths,
        "plain attention for short rows": _attention,
        "our own products in it": _own_products,
        "output layer and loss in parts": _loss_in_parts,
        "logits only where there is a label": _labelled_only,
        "memory kept between steps": _memory,
    },
}


def contender(work: str, cuts: list[Cut]) -> Callable[[argparse.Namespace, Path], dict[str, float]]:
    """The job without these paths. Times are of a step; the first few are left out."""
    module: Any = train_encoder if work == "encoder" else train_chat

    def run(options: argparse.Namespace, folder: Path) -> dict[str, float]:
        for cut in cuts:
            cut()
        figures: dict[str, float] = module.tunesmith(options, folder)
        return figures

    return run


def main() -> None:
    parser = options_parser(__doc__)
    parser.add_argument("work", choices=CUTS)
    parser.add_argument("--model", help="encoder: folder of all-MiniLM-L6-v2")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--join", type=int, default=3, help="encoder: messages in a row")
    parser.add_argument("--shape", choices=train_chat.SHAPES, default="qwen3-34m", help="chat")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.set_defaults(method="full", epochs=100, max_length=None, max_steps=30)
    options = parser.parse_args()
    encoder = options.work == "encoder"
    if encoder and options.model is None:
        parser.error("encoder needs --model")
    options.data = options.data or SHARED / "data" / ("banking77" if encoder else "gsm8k")
    if options.contender and encoder:
        options.rows = Path(options.folder)
        for split in ("train", "test"):
            train_encoder.join_rows(options.data / f"{split}.csv", options.rows / f"{split}.jsonl", options.join)
        # Scores are no part of this: a handful of test rows, so that the job has some.
        rows = (options.rows / "test.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (options.rows / "test.jsonl").write_text("".join(rows[:32]), encoding="utf-8")
    cuts = CUTS[options.work]
    contenders = {"tunesmith": contender(options.work, [])}
    contenders |= {f"tunesmith without {name}": contender(options.work, [cut]) for name, cut in cuts.items()}
    contenders["tunesmith without all of them"] = contender(options.work, list(cuts.values()))
    columns = [Column("tokens_per_second", "tokens/s", "{:,.0f}"), Column("peak_mb", "peak memory, MB", "{:,.0f}")]
    contest(options, contenders, columns, facts={"work": options.work})
    if options.out and not options.contender:
        _print_ratios(json.loads(options.out.read_text(encoding="utf-8"))["runs"])


def _print_ratios(runs: dict[str, list[dict[str, float]]]) -> None:
    """Turn by turn, so that a machine whose pace drifts compares like with like."""
    whole = [run["tokens_per_second"] for run in runs["tunesmith"]]
    rows = []
    for name, found in runs.items():
        ratios = [one["tokens_per_second"] / other for one, other in zip(found, whole, strict=True)]
        rows.append([name, f"{statistics.median(ratios):.2f} ×", f"{min(ratios):.2f} to {max(ratios):.2f}"])
    print(table(["", "rate to that of all paths", "range"], rows), file=sys.stdout)


if __name__ == "__main__":
    main()
