# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What each of several processes holds of a model: weights, gradients and the moments of AdamW, in bytes.

    python benchmarks/distributed_memory.py [--processes 4] [--size 25000000] [--json FILE]

A decoder is opened from its folder and divided by the strategies fsdp, hsdp (two processes share a copy) and tp of
tunesmith-enterprise, on CPU processes of this machine, and takes one step; then every process counts the bytes of its
parts. "Opening" is the most memory that a process had of its own (RssAnon of Linux, which leaves out what is only
mapped from a file) until its part was in place, above what it had before. Needs tunesmith-enterprise; it calls what
the strategies call and asks for no license.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from tunesmith.models.find import BYTE_VOCABULARY
from tunesmith.models.load import load_weights
from tunesmith.models.shapes import weights_later
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.recipe.schema import TrainSection
from tunesmith.training.optimizer import make_optimizer

WAYS = ("whole", "fsdp", "hsdp", "tp")
OPENING = "opening"
SMALL = 200_000
"""Weights of a model that is opened before, so that what is imported on the way does not count."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--size", type=int, default=25_000_000, help="weights of the model")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # Forks have everything imported already. Each way has fresh ones: what was freed, an allocator keeps.
        for name, size in (("model", arguments.size), ("small", SMALL)):
            multiprocessing.start_processes(_make, (Path(folder, name), size), start_method="fork")
        for way in WAYS:
            given = (arguments.processes, _free_port(), way, folder)
            multiprocessing.start_processes(_measure, given, nprocs=arguments.processes, start_method="fork")
        found = [
            {way: json.loads(Path(folder, f"{way}-{rank}.json").read_text()) for way in WAYS}
            for rank in range(arguments.processes)
        ]
    whole = sum(value for name, value in found[0]["whole"].items() if name != OPENING)
    print(f"{arguments.processes} processes; the largest part of one, in MiB\n")
    print("| strategy | weights | gradients | moments | all | of the whole | opening |\n|---|---|---|---|---|---|---|")
    figures = {}
    for way in WAYS:
        opening = max(one[way].pop(OPENING) for one in found)
        held = max((one[way] for one in found), key=lambda parts: sum(parts.values()))
        share = sum(held.values()) / whole
        figures[way] = held | {"share": round(share, 4), OPENING: opening}
        cells = " | ".join(f"{value / 2**20:.1f}" for value in (*held.values(), sum(held.values())))
        print(f"| {way} | {cells} | {share:.3f} | {opening / 2**20:.1f} |")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _measure(rank: int, world: int, port: int, way: str, folder: str) -> None:
    """In each process: open, and take a step."""
    names = {"RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()})
    torch.set_num_threads(1)
    from tunesmith_enterprise.distributed.group import join

    group = join(timeout=120, device="cpu")
    Path(folder, f"{way}-{rank}.json").write_text(json.dumps(_parts(way, group, Path(folder))))
    dist.barrier()
    group.leave()


def _make(_rank: int, folder: Path, size: int) -> None:
    options = ScratchOptions(
        architecture="llama", size=size, tokenizer="byte", vocabulary=BYTE_VOCABULARY, context=128, seed=0
    )
    model = load_weights(ModelSource(name="scratch:llama", kind="scratch", scratch=options), "causal-lm")
    model.save_pretrained(folder)


def _parts(way: str, group: Any, folder: Path) -> dict[str, int]:
    from tunesmith_enterprise.distributed.sharded_gradients import local

    _opened(way, group, folder / "small")
    dist.barrier()
    with _Peak() as peak:
        model = _opened(way, group, folder / "model")
    dist.barrier()
    optimizer = make_optimizer(model, TrainSection())
    rows = torch.randint(0, BYTE_VOCABULARY, (1, 32), generator=torch.Generator().manual_seed(0))
    model(input_ids=rows, labels=rows).loss.backward()
    optimizer.step()

    def bytes_of(tensors: Any) -> int:
        return sum(local(one).numel() * local(one).element_size() for one in tensors)

    weights = list(model.parameters())
    return {
        OPENING: peak.bytes,
        "weights": bytes_of(weights),
        "gradients": bytes_of(one.grad for one in weights if one.grad is not None),
        "moments": bytes_of(value for state in optimizer.state.values() for value in state.values()),
    }


def _opened(way: str, group: Any, folder: Path) -> Any:
    from tunesmith_enterprise.distributed.sharded import shard
    from tunesmith_enterprise.distributed.tensor_parallel import divide_layers
    from tunesmith_enterprise.distributed.weights import Weights

    source = ModelSource(name=str(folder), kind="folder", folder=folder)
    if way == "whole":
        return load_weights(source, "causal-lm")
    with weights_later():
        model = load_weights(source, "causal-lm")
    fill = Weights(model).fill
    if way == "fsdp":
        shard(model, group.mesh(group.world, names=["shard"]), fill=fill)
    elif way == "hsdp":
        shard(model, group.mesh(group.world // 2, 2, names=["copy", "shard"]), fill=fill)
    else:
        divide_layers(model, group, place=fill)
    return model


class _Peak:
    """The most memory of this process's own within the block, in bytes above what it had at the beginning."""

    def __enter__(self) -> _Peak:
        gc.collect()
        self.bytes, self._before, self._ended = 0, _own_memory(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            ended = self._ended.wait(0.001)
            self.bytes = max(self.bytes, _own_memory() - self._before)
            if ended:
                return


def _own_memory() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024


if __name__ == "__main__":
    main()
