# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What `tunesmith doctor` looks at. Each check is a function that may find something wrong, and says what to do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tunesmith_cli.words import size

__all__ = ["CHECKS", "Finding", "diagnose"]

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "huggingface-hub", "peft", "pyarrow", "typer")
LOW_DISK = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was looked at.
        value: what was found.
        problem: empty, or what is wrong and what to do about it.
        broken: the problem keeps Tunesmith from working (otherwise it is a hint).
    """

    name: str
    value: str
    problem: str = ""
    broken: bool = False


def diagnose() -> Iterator[Finding]:
    """All findings. A check that fails itself is a finding, so that one broken package hides nothing else."""
    for check in CHECKS:
        try:
            yield from check()
        except Exception as error:
            name = check.__name__.strip("_").replace("_", " ")
            yield Finding(name, "cannot be checked", f"{type(error).__name__}: {error}", broken=True)


def _python() -> Iterator[Finding]:
    yield Finding("python", f"{platform.python_version()} at {sys.executable}")
    yield Finding("platform", platform.platform())


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", str(cores))
    from tunesmith.machine.memory import machine_memory

    memory = machine_memory()
    yield Finding("memory", size(memory) if memory else "unknown")


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(".").free
    low = f"less than {size(LOW_DISK)} free: checkpoints may not fit" if free < LOW_DISK else ""
    yield Finding("disk", f"{size(free)} free here", low)
    try:
        with tempfile.NamedTemporaryFile(dir=".", prefix=".tunesmith-"):
            pass
    except OSError as error:
        yield Finding("writing", f"not here: {error.strerror}", "run folders must go elsewhere: --out FOLDER")
    else:
        yield Finding("writing", f"works in {Path.cwd()}")


def _packages() -> Iterator[Finding]:
    for name in ("tunesmith", *PACKAGES):
        try:
            yield Finding(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "not installed", f"pip install {name}", broken=True)


def _torch() -> Iterator[Finding]:
    import torch

    yield Finding("threads", str(torch.get_num_threads()))
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        bf16 = "with" if torch.cuda.is_bf16_supported() else "without"
        yield Finding("cuda", f"{torch.version.cuda}: {names}, {bf16} bf16")
    else:
        yield Finding("cuda", "none; the CPU is used")
    yield Finding("cpu", torch.backends.cpu.get_cpu_capability())


def _precision() -> Iterator[Finding]:
    import torch

    from tunesmith.machine.precision import choose_precision

    probe = choose_precision("auto", torch.nn.Linear(512, 512), torch.device("cpu"))
    yield Finding("cpu precision", f"{probe.name}: {probe.reason}")


def _plugins() -> Iterator[Finding]:
    from tunesmith._plugins import get_host

    for record in get_host().records:
        if record.name != "tunesmith":
            value = f"{record.status} ({record.distribution} {record.version})"
            yield Finding(f"plugin {record.name}", value, record.reason, broken=record.status not in ("ok", "disabled"))


def _caches() -> Iterator[Finding]:
    from huggingface_hub import constants

    from tunesmith.data import cache_entries, cache_folder

    folder = cache_folder(".")
    held = f"{folder}: {size(sum(entry.bytes for entry in cache_entries()))}"
    yield Finding("cache", "off (TUNESMITH_CACHE)" if folder is None else held)
    cache = Path(constants.HF_HUB_CACHE)
    yield Finding("hub cache", str(cache) if cache.is_dir() else f"{cache} (not there yet)")
    yield Finding("hub access", "switched off (HF_HUB_OFFLINE)" if constants.HF_HUB_OFFLINE else "allowed")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _machine,
    _disk,
    _packages,
    _torch,
    _precision,
    _plugins,
    _caches,
)
