# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import sys

import pytest

from tunesmith.training import heap
from tunesmith.training.heap import kept_memory


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


def test_other_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with kept_memory():
        pass
    assert heap._glibc() is None
