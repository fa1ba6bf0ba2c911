# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What plugins do to a job: settings, row transforms, trackers, sections of the report, strategies, gates."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

import tunesmith
from tunesmith._plugins import Host, host
from tunesmith._plugins.discover import Candidate
from tunesmith.data import RowError, RowTransform
from tunesmith.errors import DataError, DeniedError, NotFoundError, PluginError, RecipeError, RunError, StoppedError
from tunesmith.evaluate import Finished, ReportSection, evaluate
from tunesmith.plugin import (
    RECORD_BYTES,
    Allow,
    Deny,
    RecipeSectionSpec,
    ReportSectionSpec,
    StepDone,
    StrategySpec,
    TaskSpec,
    TrackerSpec,
    TransformSpec,
    hookimpl,
)
from tunesmith.recipe import Section, plugin_settings
from tunesmith.registry import Registry
from tunesmith.runs import Run
from tunesmith.tasks import Table
from tunesmith.tasks.text_classification import TextClassification
from tunesmith.testing import tiny_bert
from tunesmith.training import Single, Tracker
from tunesmith.training.feed import Feed, feed_of

HERE = __name__


class Settings(Section):
    """Of the plugin `demo`."""

    factor: float = Field(default=2.0, gt=0)
    words: list[str] = Field(default_factory=list)
    pair: tuple[int, int] = (1, 2)
    place: Path | None = None


class Upper(RowTransform):
    """Capitals, counted; refuses a word."""

    refuse: str | None = None
    _count: int = PrivateAttr(default=0)

    def change(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.refuse is not None and self.refuse in values["text"]:
            raise RowError(f"the word {self.refuse!r} is not allowed")
        if values["text"] == "pear 3":
            raise_if_asked()
        self._count += 1
        return {**values, "text": values["text"].upper()}

    def counted(self) -> list[str]:
        return [f"{self._count} rows in capitals"]


FAIL: list[str] = []


def raise_if_asked() -> None:
    if FAIL:
        raise ZeroDivisionError(FAIL[0])


class NoRow(RowTransform):
    def change(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return [values]  # type: ignore[return-value]


class Lines(Tracker):
    """One line a call, into a file beside the run."""

    file: str = "lines.txt"
    fail_at: int | None = None
    _run: Path = PrivateAttr()

    def _write(self, line: str) -> None:
        with (self._run.parent / self.file).open("a") as end:
            end.write(line + "\n")

    def started(self, event: Any) -> None:
        self._run = Path(event.run)
        self._write(f"started at {event.first_step}")

    def note(self, event: Any) -> None:
        self._write(f"note {event.message}")

    def step_done(self, event: Any) -> None:
        if event.step == self.fail_at:
            raise SystemExit("gone")
        self._write(f"step {event.step}")

    def evaluated(self, event: Any) -> None:
        self._write(f"evaluated {event.split}")

    def finished(self, event: Any) -> None:
        self._write(f"finished {event.status}")


class Longest(ReportSection):
    rows: int = Field(default=2, ge=1)

    def make(self, finished: Finished) -> Sequence[Any]:
        assert not finished.model.training
        assert len(finished.outputs) in (0, len(finished.items))
        texts = sorted((example.text for example in finished.examples), key=len)[-self.rows :]
        return [Table(title=f"Longest {finished.split} rows", header=["text"], rows=[[text] for text in texts])]


class Broken(ReportSection):
    def make(self, finished: Finished) -> Sequence[Any]:
        raise LookupError("nothing\nfound")


class Wrong(ReportSection):
    def make(self, finished: Finished) -> Sequence[Any]:
        return ["a text"]


class Halved(Feed):
    """Every other batch."""

    def _drawn(self, epoch: int) -> list[NDArray[np.int64]]:
        return super()._drawn(epoch)[::2]


class Noisy(Single):
    """Half of the batches, and a gradient times the plugin's factor."""

    def __init__(self, recipe: tunesmith.Recipe) -> None:
        super().__init__(recipe)
        self.factor = plugin_settings(recipe, "demo", Settings).factor

    def feed(self, recipe: Any, lengths: Any, mixture: Any, rows: Any) -> Feed:
        return feed_of(recipe, lengths, mixture, kind=Halved)

    def backward(self, task: Any, model: Any, *given: Any, **named: Any) -> torch.Tensor:
        loss = super().backward(task, model, *given, **named)
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(self.factor)
        return loss

    def notes(self, feed: Feed) -> Sequence[str]:
        return [f"half of the batches: {feed.total_steps} steps"]

    def resume_command(self, run: str) -> str:
        return f"demo go-on {run}"


class Tagged(TextClassification):
    """Reads the plugin's settings."""

    def take_settings(self, recipe: tunesmith.Recipe) -> None:
        self.note(f"factor {plugin_settings(recipe, 'demo', Settings).factor:g}")


SPECS: dict[str, Callable[[], list[Any]]] = {
    "tunesmith_tasks": lambda: [TaskSpec(name="tagged", summary="-", target=f"{HERE}:Tagged")],
    "tunesmith_recipe_sections": lambda: [RecipeSectionSpec(name="demo", summary="-", target=f"{HERE}:Settings")],
    "tunesmith_transforms": lambda: [
        TransformSpec(name="upper", summary="-", target=f"{HERE}:Upper"),
        TransformSpec(name="no-row", summary="-", target=f"{HERE}:NoRow"),
        TransformSpec(name="no-class", summary="-", target=f"{HERE}:raise_if_asked"),
    ],
    "tunesmith_trackers": lambda: [TrackerSpec(name="lines", summary="-", target=f"{HERE}:Lines")],
    "tunesmith_report_sections": lambda: [
        ReportSectionSpec(name="longest", summary="-", target=f"{HERE}:Longest", tasks=("text-classification",)),
        ReportSectionSpec(name="broken", summary="-", target=f"{HERE}:Broken"),
        ReportSectionSpec(name="wrong", summary="-", target=f"{HERE}:Wrong"),
    ],
    "tunesmith_strategies": lambda: [StrategySpec(name="noisy", summary="-", target=f"{HERE}:Noisy")],
}


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Host]:
    """Makes a process whose only plugin is `demo`, with these hooks beside its specs."""
    import sys

    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])

    def use(*, there: bool = True, version: str = "1.5", **hooks: Any) -> Host:
        plugin = SimpleNamespace(**{name: hookimpl(function) for name, function in {**SPECS, **hooks}.items()})
        demo = Candidate(name="demo", distribution="tunesmith-demo", version=version, target=HERE, load=lambda: plugin)
        made = Host([demo] if there else [], environ={})
        monkeypatch.setattr(host, "_host", made)
        monkeypatch.setattr(tunesmith.registry, "_registry", Registry(made))
        return made

    return use


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    rows = [f"{word} {n},{label}" for n in range(12) for label, word in (("fruit", "pear"), ("metal", "zinc"))]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    tiny_bert(folder / "bert")
    return folder


def recipe(place: Path, out: Path, **changes: Any) -> tunesmith.Recipe:
    base: dict[str, Any] = {
        "task": "text-classification",
        "model": str(place / "bert"),
        "data": {"train": str(place / "rows.csv"), "split": {"test": 0.25}},
        "train": {"max_steps": 3, "rows_per_batch": 4, "precision": "fp32"},
        "output": str(out),
    }
    for key, value in changes.items():
        base[key] = {**base[key], **value} if isinstance(base.get(key), dict) and isinstance(value, dict) else value
    return tunesmith.parse_recipe(base)


def notes(run: Run) -> list[str]:
    return [str(record["message"]) for record in run.metrics() if record["kind"] == "note"]


# ---- settings --------------------------------------------------------------------------------------------------------


def test_a_plugins_settings_reach_its_task_and_are_written_out(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    run = tunesmith.train(
        recipe(place, tmp_path / "run", task="tagged", plugins={"demo": {"factor": 3, "place": "a/b"}})
    )
    assert "factor 3" in notes(run)
    assert run.recipe().plugins == {"demo": {"factor": 3.0, "words": [], "pair": [1, 2], "place": "a/b"}}
    assert run.manifest["plugins"] == {"demo": {"distribution": "tunesmith-demo", "version": "1.5"}}


def test_a_run_without_plugins_names_none(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    assert tunesmith.train(recipe(place, tmp_path / "run")).manifest["plugins"] == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"demo": {"factr": 3}},
            ["plugins.demo.factr: unknown key; did you mean 'factor'?", "takes factor, words, pair, place"],
        ),
        ({"demo": {"factor": -1}}, ["plugins.demo.factor: expected a number greater than 0, given -1"]),
        (
            {"demo": {"factor": "x", "words": 3}},
            ["plugins: 2 problems", "plugins.demo.words: expected a list of texts"],
        ),
        ({"dmo": {}}, ["no plugin 'dmo' that takes settings", "did you mean 'plugins.demo'?"]),
    ],
)
def test_settings_that_are_wrong(plugins: Any, place: Path, tmp_path: Path, given: Any, words: list[str]) -> None:
    plugins()
    with pytest.raises(RecipeError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", plugins=given))
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_where_no_plugin_takes_settings_this_is_said(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins(there=False)
    with pytest.raises(RecipeError, match="no settings: no plugin here takes any"):
        tunesmith.train(recipe(place, tmp_path / "run", plugins={"demo": {}}))


# ---- transforms of rows ----------------------------------------------------------------------------------------------


def test_rows_of_every_split_are_changed_and_counted(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    run = tunesmith.train(
        recipe(place, tmp_path / "run", data={"transform": ["upper"]}, evaluate={"sections": ["longest"]})
    )
    assert "upper: 24 rows in capitals" in notes(run)
    assert run.recipe().data.transform[0].model_dump() == {"name": "upper", "refuse": None}
    page = run.report_file.read_text()
    assert "ZINC 11" in page or "PEAR 11" in page or "PEAR 10" in page or "ZINC 10" in page
    assert "Longest test rows" in page


def test_rows_that_a_transform_refuses_are_told_by_line(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    with pytest.raises(DataError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", data={"transform": [{"name": "upper", "refuse": "zinc"}]}))
    assert len(caught.value.problems) == 12
    assert str(caught.value.problems[0]).endswith("rows.csv:3: the word 'zinc' is not allowed")


def test_a_transform_that_fails_names_row_and_plugin(
    plugins: Any, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins()
    monkeypatch.setattr(f"{HERE}.FAIL", ["by zero"])
    with pytest.raises(PluginError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", data={"transform": ["upper"]}))
    assert "the transform 'upper' of the plugin 'demo' failed on" in str(caught.value)
    assert "rows.csv:8" in str(caught.value)
    assert "ZeroDivisionError: by zero" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-row", ["the transform 'no-row' of the plugin 'demo' failed on", "it gave list", "as a mapping"]),
        ("no-class", ["the transform 'no-class' of the plugin 'demo' cannot be used", "tunesmith.data.RowTransform"]),
    ],
)
def test_a_transform_that_is_none(plugins: Any, place: Path, tmp_path: Path, name: str, words: list[str]) -> None:
    plugins()
    with pytest.raises(PluginError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", data={"transform": [name]}))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"transform": ["uper"]}}, ["no transform of this name", "did you mean 'upper'?"]),
        ({"trackers": ["line"]}, ["no tracker of this name", "did you mean 'lines'?"]),
        ({"evaluate": {"sections": ["longst"]}}, ["no report section of this name", "did you mean 'longest'?"]),
    ],
)
def test_names_that_nobody_has(plugins: Any, place: Path, tmp_path: Path, changes: Any, words: list[str]) -> None:
    plugins()
    with pytest.raises(NotFoundError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", **changes))
    for word in words:
        assert word in str(caught.value)


def test_keys_of_a_tracker_that_are_wrong(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    with pytest.raises(RecipeError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", trackers=[{"name": "lines", "fil": "x"}]))
    assert "trackers[0].fil: unknown key; did you mean 'file'?" in str(caught.value)
    assert "lines takes file, fail_at" in str(caught.value)


# ---- trackers --------------------------------------------------------------------------------------------------------


def test_a_tracker_follows_a_job_that_is_stopped_and_resumed(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    flag = threading.Event()

    def observe(event: Any) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            flag.set()

    with pytest.raises(StoppedError):
        tunesmith.train(recipe(place, tmp_path / "run", trackers=["lines"]), observers=[observe], stop=flag)
    tunesmith.train(resume=tmp_path / "run")
    lines = (tmp_path / "lines.txt").read_text().splitlines()
    told = [line for line in lines if not line.startswith(("note", "evaluated"))]
    assert told == [
        "started at 0",
        "step 1",
        "step 2",
        "finished interrupted",
        "started at 2",
        "step 3",
        "finished finished",
    ]
    assert "evaluated test" in lines


def test_a_tracker_that_fails_is_told_once_and_the_job_goes_on(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    run = tunesmith.train(recipe(place, tmp_path / "run", trackers=[{"name": "lines", "fail_at": 2}]))
    assert run.manifest["status"] == "finished"
    assert notes(run).count("the tracker demo/lines failed and gets nothing from here on: SystemExit: gone") == 1
    assert (tmp_path / "lines.txt").read_text().splitlines()[-1] == "step 1"


# ---- sections of the report ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "the report is without the section demo/broken, which failed: LookupError: nothing found"),
        (
            "wrong",
            "the report is without the section demo/wrong, which failed: TypeError: it gave str, expected Matrix",
        ),
    ],
)
def test_a_section_that_fails_costs_itself_only(
    plugins: Any, place: Path, tmp_path: Path, name: str, words: str
) -> None:
    plugins()
    run = tunesmith.train(recipe(place, tmp_path / "run", evaluate={"sections": [name, "longest"]}))
    assert run.manifest["status"] == "finished"
    assert any(note.startswith(words) for note in notes(run))
    page = run.report_file.read_text()
    assert "Longest test rows" in page
    assert words.partition(", which")[0] in page


def test_a_section_for_other_tasks_is_refused_before_anything_is_read(
    plugins: Any, place: Path, tmp_path: Path
) -> None:
    plugins()
    with pytest.raises(RecipeError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", task="tagged", evaluate={"sections": ["longest"]}))
    assert "the section 'longest' says nothing about task 'tagged'" in str(caught.value)
    assert "expected: task text-classification" in str(caught.value)


def test_without_held_out_rows_a_section_sees_those_of_training(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    wanted = recipe(
        place, tmp_path / "run", data={"split": {}}, evaluate={"sections": [{"name": "longest", "rows": 1}]}
    )
    assert "Longest train rows" in tunesmith.train(wanted).report_file.read_text()


# ---- strategies ------------------------------------------------------------------------------------------------------


def test_a_strategy_draws_the_batches_and_makes_the_gradient(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    train = {"strategy": "noisy", "max_steps": None, "epochs": 1}
    run = tunesmith.train(recipe(place, tmp_path / "run", train=train, plugins={"demo": {"factor": 4}}))
    steps = [record for record in run.metrics() if record["kind"] == "step"]
    assert len(steps) == 3  # of 5 batches
    assert "half of the batches: 3 steps" in notes(run)
    assert "half of the batches: 3 steps" in run.path.joinpath("model", "README.md").read_text()
    plain = recipe(place, tmp_path / "plain", train={"strategy": "noisy", "max_steps": None, "epochs": 1})
    other = next(record for record in tunesmith.train(plain).metrics() if record["kind"] == "step")
    assert steps[0]["loss"] == other["loss"]
    assert steps[0]["grad_norm"] == pytest.approx(2 * other["grad_norm"], rel=1e-5)


@pytest.mark.parametrize(
    ("strategy", "command"), [("noisy", "demo go-on {}"), ("single", "tunesmith train --resume {}")]
)
def test_a_strategy_says_how_a_job_that_was_stopped_goes_on(
    plugins: Any, place: Path, tmp_path: Path, strategy: str, command: str
) -> None:
    plugins()
    flag = threading.Event()
    flag.set()
    with pytest.raises(StoppedError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run", train={"strategy": strategy}), stop=flag)
    assert caught.value.fix == (command.format(tmp_path / "run"),)


# ---- runs and the plugins they were made with ------------------------------------------------------------------------


def stopped(place: Path, out: Path, **changes: Any) -> None:
    flag = threading.Event()
    flag.set()
    with pytest.raises(StoppedError):
        tunesmith.train(recipe(place, out, **changes), stop=flag)


def test_a_run_whose_plugin_was_removed_says_which(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    stopped(place, tmp_path / "run", trackers=["lines"])
    plugins(there=False)
    with pytest.raises(PluginError) as caught:
        tunesmith.train(resume=tmp_path / "run")
    text = str(caught.value)
    assert "the run needs the plugin 'demo', which is not installed" in text
    assert "as the run was made with it: tunesmith-demo 1.5" in text
    assert "tunesmith plugins add 'tunesmith-demo==1.5'" in text
    plugins()
    assert tunesmith.train(resume=tmp_path / "run").manifest["status"] == "finished"


def test_another_version_of_a_plugin_is_told(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    stopped(place, tmp_path / "run", trackers=["lines"])
    plugins(version="2.0")
    run = tunesmith.train(resume=tmp_path / "run")
    assert any("plugin demo 1.5 → 2.0" in note for note in notes(run))


def test_settings_given_again_may_be_fewer_but_not_others(plugins: Any, place: Path, tmp_path: Path) -> None:
    plugins()
    stopped(place, tmp_path / "run", task="tagged", plugins={"demo": {"factor": 3}})
    other = recipe(place, tmp_path / "run", task="tagged", plugins={"demo": {"factor": 4}})
    with pytest.raises(RunError, match=r"plugins\.demo\.factor: 3\.0 in the run, 4 given"):
        tunesmith.train(other, resume=tmp_path / "run")
    same = recipe(place, tmp_path / "run", task="tagged", plugins={"demo": {"factor": 3}})
    assert tunesmith.train(same, resume=tmp_path / "run").manifest["status"] == "finished"


# ---- gates -----------------------------------------------------------------------------------------------------------


def test_a_gate_is_asked_before_anything_and_its_no_is_told(plugins: Any, place: Path, tmp_path: Path) -> None:
    asked: list[Any] = []

    def authorize(action: Any) -> Deny | None:
        asked.append(action)
        return Deny(reason="the night is for sleeping", fix="come back at eight") if action.name == "train" else None

    plugins(tunesmith_authorize=authorize)
    with pytest.raises(DeniedError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run"))
    text = str(caught.value)
    assert "the plugin 'demo' does not let this happen: the night is for sleeping" in text
    assert f"given:    train (start a job, or go on with one): {tmp_path / 'run'}" in text
    assert "come back at eight" in text
    assert not (tmp_path / "run").exists()
    assert asked[0].details["recipe"]["task"] == "text-classification"
    assert asked[0].details["resume"] is False
    json.dumps(asked[0].details["recipe"])


@pytest.mark.parametrize("answer", ["exit", "raise", "text"])
def test_a_gate_that_fails_fails_closed(plugins: Any, place: Path, tmp_path: Path, answer: str) -> None:
    def authorize(action: Any) -> Any:
        if answer == "exit":
            raise SystemExit(3)
        if answer == "raise":
            raise ConnectionError("no policy server")
        return "yes"

    plugins(tunesmith_authorize=authorize)
    with pytest.raises(DeniedError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run"))
    words = {"exit": "SystemExit: 3", "raise": "ConnectionError: no policy server", "text": "it answered 'yes'"}
    assert words[answer] in str(caught.value)
    assert "so it does not happen" in str(caught.value)


def test_every_action_is_asked_about(plugins: Any, place: Path, tmp_path: Path) -> None:
    asked: list[Any] = []
    plugins(tunesmith_authorize=lambda action: asked.append((action.name, action.subject)))
    run = tunesmith.train(recipe(place, tmp_path / "run"))
    model = tunesmith.load(run.path)
    evaluate(model, [str(place / "rows.csv")])
    tunesmith.export_model(run.path, to="merged", out=tmp_path / "merged")
    names = [name for name, _ in asked]
    assert names[0] == "train"
    assert {"open", "evaluate", "export"} <= set(names)
    assert ("export", str(run.path)) in asked


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (["T-17"], "the record must be a dict"),
        ({1: "T-17"}, "texts for keys, given"),
        ({"tickets": ("T-17",)}, "with lists, not tuples"),
        ({"tickets": {"T-17"}}, "the record is no JSON: Object of type set"),
        ({"hours": float("nan")}, "the record is no JSON: Out of range float"),
        ({"ticket": "T" * RECORD_BYTES}, "65,536 bytes of JSON at most, given 65,550"),
    ],
)
def test_a_record_that_cannot_be_kept_fails_closed(
    plugins: Any, place: Path, tmp_path: Path, record: Any, words: str
) -> None:
    plugins(tunesmith_authorize=lambda action: Allow(record=record))
    with pytest.raises(DeniedError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run"))
    assert words in str(caught.value)
    assert "the plugin 'demo' was asked whether this may happen, and it failed: ValueError: Allow:" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_what_a_gate_allows_is_written_into_the_run_and_handed_back_on_resume(
    plugins: Any, place: Path, tmp_path: Path
) -> None:
    asked: list[Any] = []
    ticket: dict[str, Any] = {"ticket": "T-17", "hours": [1, 2.5, None]}

    def authorize(action: Any) -> Allow:
        asked.append(action.details)
        record = action.details["allowed"].get("demo") or ticket
        return Allow(record={**record, "asked": len(asked)})

    plugins(tunesmith_authorize=authorize)
    stop = threading.Event()
    stop_at_first = [lambda event: stop.set() if isinstance(event, StepDone) else None]
    with pytest.raises(StoppedError):
        tunesmith.train(recipe(place, tmp_path / "run"), stop=stop, observers=stop_at_first)
    assert Run.open(tmp_path / "run").manifest["allowed"] == {"demo": {**ticket, "asked": 1}}
    assert asked[0]["allowed"] == {}

    run = tunesmith.train(resume=tmp_path / "run")
    assert asked[1] == {"recipe": asked[1]["recipe"], "resume": True, "allowed": {"demo": {**ticket, "asked": 1}}}
    assert run.manifest["allowed"] == {"demo": {**ticket, "asked": 2}}


@pytest.mark.parametrize("stored", [None, ["not", "a", "table"], {"another": {"ticket": "T-1"}}])
def test_runs_of_before_gates_recorded_anything_are_resumed_as_ever(
    plugins: Any, place: Path, tmp_path: Path, stored: Any
) -> None:
    asked: list[Any] = []
    plugins(tunesmith_authorize=lambda action: asked.append(action.details["allowed"]))
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        tunesmith.train(recipe(place, tmp_path / "run"), stop=stop)
    run = Run.open(tmp_path / "run")
    assert "allowed" not in run.manifest
    if stored is not None:
        run.update(allowed=stored)
    run = tunesmith.train(resume=tmp_path / "run")
    kept = stored if isinstance(stored, dict) else {}
    assert asked == [{}, kept]
    assert run.manifest.get("allowed", {}) == (kept or stored or {})


def test_a_record_is_a_copy_of_what_the_gate_had() -> None:
    tickets = ["T-17"]
    allow = Allow(record={"tickets": tickets})
    tickets.append("T-18")
    assert allow.record == {"tickets": ["T-17"]}


def test_a_required_plugin_that_is_missing_stops_everything(
    plugins: Any, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins(there=False)
    monkeypatch.setenv("TUNESMITH_REQUIRED_PLUGINS", "demo>=1")
    with pytest.raises(DeniedError) as caught:
        tunesmith.train(recipe(place, tmp_path / "run"))
    assert "a plugin is required here, and the plugin 'demo' is not installed" in str(caught.value)
    assert "the plugin demo>=1, as TUNESMITH_REQUIRED_PLUGINS requires" in str(caught.value)
    plugins()
    assert tunesmith.train(recipe(place, tmp_path / "run")).manifest["status"] == "finished"
    plugins(version="0.9")
    with pytest.raises(DeniedError, match=r"the plugin 'demo' is there in version 0\.9"):
        tunesmith.load(tmp_path / "run")
