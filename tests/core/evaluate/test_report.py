# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The report: complete, inert, and fine with whatever a run left out."""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from tunesmith.evaluate import write_report
from tunesmith.evaluate.facts import duration, figure_text, read_facts, size_text
from tunesmith.evaluate.report import render_report
from tunesmith.tasks.sections import Matrix, Section, Table, Text

EVIL = "<script>alert('x')</script>\" onload=\"alert(1)"
MakeRun = Callable[..., Any]


class Page(HTMLParser):
    """Tags and attributes of a page; fails on tags that are not closed in order."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data

    def names(self) -> set[str]:
        return {name for name, _ in self.tags}


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


SECTIONS: list[Section] = [
    Matrix(title="Confusion matrix", labels=["card_arrival", EVIL], counts=[[8, 2], [5, 5]]),
    Table(title="Worst mistakes", note=EVIL, header=("text", EVIL), rows=[(EVIL, 0.5), ("x" * 200_000, 1)]),
    Table(title="Images", header=("true", "loss"), rows=[("7", 1.5)], images=[png()]),
    Text(title="Samples", passages=[(EVIL, "Once\n\n" + EVIL), ("", "nul \0 and surrogate \ud800")]),
]


def test_it_says_what_the_run_is(make_run: MakeRun) -> None:
    page = Page(render_report(make_run(), sections=SECTIONS[:1]))
    for words in (
        "banking",
        "text-classification",
        "92.8 %",
        "from 1.3 % before training",
        "3 min 7 s",
        "22,713,216 parameters",
        "3 of 9,003 rows truncated to 512 tokens",
        "data/train.csv",
        "839.1 kB",
        "learning_rate",
        "2.13.0",
        "before training",
        "Most often confused",
        "tunesmith predict",
    ):
        assert words in page.text, words


@pytest.mark.parametrize(
    ("task", "unit"),
    [("token-classification", "tokens"), ("embedding", "tokens"), ("image-classification", "rows"), ("gone", "tokens")],
)
def test_the_speed_is_in_what_the_task_counts(make_run: MakeRun, task: str, unit: str) -> None:
    assert f"400 steps · 9,000 {unit}/s" in Page(render_report(make_run(task=task))).text


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("chat", ("tunesmith chat ", 'model.chat([{"role": "user"')),
        ("preference", ("tunesmith chat ", 'model.chat([{"role": "user"')),
        ("seq2seq", ("tunesmith generate ", 'model.generate("a text"')),
        ("reward", ("tunesmith predict ", 'model.predict([{"prompt": "a question", "completion": "an answer"}])')),
        ("question-answering", ("tunesmith predict ", 'model.predict([{"question": "Who?"')),
        ("embedding", ("tunesmith predict ", 'model.embed(["a text"')),
        ("image-classification", ("tunesmith predict ", 'model.predict(["picture.png"])')),
    ],
)
def test_it_says_how_a_model_of_the_task_is_used(make_run: MakeRun, task: str, words: tuple[str, str]) -> None:
    text = Page(render_report(make_run(task=task))).text
    assert all(word in text for word in words)


def test_it_asks_nothing_of_anyone_and_runs_nothing(make_run: MakeRun) -> None:
    html = render_report(make_run(), sections=SECTIONS)
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "form", "base"} & page.names()
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,")
        assert not {"href", "xlink:href", "action", "srcset"} & set(attributes), tag
    assert "http" not in html.replace("http-equiv", "")
    assert "@import" not in html
    assert "url(" not in html
    policies = [attributes.get("content") for tag, attributes in page.tags if tag == "meta"]
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in policies


def test_all_text_from_outside_is_escaped(make_run: MakeRun) -> None:
    run = make_run(
        name="a <b> & c",
        task=EVIL,
        method=EVIL,
        model={"name": EVIL, "digest": EVIL},
        metrics={"test": {EVIL: 0.5}},
        data={"files": [{"name": EVIL, "sha256": EVIL, "rows": 1, "bytes": 1}], "train": 1},
        environment={EVIL: EVIL},
        records=[
            {"kind": "note", "message": EVIL},
            {"kind": "evaluation", "step": 1, "split": EVIL, "metrics": {EVIL: 1.0, "loss": 2.0}, "best": True},
            {"kind": "evaluation", "step": 2, "split": "validation", "metrics": {EVIL: 1.0}, "best": False},
            {"kind": "evaluation", "step": 3, "split": "validation", "metrics": {EVIL: 2.0}, "best": False},
        ],
        recipe={"output": EVIL},
    )
    html = render_report(run, sections=SECTIONS)
    page = Page(html)
    assert "<script" not in html
    assert "script" not in page.names()
    assert EVIL in page.text
    assert not [name for _, attributes in page.tags for name in attributes if name == "onload"]


def test_long_cells_are_cut_and_the_rest_is_counted(make_run: MakeRun) -> None:
    html = render_report(make_run(), sections=SECTIONS)
    assert "(and 198,000 more characters)" in html
    assert len(html) < 400_000


def test_control_characters_and_surrogates_do_not_stop_it(make_run: MakeRun) -> None:
    run = make_run()
    file = write_report(run, sections=SECTIONS)
    assert file == run.report_file
    text = file.read_text(encoding="utf-8")
    assert "nul ␀ and surrogate ?" in text
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)


def test_an_unscored_run_with_an_empty_log(make_run: MakeRun) -> None:
    page = Page(render_report(make_run(records=[], metrics={}, seconds=None, environment=None, data=None)))
    assert "not scored" in page.text
    assert "No loss was logged." in page.text


def test_a_bare_manifest_is_enough(make_run: MakeRun) -> None:
    run = make_run(records=[])
    run.manifest.clear()
    assert "unknown" in Page(render_report(run)).text


def test_a_run_of_one_step(make_run: MakeRun) -> None:
    step = {"kind": "step", "step": 1, "loss": 2.5, "learning_rate": 1e-3, "grad_norm": 1.0, "tokens": 8, "seconds": 0}
    page = Page(render_report(make_run(records=[step])))
    charts = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    assert charts[0] == "Loss per step. training: 2.5 at step 1, 2.5 at step 1"


def test_numbers_that_are_none(make_run: MakeRun) -> None:
    records = [
        {
            "kind": "step",
            "step": step,
            "loss": loss,
            "learning_rate": 1e-3,
            "grad_norm": None,
            "tokens": 8,
            "seconds": 0.1,
        }
        for step, loss in enumerate((2.5, math.nan, None, "Infinity"), 1)
    ]
    records.append(
        {"kind": "evaluation", "step": 4, "split": "validation", "metrics": {"loss": math.nan}, "best": False}
    )
    html = render_report(make_run(records=records, metrics={"validation": {"loss": math.nan, "perplexity": math.inf}}))
    page = Page(html)
    assert "step 2: training NaN" in page.text
    assert "NaN" in page.text
    assert "∞" in page.text
    assert not [attributes for tag, attributes in page.tags if tag == "path" and "nan" in (attributes.get("d") or "")]


def test_long_runs_stay_small(make_run: MakeRun) -> None:
    records = [
        {
            "kind": "step",
            "step": step,
            "loss": 1 / step,
            "learning_rate": 1e-3,
            "grad_norm": 1.0,
            "tokens": 8,
            "seconds": 0.1,
        }
        for step in range(1, 50_001)
    ]
    assert len(render_report(make_run(records=records))) < 300_000


def test_every_drawing_has_words(make_run: MakeRun) -> None:
    page = Page(render_report(make_run(), sections=SECTIONS))
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == 5
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert ("html", {"lang": "en"}) in page.tags


def test_light_dark_and_paper(make_run: MakeRun) -> None:
    html = render_report(make_run())
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media print" in html
    assert "tabular-nums" in html


def test_a_path_with_spaces_is_quoted_in_commands(make_run: MakeRun) -> None:
    run = make_run(name="my run")
    text = Page(render_report(run)).text
    assert f"tunesmith predict '{run.path}' FILE" in text


def test_before_may_be_given(make_run: MakeRun) -> None:
    facts = read_facts(make_run(records=[]), before={"test": {"accuracy": 0.95, "loss": 0.31}})
    by_name = {figure.name: figure for figure in facts.figures}
    assert (by_name["accuracy"].before, by_name["accuracy"].rose, by_name["accuracy"].improved) == (
        "95.0 %",
        False,
        False,
    )
    assert (by_name["loss"].before, by_name["loss"].rose, by_name["loss"].improved) == ("0.31", None, None)
    assert by_name["macro_f1"].before is None


def test_the_headline_comes_first_and_test_before_validation(make_run: MakeRun) -> None:
    facts = read_facts(make_run(metrics={"validation": {"accuracy": 0.1}, "test": {"loss": 1.0, "accuracy": 0.2}}))
    assert [(figure.split, figure.name) for figure in facts.figures] == [("test", "accuracy"), ("test", "loss")]


def test_a_task_that_is_not_installed_does_not_hide_the_run(make_run: MakeRun) -> None:
    facts = read_facts(make_run(task="gone/stance", metrics={"test": {"accuracy": 0.5}}))
    assert facts.generates is None
    assert [figure.text for figure in facts.figures] == ["50.0 %"]


def test_unknown_sections_and_images_are_refused_in_words(make_run: MakeRun) -> None:
    run = make_run()
    with pytest.raises(ValueError, match="cannot draw a Section"):
        render_report(run, sections=[Section(title="?")])
    with pytest.raises(ValueError, match="must be a PNG"):
        render_report(run, sections=[Table(title="", header=(), rows=[()], images=[b"<svg onload=x>"])])


def test_words_for_numbers() -> None:
    assert [duration(seconds) for seconds in (0.84, 42, 187.3, 7500)] == ["0.8 s", "42 s", "3 min 7 s", "2 h 5 min"]
    assert [size_text(size) for size in (812, 3_400_000, 5e12)] == ["812 B", "3.4 MB", "5,000.0 GB"]
    assert figure_text("accuracy", 0.92756) == "92.8 %"
    assert figure_text("accuracy", 0.99991) == "99.99 %"
    assert figure_text("accuracy", 1.0) == "100 %"
    assert figure_text("loss", 0.31234) == "0.3123"
    assert figure_text("margin", -1.5) == "−1.5", "the minus of the charts"
    assert figure_text("perplexity", 12345.6) == "12,346"
