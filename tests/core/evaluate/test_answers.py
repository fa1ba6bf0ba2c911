# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Rows answered by a model, and figures of the answers, those of plugins among them."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from tunesmith._plugins import Host
from tunesmith._plugins.discover import Candidate
from tunesmith.data.conversations import Message
from tunesmith.errors import Origin, PluginError, RecipeError
from tunesmith.evaluate.answers import Examiner, find_metric, resolve_metrics
from tunesmith.models.source import ModelSource
from tunesmith.plugin import MetricSpec, hookimpl
from tunesmith.recipe.schema import DataSection, EvaluateSection
from tunesmith.registry import Registry, get_registry
from tunesmith.tasks.base import Encoded
from tunesmith.tasks.causal_lm import CausalLM
from tunesmith.tasks.chat import Chat, Conversation
from tunesmith.tasks.seq2seq import Pair, Seq2Seq
from tunesmith.tasks.text_classification import TextClassification
from tunesmith.testing import tiny_llama, tiny_t5

DATA = DataSection(train=["rows.jsonl"])
PAIRS = [Pair(f"source {number}", f"target {number}", Origin("rows.jsonl", number)) for number in range(10)]
CPU = torch.device("cpu")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of a plugin, where a test puts its functions."""
    module = ModuleType("demo_figures")
    monkeypatch.setitem(sys.modules, "demo_figures", module)
    return module


def registry(figures: ModuleType, *specs: MetricSpec) -> Registry:
    made = [*specs] or [
        MetricSpec(name=name, summary=name, target=f"demo_figures:{name}")
        for name in vars(figures)
        if not name.startswith("_")
    ]
    plugin = SimpleNamespace(tunesmith_metrics=hookimpl(lambda: made))
    candidate = Candidate(
        name="demo", distribution="demo", version="1", target="demo", requires=(), load=lambda: plugin
    )
    return Registry(Host([candidate], environ={}))


@pytest.fixture(scope="module")
def seq2seq(tmp_path_factory: pytest.TempPathFactory) -> Any:
    task = Seq2Seq(DATA)
    folder = tiny_t5(tmp_path_factory.mktemp("t5") / "m")
    return task, task.build(ModelSource(name="t5", kind="folder", folder=folder))


def examiner(task: Any, registry: Registry, **settings: Any) -> Examiner:
    section = EvaluateSection(**{"generate": 4, "answer_tokens": 6} | settings)
    return Examiner(resolve_metrics(section, task, registry), task, registry)


# ---- names -------------------------------------------------------------------------------------


def test_without_names_every_built_in_but_one(figures: ModuleType) -> None:
    figures.mine = lambda answers, references: 1.0  # type: ignore[attr-defined]
    section = resolve_metrics(EvaluateSection(generate=5), Seq2Seq(DATA), registry(figures))
    assert section.metrics == ["exact_match", "bleu", "chrf", "rouge1", "rouge2", "rougeL"]


def test_the_deciding_metric_is_computed_too() -> None:
    section = EvaluateSection(generate=5, metrics=["chrf"], metric="number_match")
    assert resolve_metrics(section, Chat(DATA), get_registry()).metrics == ["chrf", "number_match"]
    section = EvaluateSection(generate=5, metrics=["chrf"], metric="loss")
    assert resolve_metrics(section, Chat(DATA), get_registry()).metrics == ["chrf"]


def test_a_misspelt_metric_is_told_what_was_meant() -> None:
    with pytest.raises(RecipeError, match="there is no metric 'rougel'") as caught:
        resolve_metrics(EvaluateSection(generate=5, metrics=["rougel"]), Chat(DATA), get_registry())
    words = str(caught.value)
    assert "given:    evaluate.metrics: rougel" in words
    assert "did you mean 'rougeL'?" in words
    assert "see `tunesmith metrics list`" in words


def test_metrics_need_answers() -> None:
    with pytest.raises(RecipeError, match="'bleu' is a figure of generated answers, and none are generated") as caught:
        resolve_metrics(EvaluateSection(metric="bleu"), Chat(DATA), get_registry())
    assert "--set evaluate.generate=100" in str(caught.value)
    with pytest.raises(RecipeError, match="the task text-classification writes no answers that could be generated"):
        resolve_metrics(EvaluateSection(generate=5), TextClassification(DATA), get_registry())
    with pytest.raises(RecipeError, match="the task text-classification writes none"):
        resolve_metrics(EvaluateSection(metrics=["bleu"]), TextClassification(DATA), get_registry())
    assert resolve_metrics(EvaluateSection(), Chat(DATA), get_registry()).metrics == []


def test_a_metric_for_other_tasks_is_refused_and_a_full_name_always_resolves(figures: ModuleType) -> None:
    figures.polite = lambda answers, references: 1.0  # type: ignore[attr-defined]
    here = registry(
        figures,
        MetricSpec(name="polite", summary="Polite", target="demo_figures:polite", tasks=("chat",)),
        MetricSpec(name="bleu", summary="Another", target="demo_figures:polite", greater_is_better=False),
    )
    assert find_metric("polite", Chat(DATA), here).name == "polite"
    with pytest.raises(RecipeError, match="the metric 'polite' is not for this task"):
        find_metric("polite", Seq2Seq(DATA), here)
    assert find_metric("demo/bleu", Chat(DATA), here).greater_is_better is False
    assert find_metric("tunesmith/bleu", Chat(DATA), here).greater_is_better is True
    with pytest.raises(RecipeError, match="there is no metric 'bleu'") as caught:
        find_metric("bleu", Chat(DATA), here)
    assert "write tunesmith/bleu or demo/bleu" in str(caught.value)


# ---- answers and scores ------------------------------------------------------------------------


def test_rows_at_even_distances_are_answered_and_every_function_gets_what_it_names(
    seq2seq: Any, figures: ModuleType
) -> None:
    task, model = seq2seq
    seen: dict[str, Any] = {}

    def share(answers: Any, references: Any, *, examples: Any, tokenize: str) -> float:
        seen.update(answers=answers, references=references, examples=examples, tokenize=tokenize)
        torch.rand(3)
        return 0.25

    figures.share = share  # type: ignore[attr-defined]
    figures.first = lambda answers, references: len(answers)  # type: ignore[attr-defined]
    one = examiner(task, registry(figures), metrics=["share", "first"], tokenize="char")
    rows = one.choose(task, task.encode_all(PAIRS), PAIRS)
    assert rows == [PAIRS[0], PAIRS[2], PAIRS[5], PAIRS[7]]
    model.train()
    before = torch.get_rng_state()
    scores = one.measure(task, model, rows, device=CPU)
    assert torch.equal(before, torch.get_rng_state())  # whatever a metric draws
    assert model.training
    assert scores.metrics == {"share": 0.25, "first": 4.0}
    assert scores.notes == ()
    assert seen["references"] == tuple(pair.target for pair in rows)
    assert seen["examples"] == tuple(rows)
    assert seen["tokenize"] == "char"
    assert seen["answers"] == tuple(answer.text for answer in scores.answered)
    table = scores.section()
    assert [row[1] for row in table.rows] == [pair.source for pair in rows]


def test_rows_without_an_answer_in_words_are_not_asked(tmp_path: Any) -> None:
    task = Chat(DATA)
    task.build(ModelSource(name="llama", kind="folder", folder=tiny_llama(tmp_path / "m")))
    asked = Message("user", "Hi")
    call = Message("assistant", "", ({"function": {"name": "greet", "arguments": {}}},))
    rows = [
        Conversation((asked, Message("assistant", "Hello")), Origin("a", 1)),
        Conversation((asked, call), Origin("a", 2)),
    ]
    one = examiner(task, get_registry(), metrics=["exact_match"])
    assert one.choose(task, [Encoded({}, 1, 1, row) for row in (0, 1)], rows) == rows[:1]
    assert [task.reference(row) for row in rows] == ["Hello", None]
    assert CausalLM(DATA).reference(SimpleNamespace(text="a")) is None  # type: ignore[arg-type]


def test_references_longer_than_answers_may_be_are_counted(seq2seq: Any) -> None:
    task, _ = seq2seq
    one = examiner(task, get_registry(), metrics=["exact_match"], answer_tokens=7)
    (note,) = one.rehearse(task, PAIRS)
    assert note.startswith("10 of 10 references are longer than evaluate.answer_tokens (7 tokens)")
    assert examiner(task, get_registry(), metrics=["exact_match"], answer_tokens=8).rehearse(task, PAIRS) == []


# ---- metrics that fail -------------------------------------------------------------------------


def test_what_fails_on_the_references_is_an_error_before_anything_is_trained(seq2seq: Any, figures: ModuleType) -> None:
    task, _ = seq2seq

    def broken(answers: Any, references: Any) -> float:
        raise KeyError("polarity")

    figures.broken = broken  # type: ignore[attr-defined]
    figures.nothing = lambda answers, references: None  # type: ignore[attr-defined]
    figures.nan = lambda answers, references: float("nan")  # type: ignore[attr-defined]
    with pytest.raises(
        PluginError, match="the metric 'broken' of the plugin 'demo' failed on the references"
    ) as caught:
        examiner(task, registry(figures), metrics=["broken"]).rehearse(task, PAIRS)
    assert "given:    KeyError: 'polarity'" in str(caught.value)
    for name in ("nothing", "nan"):
        with pytest.raises(PluginError, match="expected: a finite number"):
            examiner(task, registry(figures), metrics=[name]).rehearse(task, PAIRS)
    words = [Pair("a", "no digits", Origin("a", 1))]
    numbers = examiner(task, get_registry(), metrics=["number_match"])
    with pytest.raises(RecipeError, match="'number_match' cannot be computed on these rows") as caught_recipe:
        numbers.rehearse(task, words)
    assert "there is no number in the reference 'no digits'" in str(caught_recipe.value)


def test_a_target_that_is_no_such_function_is_refused(seq2seq: Any, figures: ModuleType) -> None:
    task, _ = seq2seq
    figures.lonely = lambda answers: 1.0  # type: ignore[attr-defined]
    figures.greedy = lambda answers, references, device: 1.0  # type: ignore[attr-defined]
    for name in ("lonely", "greedy"):
        with pytest.raises(PluginError, match=f"the metric '{name}' of the plugin 'demo' cannot be called") as caught:
            examiner(task, registry(figures), metrics=[name])
        assert "expected: a function (answers, references) -> float" in str(caught.value)


def test_what_fails_on_answers_costs_its_figure_alone(
    seq2seq: Any, figures: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    task, model = seq2seq

    def picky(answers: Any, references: Any) -> float:
        if answers != references:
            raise SystemExit("I leave")
        return 1.0

    figures.picky = picky  # type: ignore[attr-defined]
    one = examiner(task, registry(figures), metrics=["picky", "exact_match"])
    assert one.rehearse(task, PAIRS[:2]) != []
    for _ in range(2):
        scores = one.measure(task, model, PAIRS[:2], device=CPU)
        assert scores.metrics == {"exact_match": 0.0}
        assert scores.notes == ("no picky: SystemExit: I leave",)
    assert len([record for record in caplog.records if "the metric 'picky' failed" in record.message]) == 1
