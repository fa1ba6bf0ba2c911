# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The way in: through the host, from the terminal, and as a part of a report."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import tunesmith
from tunesmith._plugins import get_host
from tunesmith.errors import ModelError, OutputError, RecipeError
from tunesmith.tasks.images import png_bytes
from tunesmith.tasks.text_classification import TextClassification
from tunesmith.testing import check_plugin
from tunesmith_explain import attribute
from tunesmith_explain.cli import app
from tunesmith_explain.section import choose_rows
from tunesmith_explain.terminal import show

NOUNS = ("table", "river", "window", "garden", "letter", "stone", "bottle", "jacket", "street", "candle")
VERBS = ("stands", "shines", "falls", "waits", "turns", "opens")


def made_up(rows: int, seed: int) -> str:
    """Texts whose label hangs on one word of theirs: `splendid` or `dreadful`."""
    random = np.random.default_rng(seed)
    lines = ["text,label"]
    for place in range(rows):
        good = place % 2 == 0
        words = ["the", str(random.choice(NOUNS)), str(random.choice(VERBS)), "and", "a", str(random.choice(NOUNS))]
        words.insert(int(random.integers(1, 6)), "splendid" if good else "dreadful")
        lines.append(f"{' '.join(words)},{'good' if good else 'bad'}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "train.csv").write_text(made_up(200, 0))
    (folder / "test.csv").write_text(made_up(20, 1) + "<b>the</b> & splendid river,bad\n")
    recipe = {
        "task": "text-classification",
        "model": "scratch:bert-100k",
        "data": {"train": str(folder / "train.csv"), "test": str(folder / "test.csv")},
        "train": {"epochs": 7, "rows_per_batch": 16, "learning_rate": 1e-3, "device": "cpu"},
        "evaluate": {"sections": [{"name": "attributions", "rows": 4, "steps": 256}]},
        "output": str(folder / "run"),
    }
    tunesmith.train(tunesmith.parse_recipe(recipe))
    return folder / "run"


def test_the_host_loads_it() -> None:
    (record,) = [record for record in get_host().records if record.name == "explain"]
    assert (record.status, record.reason) == ("ok", "")
    assert dict(record.provides) == {"command": ("explain",), "report_section": ("attributions",)}


def test_declaring_imports_nothing_heavy() -> None:
    code = (
        "import sys, tunesmith_explain.plugin; print(sorted({'captum', 'typer', 'numpy', 'torch'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_the_planted_word_speaks_for_its_label(run: Path) -> None:
    model = tunesmith.load(run)
    task = model.definition
    from tunesmith.data.rows import Origin, Row

    rows = [
        Row({"text": "a splendid river waits"}, Origin("x", 1)),
        Row({"text": "the dreadful stone falls"}, Origin("x", 2)),
    ]
    good, bad = attribute(task, model.module, [task.parse(row, labelled=False) for row in rows], steps=256)
    assert (good.label, bad.label) == ("good", "bad")
    assert good.true is None
    assert good.speaking(most=1)[0].text == "splendid"
    assert bad.speaking(most=1)[0].text == "dreadful"


def test_the_report_shows_mistakes_first_then_typical_rows_and_the_words_of_each_label(run: Path) -> None:
    page = html.unescape((run / "report.html").read_text())
    part = page[page.index("What the answers rest on") : page.index("Use it")]
    assert "4 rows of test, the most confident mistakes first, then typical right ones" in part
    assert "Integrated gradients in 256 steps" in part
    assert part.index("predicted, wrong") < part.index("true, not predicted") < part.index("predicted, right")
    summary = part[part.index("What speaks for each label") :]
    assert "splendid +" in summary
    assert "dreadful +" in summary


def test_a_section_of_another_task_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a text\n" * 9)
    recipe = {
        "task": "causal-lm",
        "model": "tunesmith/tiny",
        "data": {"train": str(tmp_path / "a.txt")},
        "evaluate": {"sections": ["attributions"]},
        "output": str(tmp_path / "run"),
    }
    with pytest.raises(RecipeError, match=r"the section 'attributions' says nothing about task 'causal-lm'"):
        tunesmith.train(tunesmith.parse_recipe(recipe))


def test_explain_for_people(run: Path) -> None:
    result = CliRunner().invoke(
        app, [str(run), "--data", str(run.parent / "test.csv"), "--rows", "2", "--steps", "256"]
    )
    assert result.exit_code == 0, result.output
    blocks = result.stdout.strip().split("\n\n")
    assert len(blocks) == 2
    heading, text, speaks, _ = blocks[0].splitlines()
    assert "test.csv:2: good (predicted, right), probability" in heading
    assert "splendid" in text
    assert speaks.startswith("  for        splendid +")
    assert "note: 2 rows explained, and there are more; --rows says how many" in result.stderr
    assert "\x1b" not in result.stdout


def test_in_a_terminal_words_are_colored(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True, raising=False)
    model = tunesmith.load(run)
    from tunesmith.data.rows import Origin, Row

    example = model.definition.parse(Row({"text": "a splendid [red]river[/red]"}, Origin("x", 1)), labelled=False)
    show(attribute(model.definition, model.module, [example], steps=256), out)
    assert "\x1b[30;48;2;79;144;191msplendid" in out.getvalue()


def test_explain_for_programs(run: Path) -> None:
    result = CliRunner().invoke(
        app, [str(run), "--data", str(run.parent / "test.csv"), "--rows", "1", "--steps", "256", "--json"]
    )
    (one,) = json.loads(result.stdout)
    assert (one["label"], one["predicted"], one["true"], one["steps"]) == ("good", True, True, 256)
    total = sum(piece["score"] for piece in one["pieces"]) + one["rest"]
    assert total == pytest.approx(one["value"] - one["baseline_value"], abs=0.01)
    assert one["error"] < 0.05
    piece = next(piece for piece in one["pieces"] if piece["text"] == "splendid")
    assert one["text"][piece["start"] : piece["end"]] == "splendid"


def test_amounts_that_miss_the_answer_are_told(run: Path) -> None:
    arguments = [str(run), "--data", str(run.parent / "test.csv"), "--rows", "5", "--steps", "1"]
    result = CliRunner().invoke(app, arguments)
    assert "miss the answer by more than 5%" in result.stderr
    assert "take more steps than 1" in result.stderr


def test_the_plugin_keeps_its_promises() -> None:
    check_plugin("explain")


def test_the_page_asks_nothing_of_anybody_and_escapes_everything(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    arguments = [str(run), "--data", str(run.parent / "test.csv"), "--rows", "99", "--steps", "4", "--html", str(page)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert "default-src 'none'" in text
    assert not any(word in text for word in ("<script", "http://", "https://", 'src="//', "<b>the</b>", "<link"))
    assert "&lt;" in text
    assert 'style="background: rgba(31, 95, 139' in text
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, OutputError)
    assert page.read_text() == text


def test_explain_of_another_task_names_those_it_can(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nhello\n")
    result = CliRunner().invoke(app, ["tunesmith/tiny", "--data", str(tmp_path / "a.csv")])
    assert isinstance(result.exception, ModelError)
    assert "expected: a task of text-classification, image-classification" in str(result.exception)


def job(folder: Path, task: str, model: str, data: dict[str, Any]) -> str:
    recipe = {
        "task": task,
        "model": model,
        "data": data,
        "train": {"device": "cpu", "max_steps": 60},
        "evaluate": {"sections": [{"name": "attributions", "rows": 6}]},
        "output": str(folder / "run"),
    }
    tunesmith.train(tunesmith.parse_recipe(recipe))
    page = html.unescape((folder / "run" / "report.html").read_text())
    return page[page.index("What the answers rest on") : page.index("Use it")]


def test_images_in_a_report_and_in_the_terminal(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 5)):
        for label in ("left", "right"):
            (tmp_path / split / label).mkdir(parents=True)
            for place in range(count):
                pixels = random.integers(0, 60, (12, 12, 1), dtype=np.uint8)
                pixels[4:8, slice(1, 5) if label == "left" else slice(7, 11)] = 220
                (tmp_path / split / label / f"{place}.png").write_bytes(png_bytes(pixels))
    data = {"train": str(tmp_path / "train"), "test": str(tmp_path / "test")}
    part = job(tmp_path, "image-classification", "scratch:cnn", data)
    assert part.count('<img src="data:image/png;base64,') == 6 + 2
    assert 'width="180"' in part
    assert "Where the labels are seen" in part
    page = tmp_path / "why.html"
    run, rows = str(tmp_path / "run"), str(tmp_path / "test" / "left")
    result = CliRunner().invoke(app, [run, "--data", str(tmp_path / "test"), "--rows", "2", "--html", str(page)])
    assert result.exit_code == 0, (result.output, result.exception, rows)
    assert "--html FILE shows every pixel" in result.stdout
    assert page.read_text().count("data:image/png;base64,") == 2


@pytest.mark.parametrize("task", ["tabular-classification", "tabular-regression"])
def test_tables_in_a_report_and_in_the_terminal(tmp_path: Path, task: str) -> None:
    random = np.random.default_rng(0)
    answer = "target" if task == "tabular-regression" else "label"
    lines = [f"size,color,noise,{answer}"]
    for _ in range(150):
        size, color = float(random.normal(10, 3)), str(random.choice(["red", "blue"]))
        number = 3 * size + (10 if color == "red" else 0)
        lines.append(f"{size:.3f},{color},{random.normal():.3f},{number if answer == 'target' else int(number > 35)}")
    (tmp_path / "train.csv").write_text("\n".join(lines[:121]) + "\n")
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *lines[121:]]) + "\n")
    data = {"train": str(tmp_path / "train.csv"), "test": str(tmp_path / "test.csv")}
    part = job(tmp_path, task, "scratch:tabular-mlp", data)
    assert "size = " in part
    assert ("What moves the number" if answer == "target" else "What speaks for each label") in part
    page = tmp_path / "why.html"
    result = CliRunner().invoke(
        app, [str(tmp_path / "run"), "--data", str(tmp_path / "test.csv"), "--rows", "3", "--html", str(page)]
    )
    assert result.exit_code == 0, (result.output, result.exception)
    assert result.stdout.count("color = ") == 3
    assert ("raises it" if answer == "target" else "predicted, ") in result.stdout
    assert 'class="track"' in page.read_text()


def test_rows_are_chosen_by_confidence_and_labels_take_turns() -> None:
    task = TextClassification.__new__(TextClassification)
    task.multi_label = False

    def output(truth: int, *probabilities: float) -> Any:
        values = np.asarray(probabilities)
        return SimpleNamespace(truth=(truth,), probabilities=values, logits=np.log(values))

    outputs = [
        output(0, 0.99, 0.01),
        output(1, 0.7, 0.3),  # a mistake
        output(0, 0.8, 0.2),  # the middle one of its label
        output(1, 0.9, 0.1),  # a mistake of which the model is sure
        output(1, 0.4, 0.6),
        output(0, 0.6, 0.4),
    ]
    assert choose_rows(task, outputs, [None] * 6, 4) == [3, 1, 2, 4]
    assert choose_rows(task, outputs, [None] * 6, 1) == [3]
    assert choose_rows(task, [], [], 4) == []
