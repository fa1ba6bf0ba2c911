# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The benchmarks of faster answers run small, so that they cannot rot. No time is judged here."""

from __future__ import annotations

import json
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from licensed import Machine

from tunesmith.testing import tiny_llama
from tunesmith_enterprise.optimizations.compile_cache import hooks as compile_cache

SPECULATIVE = {"shape": "tiny", "model": None, "draft": None, "weights": "auto", "streams": 1, "prompt": 64}


@pytest.fixture
def benchmark(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A benchmark's module."""
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    return import_module


@pytest.mark.parametrize("work", ["edit", "summary"])
def test_texts_are_written_alike_with_speculation_and_without(
    machine: Machine, benchmark: Any, tmp_path: Path, work: str
) -> None:
    module = benchmark("serve_speculative")
    plain, fast = module.measured(Namespace(**SPECULATIVE, work=work, tokens=24, turns=2), tmp_path).values()
    assert [len(plain), len(fast)] == [2, 2]
    assert all(turn["tokens_per_second"] > 0 and turn["first_ms"] > 0 for turn in (*plain, *fast))
    assert all(turn["guessed"] == 0 for turn in plain)
    assert all(turn["guessed"] >= turn["right"] for turn in fast)


def test_a_benchmark_of_guesses_refuses_another_answer(
    machine: Machine, benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = benchmark("serve_speculative")
    answered = module.answered

    def otherwise(engine: Any, *of: Any) -> Any:
        figures, tokens = answered(engine, *of)
        return figures, tokens[1:] if engine._joined.guesser else tokens

    monkeypatch.setattr(module, "answered", otherwise)
    with pytest.raises(AssertionError, match="speculation gave another answer than the core"):
        module.measured(Namespace(**SPECULATIVE, work="edit", tokens=8, turns=1), tmp_path)


def test_an_edit_and_a_summary_are_of_what_the_prompt_holds(benchmark: Any) -> None:
    text_of = benchmark("serve_speculative").text_of
    prompt = "One sentence of it. Another one: with more words to it. " * 4
    edit, summary = text_of("edit", prompt).split(), text_of("summary", prompt).split()
    assert sum(word in prompt.split() for word in edit) / len(edit) == pytest.approx(11 / 12, abs=0.02)
    assert "One sentence of it." in " ".join(summary)
    assert len(summary) < 0.6 * len(prompt.split())
    assert text_of("free", prompt) != text_of("edit", prompt)


def test_a_prefix_store_finds_the_beginning_after_a_restart(machine: Machine, benchmark: Any, tmp_path: Path) -> None:
    measured = benchmark("serve_restart").measured
    options = Namespace(shape="tiny", shared=70, max_steps=None)
    store = f"enterprise/prefix-store:{tmp_path / 'kept'}"
    plain, fast = (measured(options, tmp_path, names) for names in ((), (store,)))
    assert (plain["found"], fast["found"]) == (0, 70)
    assert plain["answer"] == fast["answer"]


def test_steps_in_float8_are_measured_beside_bf16_from_the_same_weights(benchmark: Any) -> None:
    pytest.importorskip("torchao", reason="needs the extra float8")
    figures = benchmark("float8").measured(
        ["bf16", "rowwise"], size=100_000, tokens=32, steps=2, turns=1, device=torch.device("cpu"), emulate=True,
        vocabulary=256,
    )  # fmt: skip
    plain, fast = figures["ways"].values()
    assert fast["loss"] == pytest.approx(plain["loss"], rel=0.02)
    assert fast["loss"] != plain["loss"]
    assert min(plain["rate"], fast["rate"]) > 0


def test_float8_is_not_measured_where_there_is_no_gpu_for_it(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["float8.py"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="not measured: float8 needs a GPU"):
        benchmark("float8").main()


def test_chains_of_steps_give_the_cores_answer(machine: Machine, benchmark: Any, tmp_path: Path) -> None:
    measured = benchmark("serve_compiled").measured
    rates = measured(Namespace(shape="tiny", dtype="bfloat16", weights="auto", tokens=6, turns=2), tmp_path)
    assert [len(found) for found in rates.values()] == [2, 2, 2]
    assert min(min(found) for found in rates.values()) > 0


def test_the_first_token_of_a_machine_with_a_compile_cache_is_measured(
    machine: Machine,
    benchmark: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = benchmark("compile_cache")
    monkeypatch.setattr(compile_cache, "_sharing", None)
    module.write_settings(tmp_path)
    module.main(["serve", "--child", str(tiny_llama(tmp_path / "little"))])
    assert json.loads(capsys.readouterr().out)["seconds"] > 0
    assert [path.suffix for path in (tmp_path / "shared").iterdir()] == [".code"]
    compile_cache._sharing = None
