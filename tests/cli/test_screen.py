# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tunesmith_cli.screen import Screen, json_text
from tunesmith_cli.settings import Settings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(**settings: bool) -> tuple[Screen, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Screen(Settings(**settings), out=out, err=err), out, err


def test_notes_go_to_stderr_and_results_to_stdout() -> None:
    it, out, err = screen()
    it.note("working")
    it.result("42")
    assert (out.getvalue(), err.getvalue()) == ("42\n", "working\n")


def test_quiet_silences_notes_only() -> None:
    it, out, err = screen(quiet=True)
    it.note("working")
    it.result("42")
    assert (out.getvalue(), err.getvalue()) == ("42\n", "")


def test_json_has_no_nan_and_takes_paths_and_numpy_scalars() -> None:
    value = {"loss": float("nan"), "best": np.float32(0.5), "run": Path("a"), "rows": (1, 2), "x": None}
    assert json.loads(json_text(value)) == {"loss": None, "best": 0.5, "run": "a", "rows": [1, 2], "x": None}


def test_a_plain_table_is_aligned_numbers_to_the_right() -> None:
    it, out, _ = screen()
    it.table(["split", "loss", "rows"], [["test", 0.25, 1000], ["validation", 12.5, "–"]])
    assert out.getvalue().splitlines() == [
        "split          loss   rows",
        "test         0.2500  1,000",
        "validation  12.5000      –",
    ]


def test_a_table_on_a_terminal_holds_the_same_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    out = Terminal()
    Screen(Settings(), out=out).table(["name", "summary"], [["a[b]", "x " * 60]])
    shown = out.getvalue()
    assert "a[b]" in shown  # square brackets are text, not markup
    assert shown.count("x") == 60  # wrapped, nothing cut


def test_columns_that_fit_by_words_are_not_folded_inside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    out = Terminal()
    Screen(Settings(), out=out).table(["name", "summary"], [["image-classification", "Sort images into classes"]])
    assert "image-classification" in out.getvalue()


def test_a_window_too_narrow_for_columns_gets_one_row_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "44")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    path = "runs/a-folder-with-a-name-longer-than-the-window"
    Screen(Settings(), out=out).table(
        ["run", "task", "value"], [[path, "image-classification", 0.5], ["b", "chat", "–"]]
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    lines = [line.rstrip() for line in plain.splitlines()]
    assert lines == [path, "  task image-classification  value 0.5000", "b", "  task chat  value –"]


def test_fields_are_aligned_and_keep_further_lines_under_the_value() -> None:
    it, out, _ = screen()
    it.fields({"run": "r", "python": "3.11\n! old"})
    assert out.getvalue() == "run     r\npython  3.11\n        ! old\n"
