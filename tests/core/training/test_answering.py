# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Jobs that answer rows: the figures decide, nothing they do moves the weights, and no metric ends a job."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import tunesmith.registry
from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith.errors import PluginError, RecipeError, StoppedError
from tunesmith.plugin import MetricSpec, StepDone, hookimpl
from tunesmith.recipe import parse_recipe
from tunesmith.registry import Registry
from tunesmith.testing import tiny_llama
from tunesmith.training import train

PAIRS = [(f"number {number}", f"so {number * 2}") for number in range(12)]
EVALUATE = {"generate": 3, "metrics": ["exact_match", "number_match"], "answer_tokens": 8, "samples": 1, "every": 2}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"source": source, "target": target}) for source, target in PAIRS]
    Path("rows.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of a plugin with two metrics, ``one`` and ``two`` (smaller is better), of the process's registry."""
    module = ModuleType("demo_figures")
    monkeypatch.setitem(sys.modules, "demo_figures", module)
    specs = [
        MetricSpec(name="one", summary="One", target="demo_figures:one"),
        MetricSpec(name="two", summary="Two", target="demo_figures:two", greater_is_better=False),
    ]
    plugin = SimpleNamespace(tunesmith_metrics=hookimpl(lambda: specs))
    candidate = Candidate(
        name="demo", distribution="demo", version="1", target="demo", requires=(), load=lambda: plugin
    )
    monkeypatch.setattr(tunesmith.registry, "_registry", Registry(Host([candidate], environ={})))
    return module


def recipe(output: str, *, evaluate: dict[str, Any] | None = None, **keys: Any) -> Any:
    return parse_recipe(
        {
            "task": "seq2seq",
            "model": {"name": "scratch:t5-40k", "tokenizer": "byte", "context": 64},
            "data": {"train": "rows.jsonl", "split": {"validation": 0.25, "test": 0.25}},
            "train": {"max_steps": 6, "epochs": 6, "rows_per_batch": 3, "precision": "fp32", "device": "cpu"},
            "evaluate": EVALUATE if evaluate is None else evaluate,
            "output": output,
            **keys,
        }
    )


def weights(run: Any) -> bytes:
    return (Path(run.path) / "model" / "model.safetensors").read_bytes()


def evaluations(run: Any) -> list[dict[str, Any]]:
    return [record for record in run.metrics() if record["kind"] == "evaluation"]


def notes(run: Any) -> list[str]:
    return [record["message"] for record in run.metrics() if record["kind"] == "note"]


def test_generating_answers_moves_no_weight_and_a_resumed_job_ends_the_same() -> None:
    plain = train(recipe("plain", evaluate={"every": 2, "samples": 0, "keep": "last"}))
    answering = train(recipe("answering", evaluate=EVALUATE | {"keep": "last"}))
    assert weights(plain) == weights(answering)

    stop = threading.Event()

    def after_three(event: Any) -> None:
        if isinstance(event, StepDone) and event.step == 3:
            stop.set()

    wanted = recipe("resumed", evaluate=EVALUATE | {"keep": "last"})
    with pytest.raises(StoppedError):
        train(wanted, observers=[after_three], stop=stop)
    resumed = train(resume="resumed")
    assert weights(resumed) == weights(answering)
    assert evaluations(resumed) == evaluations(answering)
    assert resumed.manifest["metrics"] == answering.manifest["metrics"]


def test_the_figures_are_everywhere_and_the_report_shows_the_answers() -> None:
    run = train(recipe("run"))
    assert all({"exact_match", "number_match"} <= record["metrics"].keys() for record in evaluations(run))
    assert {"exact_match", "number_match"} <= run.manifest["metrics"]["test"].keys()
    assert run.recipe().evaluate.metrics == ["exact_match", "number_match"]
    report = (Path(run.path) / "report.html").read_text(encoding="utf-8")
    assert "answered greedily" in report
    card = (Path(run.path) / "model" / "README.md").read_text(encoding="utf-8")
    assert "share of answers whose last number is that of their reference" in card


def test_a_plugins_metric_chooses_the_best_weights_and_ends_the_job(figures: ModuleType) -> None:
    values = iter([0.0, 5.0, 1.0, 7.0, 8.0, 9.0])  # tried out twice, then steps 1 to 4: the second is the smallest

    def two(answers: Any, references: Any) -> float:
        return 0.0 if answers == references else next(values, 9.0)

    figures.two = two  # type: ignore[attr-defined]
    settings = {"generate": 2, "metric": "two", "metrics": ["two"], "every": 1, "patience": 2, "before": False}
    run = train(recipe("run", evaluate=settings | {"answer_tokens": 4, "samples": 0}))
    told = [(record["step"], record["metrics"]["two"], record["best"]) for record in evaluations(run)]
    assert told[:3] == [(1, 0.0, True), (2, 5.0, False), (3, 1.0, False)]
    assert run.manifest["best_step"] == 1
    assert run.manifest["steps"] == 3


def test_a_metric_that_fails_while_the_job_runs_costs_its_figure_alone(figures: ModuleType) -> None:
    calls = []

    def one(answers: Any, references: Any) -> float:
        if answers == references:
            return 1.0
        calls.append(answers)
        if len(calls) < 3:
            raise ZeroDivisionError("no words")
        return 0.5

    figures.one = one  # type: ignore[attr-defined]
    settings = {"generate": 2, "metric": "one", "every": 2, "patience": 1, "answer_tokens": 4, "samples": 0}
    run = train(recipe("run", evaluate=settings | {"metrics": ["one"], "before": False}))
    found = [record for record in evaluations(run) if record["split"] == "validation"]
    assert [record["metrics"].get("one") for record in found] == [None, None, 0.5]
    assert [record["best"] for record in found] == [False, False, True]  # patience was not lost meanwhile
    assert "step 2, validation: no one: ZeroDivisionError: no words" in notes(run)
    assert run.manifest["status"] == "finished"


def test_a_deciding_metric_that_never_comes_leaves_the_last_weights(figures: ModuleType) -> None:
    def one(answers: Any, references: Any) -> float:
        if answers != references:
            raise ValueError("never")
        return 1.0

    figures.one = one  # type: ignore[attr-defined]
    settings = {"generate": 2, "metric": "one", "every": 2, "answer_tokens": 4, "samples": 0}
    run = train(recipe("run", evaluate=settings))
    last = train(recipe("last", evaluate={"every": 2, "samples": 0, "keep": "last"}))
    assert weights(run) == weights(last)


def test_what_is_wrong_with_a_metric_is_told_before_the_run_begins(figures: ModuleType) -> None:
    figures.one = lambda answers, references: "high"  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="could not convert string to float: 'high'"):
        train(recipe("run", evaluate={"generate": 2, "metrics": ["one"]}))
    with pytest.raises(RecipeError, match="did you mean 'bleu'"):
        train(recipe("run", evaluate={"generate": 2, "metric": "bleus"}))
    with pytest.raises(RecipeError, match=r"evaluate\.generate needs held-out rows") as caught:
        train(recipe("run", data={"train": "rows.jsonl"}, evaluate={"generate": 2, "metrics": ["exact_match"]}))
    assert "--set data.split.validation=0.1" in str(caught.value)
    assert not Path("run").exists()


def test_keys_of_other_tasks_are_refused() -> None:
    tiny_llama("llama")
    Path("rows.txt").write_text("one two three\n" * 20, encoding="utf-8")
    data = {"train": "rows.txt", "text_unit": "line", "split": {"validation": 0.2}}
    with pytest.raises(RecipeError, match=r"task 'causal-lm' reads no data\.prefix"):
        train(recipe("run", task="causal-lm", model={"name": "llama"}, data=data | {"prefix": "a"}, evaluate={}))
    settings = {"generate": 2, "metrics": ["exact_match"]}
    with pytest.raises(RecipeError, match="held-out rows, none with a reference answer"):
        train(recipe("run", task="causal-lm", model={"name": "llama"}, data=data, evaluate=settings))


def test_chats_are_answered_too() -> None:
    tiny_llama("llama")
    talks = [
        {"messages": [{"role": "user", "content": source}, {"role": "assistant", "content": target}]}
        for source, target in PAIRS
    ]
    Path("chats.jsonl").write_text("\n".join(map(json.dumps, talks)), encoding="utf-8")
    run = train(
        recipe(
            "run",
            task="chat",
            model={"name": "llama"},
            data={"train": "chats.jsonl", "split": {"validation": 0.25}},
            evaluate={"generate": 2, "metric": "number_match", "metrics": ["number_match"], "answer_tokens": 4},
        )
    )
    assert run.recipe().evaluate.metric == "number_match"
    assert 0 <= run.manifest["metrics"]["validation"]["number_match"] <= 1
