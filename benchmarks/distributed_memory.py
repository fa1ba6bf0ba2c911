# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What each of several processes holds of a model: weights, gradients and the moments of AdamW, in bytes.

    python benchmarks/distributed_memory.py [--processes 4] [--size 25000000] [--json FILE]

A decoder is divided by the strategies fsdp, hsdp (two processes share a copy) and tp of tunesmith-enterprise, on CPU
processes of this machine, and takes one step; then every process counts the bytes of its parts. Needs
tunesmith-enterprise; it calls what the strategies call and asks for no license.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from tunesmith.models.find import BYTE_VOCABULARY
from tunesmith.models.load import load_weights
from tunesmith.models.source import ModelSource, ScratchOptions
from tunesmith.recipe.schema import TrainSection
from tunesmith.training.optimizer import make_optimizer

WAYS = ("whole", "fsdp", "hsdp", "tp")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--size", type=int, default=25_000_000, help="weights of the model")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    arguments = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        given = (arguments.processes, port, arguments.size, folder)
        # Forks have everything imported already; nothing was computed before.
        multiprocessing.start_processes(_measure, given, nprocs=arguments.processes, start_method="fork")
        found = [json.loads(file.read_text()) for file in Path(folder).iterdir()]
    whole = sum(found[0]["whole"].values())
    print(f"{arguments.processes} processes; the largest part of one, in MiB\n")
    print("| strategy | weights | gradients | moments | all | of the whole |\n|---|---|---|---|---|---|")
    figures = {}
    for way in WAYS:
        held = max((one[way] for one in found), key=lambda parts: sum(parts.values()))
        share = sum(held.values()) / whole
        figures[way] = held | {"share": round(share, 4)}
        cells = " | ".join(f"{value / 2**20:.1f}" for value in (*held.values(), sum(held.values())))
        print(f"| {way} | {cells} | {share:.3f} |")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def _measure(rank: int, world: int, port: int, size: int, folder: str) -> None:
    """In each process: one step in every way."""
    names = {"RANK": rank, "WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()})
    torch.set_num_threads(1)
    from tunesmith_enterprise.distributed.group import join

    group = join(timeout=120, device="cpu")
    Path(folder, f"{rank}.json").write_text(json.dumps({way: _parts(way, group, size) for way in WAYS}))
    dist.barrier()
    group.leave()


def _parts(way: str, group: Any, size: int) -> dict[str, int]:
    from tunesmith_enterprise.distributed.sharded import shard
    from tunesmith_enterprise.distributed.sharded_gradients import local
    from tunesmith_enterprise.distributed.tensor_parallel import divide_layers

    options = ScratchOptions(
        architecture="llama", size=size, tokenizer="byte", vocabulary=BYTE_VOCABULARY, context=128, seed=0
    )
    model = load_weights(ModelSource(name="scratch:llama", kind="scratch", scratch=options), "causal-lm")
    if way == "fsdp":
        shard(model, group.mesh(group.world, names=["shard"]))
    elif way == "hsdp":
        shard(model, group.mesh(group.world // 2, 2, names=["copy", "shard"]))
    elif way == "tp":
        divide_layers(model, group)
    optimizer = make_optimizer(model, TrainSection())
    rows = torch.randint(0, BYTE_VOCABULARY, (1, 32), generator=torch.Generator().manual_seed(0))
    model(input_ids=rows, labels=rows).loss.backward()
    optimizer.step()

    def bytes_of(tensors: Any) -> int:
        return sum(local(one).numel() * local(one).element_size() for one in tensors)

    weights = list(model.parameters())
    return {
        "weights": bytes_of(weights),
        "gradients": bytes_of(one.grad for one in weights if one.grad is not None),
        "moments": bytes_of(value for state in optimizer.state.values() for value in state.values()),
    }


if __name__ == "__main__":
    main()
