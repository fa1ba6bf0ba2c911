# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A plan as people read it, line by line."""

import dataclasses
import io

import pytest

from tunesmith.machine.memory import Room
from tunesmith.planning.facts import (
    Disk,
    Finding,
    LengthBar,
    MeasuredStep,
    Measurement,
    Piece,
    Plan,
    Repeats,
    Sample,
    Steps,
    StopToken,
    Time,
)
from tunesmith.planning.projection import Projection, Table
from tunesmith.training.memory import Memory
from tunesmith.training.outlook import Outlook, Remedy
from tunesmith_cli.main import main
from tunesmith_cli.plan_view import plan_lines, show_plan
from tunesmith_cli.screen import Screen
from tunesmith_cli.settings import Settings

MB = 10**6


def plan(*, free=76_000 * MB, room=24_000 * MB, remedies=()):
    memory = Memory(600 * MB, 90 * MB, 90 * MB, 180 * MB, 700 * MB, 45 * MB, 90 * MB)
    return Plan(
        facts={"rows": "9,003 train", "precision": "fp32: as asked", "memory": "about"},
        rows={"train": 9003, "validation": 0, "test": 12},
        notes=("3 of 9,003 rows truncated to 512 tokens (longest had 900)", "a note"),
        warnings=("look here",),
        findings=(Finding("3 of 9,003 rows truncated to 512 tokens (longest had 900)", 3, ("a.csv:5", "a.csv:9")),),
        unusable={"train": 2},
        repeats=Repeats({"train": 1}, {"test": 2}, (("a.csv:7", "a.csv:1"),)),
        lengths=(LengthBar(1, 4, 90), LengthBar(5, 8, 1), LengthBar(9, 12, 0)),
        samples=(Sample("a.csv:2", (Piece("Hi\n", 2, False), Piece("there<|end|>", 3, True))),),
        stop=StopToken(9001, 4500, ("<|end|>",)),
        steps=Steps(120, 3.0, 40, 27_000, 0.05, (12, 40), 2, 0),
        outlook=Outlook(memory, Room(500 * MB, room - 500 * MB, "the memory that is free on this machine"), remedies),
        disk=Disk(270 * MB, 3, 90 * MB, 990 * MB, free),
        measurement=Measurement((MeasuredStep(32, 16, 0.25),), 0.1, 1_700 * MB),
        time=Time(30.0, 4.0),
        recipe={},
    )


def text(made):
    out = io.StringIO()
    show_plan(Screen(Settings(), out=out, err=io.StringIO()), made)
    return out.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        "  train  9,003, of which 2 come to nothing",
        "  a note",
        "  3 of 9,003 rows truncated to 512 tokens (longest had 900)",
        "      a.csv:5, a.csv:9 … and 1 more",
        "  1 train row repeats another, answer included",
        "  2 test rows are also in the training rows, answer included",
        "      a.csv:7 = a.csv:1 … and 2 more",
        "   1–4  90 ████████████████████████████████████████",
        "   5–8   1 ▏",
        "  9–12   0",
        "what the model sees  (marked tokens carry a loss)",
        "    Hi",
        "    ⟦there<|end|>⟧",
        "  steps       120 in 3 epochs, 12 to 40 rows a step, computed in 2 parts",
        "  in all      27,000 tokens; 5.0% of what is computed is padding",
        "  stop token  <|end|>: learned at the end of 50% of 9,001 rows",
        "  estimated peak   1.8 GB",
        "  measured peak    1.7 GB, while taking real steps",
        "  room             24 GB: the memory that is free on this machine",
        "  disk      990 MB at most: 3 checkpoints of 270 MB, a model of 90 MB; 76 GB free",
        "  time      about 34 s: training 30 s, evaluation 4.0 s",
        "  measured  32 × 16 in 0.25 s",
        "warning: look here",
    ],
)
def test_a_line(line):
    assert line in text(plan()).splitlines()


def test_a_note_with_places_is_said_once():
    assert text(plan()).count("rows truncated") == 1


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({}, "it fits"),
        ({"room": 1_000 * MB}, "it does not fit: memory"),
        ({"free": 10}, "it does not fit: disk"),
        ({"room": 1_000 * MB, "free": 10}, "it does not fit: memory and disk"),
    ],
)
def test_the_last_line_is_the_verdict(options, verdict):
    assert text(plan(**options)).splitlines()[-1] == verdict


def test_what_would_need_less_is_said():
    remedy = Remedy("--set train.accumulate=4", 900 * MB, "the result is the same")
    words = text(plan(room=1_000 * MB, remedies=(remedy,)))
    assert "  needs less: --set train.accumulate=4  (about 900 MB; the result is the same)" in words.splitlines()


def test_on_a_terminal_learned_tokens_have_a_style_and_no_marks():
    styled = [piece for line in plan_lines(plan()) for piece in line if piece[1] == "trained"]
    assert styled == [("there<|end|>", "trained")]


def elsewhere(fits):
    table = Table("more of them", ("processes", "step"), (("1", "12.5 s"), ("1,024", "2 s")))
    return Projection("demo/abroad", fits, {"on": "islands", "memory": "3 GB"}, (table,), {}, ("far away",))


def test_what_a_strategy_says_takes_the_place_of_this_machine():
    shown = text(dataclasses.replace(plan(), projection=elsewhere(True)))
    for line in (
        "with the strategy demo/abroad",
        "  on      islands",
        "more of them",
        "  processes    step",
        "  1          12.5 s",
        "  1,024         2 s",
        "warning: look here",
        "warning: far away",
        "it fits",
    ):
        assert line in shown.splitlines(), line
    assert "estimated peak" not in shown
    assert "measured peak" not in shown


@pytest.mark.parametrize(("fits", "last"), [(False, "it does not fit: memory"), (None, "whether it fits is not known")])
def test_whether_it_fits_is_said_as_the_strategy_says_it(fits, last):
    assert text(dataclasses.replace(plan(), projection=elsewhere(fits))).splitlines()[-1] == last


def test_where_a_job_is_to_run_is_said_of_a_strategy_only(tmp_path, capsys):
    assert main(["plan", str(tmp_path / "recipe.yaml"), "--nproc", "8"]) == 2
    assert "--nproc, --nodes and --gpu say where a --strategy is to run: name one" in " ".join(
        capsys.readouterr().err.split()
    )
