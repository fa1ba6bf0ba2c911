# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The benchmarks of faster answers run small, so that they cannot rot. No time is judged here."""

from __future__ import annotations

from argparse import Namespace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from licensed import Machine

SPECULATIVE = {"shape": "tiny", "work": "edit", "model": None, "texts": None, "weights": "auto"}


@pytest.fixture
def benchmark(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A benchmark's module."""
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    return import_module


def test_texts_are_written_alike_with_speculation_and_without(machine: Machine, benchmark: Any, tmp_path: Path) -> None:
    measured = benchmark("serve_speculative").measured
    options = Namespace(**SPECULATIVE, streams=1, prompt=64, tokens=24, max_steps=None)
    plain, fast = (measured(options, tmp_path, names) for names in ((), ("enterprise/speculation",)))
    assert plain["answer"] == fast["answer"]
    assert min(plain["tokens_per_second"], fast["tokens_per_second"]) > 0


def test_a_prefix_store_finds_the_beginning_after_a_restart(machine: Machine, benchmark: Any, tmp_path: Path) -> None:
    measured = benchmark("serve_restart").measured
    options = Namespace(shape="tiny", shared=70, max_steps=None)
    store = f"enterprise/prefix-store:{tmp_path / 'kept'}"
    plain, fast = (measured(options, tmp_path, names) for names in ((), (store,)))
    assert (plain["found"], fast["found"]) == (0, 70)
    assert plain["answer"] == fast["answer"]
