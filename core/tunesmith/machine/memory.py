# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How much memory this process has and may still get: the machine's, a container's, the shell's limit, a GPU's.

Swap is not counted: a training job that swaps is as good as stopped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

__all__ = ["Room", "machine_memory", "peak_bytes", "reset_peak", "room_on"]

_NO_LIMIT = 1 << 60
"""cgroup v1 says "no limit" with a number near 2^63."""


@dataclass(frozen=True, slots=True)
class Room:
    """Memory where the model computes, in bytes.

    Attributes:
        used: what this process holds there now.
        free: what it can still get.
        limit: what sets the limit, in words: ``this machine's memory``, ``the memory limit of this container`` …
    """

    used: int
    free: int
    limit: str

    @property
    def total(self) -> int:
        """What the process may hold in all."""
        return self.used + self.free


def room_on(device: torch.device) -> Room | None:
    """The room on a device; ``None`` where the system does not tell."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held, live = torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device)
        return Room(live, free + held - live, "the GPU's memory")
    limits = [(max(0, free), limit) for free, limit in (*_machine(), *_containers(), *_shell())]
    used = _resident()
    return None if used is None or not limits else Room(used, *min(limits))


def machine_memory() -> int | None:
    """Bytes that all processes here may use together: the machine's, or fewer inside a container."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
    return int(min([total, *(limit for limit, _ in _cgroups())]))


# ---- the peak ------------------------------------------------------------------------------------


def reset_peak(device: torch.device) -> bool:
    """Start counting the peak anew; False where the system cannot."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): resets VmHWM
        return True
    return False


def peak_bytes(device: torch.device) -> int | None:
    """The most this process held on the device since :func:`reset_peak`, or ever; ``None`` where nothing tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = _status("VmHWM")
    return _rusage() if peak is None else peak


def _resident() -> int | None:
    now = _status("VmRSS")
    return _rusage() if now is None else now  # elsewhere only the peak is told, which is close below a growing process


def _rusage() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _status(name: str) -> int | None:
    """A line of /proc/self/status in bytes."""
    return _field(Path("/proc/self/status"), f"{name}:")


# ---- the limits ----------------------------------------------------------------------------------


def _machine() -> Iterator[tuple[int, str]]:
    free = _field(Path("/proc/meminfo"), "MemAvailable:")
    if free is not None:
        yield free, "the memory that is free on this machine"
        return
    total, used = machine_memory(), _resident()
    if total is not None and used is not None:  # what other programs hold is not told
        yield total - used, "this machine's memory"


def _containers() -> Iterator[tuple[int, str]]:
    for limit, used in _cgroups():
        yield limit - used, "the memory limit of this container (cgroup)"


def _shell() -> Iterator[tuple[int, str]]:
    """``ulimit -v``; it counts addresses rather than memory, but is what allocations fail at."""
    try:
        import resource
    except ImportError:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    size = _status("VmSize")
    if limit != resource.RLIM_INFINITY and size is not None:
        yield limit - size, "the limit of this shell (ulimit -v)"


def _cgroups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Iterator[tuple[int, int]]:
    """Limit and use of every group of the process that has a limit; files of the page cache are not "used"."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield from _up(root, path, "memory.max", "memory.current", "inactive_file")
        elif controllers == "memory":
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _up(root / "memory", path, *names)


def _up(root: Path, path: str, limit: str, used: str, cache: str) -> Iterator[tuple[int, int]]:
    """A group and those above it. Inside a container the path may be the host's, and only the root is there."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        group = root.joinpath(*parts[:depth])
        most, now = _number(group / limit), _number(group / used)
        if most is not None and now is not None and most < _NO_LIMIT:
            yield most, max(0, now - (_field(group / "memory.stat", cache, unit=1) or 0))


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None  # cgroup v2 says "max" for none


def _field(path: Path, name: str, *, unit: int = 1024) -> int | None:
    """The number behind a name in a file of ``name number`` lines."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = next((line.split() for line in lines if line.split()[:1] == [name]), None)
    return int(found[1]) * unit if found is not None and found[1].isdigit() else None
