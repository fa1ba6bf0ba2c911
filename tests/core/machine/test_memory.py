# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How much memory there is: files of the kernel as they really look, in folders of the test's."""

import mmap
import sys

import pytest
import torch

from tunesmith.machine import memory as machine
from tunesmith.machine.memory import Room, machine_memory, peak_bytes, reset_peak, room_on

CPU = torch.device("cpu")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(str(text))


@pytest.fixture
def own(tmp_path):
    """Gives a function that writes /proc/self/cgroup."""

    def say(text):
        path = tmp_path / "cgroup"
        path.write_text(text)
        return path

    return say


def test_a_limit_of_cgroup_v2_counts_at_every_level(tmp_path, own):
    root = tmp_path / "sys"
    write(root / "job", memory__max="max", memory__current=5)
    write(root / "job/step", memory__max=1000, memory__current=400, memory__stat="anon 300\ninactive_file 100\n")
    write(root, memory__max=3000, memory__current=2000)
    assert list(machine._cgroups(root, own("0::/job/step\n"))) == [(1000, 300), (3000, 2000)]


def test_cgroup_v1_and_its_way_to_say_no_limit(tmp_path, own):
    group = tmp_path / "memory/docker"
    write(group, memory__limit_in_bytes=2000, memory__usage_in_bytes=900, memory__stat="total_inactive_file 100\n")
    write(tmp_path / "memory", memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=10)
    found = machine._cgroups(tmp_path, own("9:cpu:/docker\n4:memory:/docker\n0::/\n"))
    assert list(found) == [(2000, 800)]


def test_a_path_of_the_host_leads_to_the_root_of_the_container(tmp_path, own):
    write(tmp_path, memory__max=500, memory__current=50)
    assert list(machine._cgroups(tmp_path, own("0::/system.slice/docker-abc.scope\n"))) == [(500, 50)]


def test_nothing_is_known_of_groups_where_there_are_none(tmp_path):
    assert list(machine._cgroups(tmp_path, tmp_path / "not-there")) == []


@linux
def test_the_tightest_limit_is_the_room(monkeypatch):
    monkeypatch.setattr(machine, "_cgroups", lambda: iter([(10_000, 4_000)]))
    room = room_on(CPU)
    assert (room.free, room.limit) == (6_000, "the memory limit of this container (cgroup)")
    assert room.total == room.used + 6_000
    assert machine_memory() == 10_000


@linux
def test_a_group_over_its_limit_leaves_nothing(monkeypatch):
    monkeypatch.setattr(machine, "_cgroups", lambda: iter([(10, 40)]))
    assert room_on(CPU).free == 0


@linux
def test_the_limit_of_the_shell_counts(monkeypatch):
    import resource

    held = machine._status("VmSize")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (held + 12_345, resource.RLIM_INFINITY))
    monkeypatch.setattr(machine, "_status", {"VmSize": held, "VmRSS": 7}.get)
    assert room_on(CPU) == Room(7, 12_345, "the limit of this shell (ulimit -v)")


def test_where_the_system_tells_nothing_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(machine, "_resident", lambda: None)
    assert room_on(CPU) is None


@linux
def test_the_peak_is_seen_and_counted_anew():
    if not reset_peak(CPU):
        pytest.skip("this kernel does not let a process reset its peak")
    before = peak_bytes(CPU)
    with mmap.mmap(-1, 80_000_000) as block:  # not from the allocator, which may have kept as much from another test
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
    assert peak_bytes(CPU) >= before + 50_000_000
    reset_peak(CPU)
    assert peak_bytes(CPU) < before + 50_000_000
