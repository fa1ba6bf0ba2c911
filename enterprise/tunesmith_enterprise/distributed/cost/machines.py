# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Kinds of machines, as far as a step's time and memory depend on them.

A link's bandwidth is what one process can send in a second while it receives as much; NVIDIA's data sheets count both
directions together. What sums of large tensors reach of it is in ``LINKS_REACH``, what whole training steps reach of
the rate of matrix products in ``Machine.reached``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["LINKS_REACH", "MACHINES", "Link", "Machine"]

LINKS_REACH: Final = 0.8
"""Of a link's bandwidth, in large sums: nccl-tests reports 360 to 370 GB/s of bus bandwidth on eight H100, of 450."""


class Link(NamedTuple):
    """Between two processes.

    Attributes:
        bandwidth: bytes a second, one way.
        latency: seconds until a message that holds nothing has arrived.
    """

    bandwidth: float
    latency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What each process computes on, and how processes reach each other.

    Attributes:
        name: for people and programs.
        summary: one line.
        rates: operations a second of dense matrix products, by precision: ``fp32``, ``bf16``.
        reached: share of that which a training step reaches.
        memory: bytes of one process.
        memory_bandwidth: bytes a second.
        per_node: processes of one machine that have the fast link.
        within: the link of one process to others on its machine.
        between: what all processes of a machine together have to other machines; its bandwidth is the machine's.
        layer_at_least: seconds that a layer takes forward, and half of what it takes back, however small the step: its
            kernels are started one after another.
        taken: bytes that the libraries hold of a process's memory before there is a model.
        source: where the figures are from.
        gloo: its processes send with gloo, in which PyTorch sums in shards by a sum that all get.
    """

    name: str
    summary: str
    rates: Mapping[str, float]
    reached: float
    memory: float
    memory_bandwidth: float
    per_node: int
    within: Link
    between: Link
    layer_at_least: float
    taken: float
    source: str
    gloo: bool = False

    def rate(self, precision: str) -> float:
        """Operations a second that a training step reaches."""
        kind = "bf16" if precision.startswith("bf16") else "fp32"
        return self.reached * self.rates.get(kind, self.rates["fp32"])


_GIGA: Final = 1e9
_TERA: Final = 1e12
_REACHED: Final = 0.35
"""Of the rate on the data sheet: what layers that are not compiled reach. It is fitted to one published figure: 5,762
tokens a second and GPU, Llama 3.1 8B on 8 H100 (pytorch/torchtitan, benchmarks/llama3_h100_202412_torchtitan.md)."""
_NVLINK_LATENCY, _NETWORK_LATENCY = 2e-6, 8e-6
_LAYER: Final = 3e-4
"""About 60 kernels of a layer of transformers, 5 µs each to start."""
_CUDA: Final = 1.2 * _GIGA
"""The context of CUDA, and buffers of the libraries of matrix products and sums."""


def _gpu(
    name: str,
    summary: str,
    *,
    bf16: float,
    fp32: float,
    memory: float,
    bandwidth: float,
    nvlink: float,
    network: float,
    source: str,
) -> Machine:
    """Eight on a machine. Tera-operations, gigabytes, gigabytes a second one way, gigabits a second for each GPU."""
    return Machine(
        name=name,
        summary=summary,
        rates={"bf16": bf16 * _TERA, "fp32": fp32 * _TERA},
        reached=_REACHED,
        memory=memory * _GIGA,
        memory_bandwidth=bandwidth * _GIGA,
        per_node=8,
        within=Link(nvlink * _GIGA, _NVLINK_LATENCY),
        between=Link(8 * network / 8 * _GIGA, _NETWORK_LATENCY),
        layer_at_least=_LAYER,
        taken=_CUDA,
        source=source,
    )


MACHINES: Final[Mapping[str, Machine]] = {
    one.name: one
    for one in (
        _gpu(
            "a100",
            "8 × A100 SXM 80 GB, NVLink 3, 200 Gbit/s for each GPU",
            bf16=312,
            fp32=19.5,
            memory=80,
            bandwidth=2039,
            nvlink=300,
            network=200,
            source="NVIDIA A100 data sheet; DGX A100 system",
        ),
        _gpu(
            "h100",
            "8 × H100 SXM 80 GB, NVLink 4, 400 Gbit/s for each GPU",
            bf16=989,
            fp32=67,
            memory=80,
            bandwidth=3350,
            nvlink=450,
            network=400,
            source="NVIDIA H100 data sheet (dense rates); DGX H100 system",
        ),
        _gpu(
            "h200",
            "8 × H200 SXM 141 GB, NVLink 4, 400 Gbit/s for each GPU",
            bf16=989,
            fp32=67,
            memory=141,
            bandwidth=4800,
            nvlink=450,
            network=400,
            source="NVIDIA H200 data sheet (dense rates); DGX H200 system",
        ),
        _gpu(
            "b200",
            "8 × B200 180 GB, NVLink 5, 400 Gbit/s for each GPU",
            bf16=2250,
            fp32=75,
            memory=180,
            bandwidth=8000,
            nvlink=900,
            network=400,
            source="NVIDIA DGX B200 data sheet, an eighth of the system (dense rates)",
        ),
    )
}
"""By their names."""
