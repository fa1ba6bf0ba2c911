# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import sys
from pathlib import Path

import pytest
import torch

from tunesmith.training import heap
from tunesmith.training.heap import give_back_freed, kept_memory


class Library:
    def __init__(self):
        self.calls = []

    def mallopt(self, option, value):
        self.calls.append((option, value))

    def malloc_trim(self, pad):
        self.calls.append("trim")


@pytest.mark.parametrize("fails", [False, True])
def test_the_settings_are_put_back_whatever_happens(monkeypatch, fails):
    library = Library()
    monkeypatch.setattr(heap, "_glibc", lambda: library)
    try:
        with kept_memory():
            assert library.calls == [(-3, 2**31 - 1), (-1, 2**31 - 1)]
            if fails:
                raise OSError
    except OSError:
        pass
    assert library.calls[2:] == [(-3, 32 * 2**20), (-1, 64 * 2**20), "trim"]


def resident() -> int:
    """Bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024


@pytest.mark.skipif(heap._glibc() is None, reason="glibc")
def test_what_is_free_between_blocks_in_use_is_given_back():
    size, count = 2**20, 20
    with kept_memory():  # as in a job: all of it is on the heap
        parts = []
        for _ in range(count):
            whole = torch.ones(size, dtype=torch.uint8)
            parts.append(torch.ones(size // 8, dtype=torch.uint8))
            parts.append(whole)
        del whole
        held = parts[::2]
        before = resident()
        parts.clear()
        assert before - resident() < count * size / 2
        give_back_freed()
        assert before - resident() > count * size / 2
    assert all(bool(one.all()) for one in held)


def test_other_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with kept_memory():
        give_back_freed()
    assert heap._glibc() is None
