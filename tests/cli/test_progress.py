# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import io
import re
from collections.abc import Iterator

import pytest

from tunesmith.plugin import CheckpointSaved, Evaluated, Event, RunFinished, RunNote, RunStarted, StepDone
from tunesmith_cli.progress import LiveProgress, PlainProgress, Progress, progress_for

RUN = "runs/a"


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def step(number: int, total: int = 10, loss: float = 2.0) -> StepDone:
    return StepDone(
        run=RUN,
        step=number,
        total_steps=total,
        epoch=number / total,
        loss=loss,
        learning_rate=2e-4,
        grad_norm=1.0,
        tokens=500,
        seconds=0.5,
    )


def started(**values: object) -> RunStarted:
    return RunStarted(**{"run": RUN, "recipe": {}, "total_steps": 10, **values})  # type: ignore[arg-type]


def job(clock: Clock, seconds_a_step: float = 2.0) -> Iterator[Event]:
    yield started(facts={"rows": "900 train, 100 test", "precision": "fp32: as asked"})
    yield RunNote(run=RUN, message="3 rows truncated to 512 tokens")
    yield Evaluated(run=RUN, step=0, split="test", metrics={"accuracy": 0.16}, best=False)
    for number in range(1, 11):
        clock.now += seconds_a_step
        yield step(number)
    yield Evaluated(run=RUN, step=10, split="validation", metrics={"accuracy": 0.9}, best=True)
    yield CheckpointSaved(run=RUN, step=10, path="runs/a/checkpoints/step-00000010")
    metrics = {"test": {"accuracy": 0.88}}
    yield RunFinished(run=RUN, status="finished", steps=10, metrics=metrics, seconds=20.0)


def plain(seconds_a_step: float = 2.0) -> list[str]:
    clock, out = Clock(), io.StringIO()
    progress = PlainProgress(out, clock=clock)
    for event in job(clock, seconds_a_step):
        progress(event)
    return out.getvalue().splitlines()


def test_plain_lines_say_everything_once_and_hold_no_escapes() -> None:
    lines = plain()
    assert lines[:4] == [
        "rows       900 train, 100 test",
        "precision  fp32: as asked",
        "note: 3 rows truncated to 512 tokens",
        "test, before training:  accuracy 0.1600",
    ]
    assert lines[-2:] == ["validation, step 10:  accuracy 0.9000  (best so far)", "saved step 10"]
    assert "\x1b" not in "".join(lines)


def test_plain_step_lines_come_at_most_every_five_seconds_and_at_the_end() -> None:
    steps = [line for line in plain(seconds_a_step=2.0) if line.startswith("step")]
    assert [line.split()[1] for line in steps] == ["1/10", "4/10", "7/10", "10/10"]
    assert [line.split()[1] for line in plain(seconds_a_step=0.1) if line.startswith("step")] == ["1/10", "10/10"]


def test_a_step_line_has_epoch_loss_rate_and_the_time_that_is_left() -> None:
    line = next(line for line in plain() if line.startswith("step 4/10"))
    assert line == "step 4/10  epoch 0.40  loss 2.0000  lr 2.0e-04  1,000 tokens/s  12 s left"


def test_images_are_counted_in_rows() -> None:
    out = io.StringIO()
    progress = PlainProgress(out)
    progress(started(unit="rows"))
    progress(step(10))
    assert "1,000 rows/s" in out.getvalue()


def test_a_resumed_job_measures_its_pace_from_where_it_went_on() -> None:
    clock, out = Clock(), io.StringIO()
    progress = PlainProgress(out, clock=clock)
    progress(started(first_step=8))
    clock.now += 30
    progress(step(9))
    assert "going on from step 8 of 10" in out.getvalue()
    assert "30 s left" in out.getvalue()


def test_the_printed_loss_is_the_mean_of_the_last_steps() -> None:
    clock, out = Clock(), io.StringIO()
    progress = PlainProgress(out, clock=clock)
    progress(started())
    for number, loss in ((1, 4.0), (2, 2.0)):
        clock.now += 10
        progress(step(number, loss=loss))
    assert [float(found) for found in re.findall(r"loss ([\d.]+)", out.getvalue())] == [4.0, 3.0]


def test_progress_remembers_what_the_summary_needs() -> None:
    clock = Clock()
    progress = Progress(clock=clock)
    assert progress.status == "failed"
    for event in job(clock):
        progress(event)
    assert (progress.run, progress.status, progress.steps, progress.seconds) == (RUN, "finished", 10, 20.0)
    assert progress.before == {"test": {"accuracy": 0.16}}
    assert progress.metrics == {"test": {"accuracy": 0.88}}


def test_the_live_line_shows_the_step_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    clock, out = Clock(), Terminal()
    progress = LiveProgress(out, clock=clock)
    for event in job(clock):
        if isinstance(event, RunFinished):
            progress.refresh()
        progress(event)
    shown = out.getvalue()
    assert "10/10" in shown
    assert "1,000 tokens/s" in shown
    assert "note: 3 rows truncated" in shown
    assert shown.rstrip("\n").endswith(("\x1b[2K", "\x1b[?25h"))  # the line is wiped and the cursor is back


def test_the_live_line_survives_an_early_close_and_square_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    with LiveProgress(out) as progress:
        progress(RunNote(run=RUN, message="column [label] is empty"))
        progress(started())
    progress.close()
    assert "column [label] is empty" in out.getvalue()


def test_the_stream_decides_how_progress_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert type(progress_for(quiet=True, stream=Terminal())) is Progress
    assert type(progress_for(quiet=False, stream=io.StringIO())) is PlainProgress
    assert type(progress_for(quiet=False, stream=Terminal())) is LiveProgress
    monkeypatch.setenv("TERM", "dumb")
    assert type(progress_for(quiet=False, stream=Terminal())) is PlainProgress


@pytest.mark.parametrize("kind", [PlainProgress, LiveProgress])
def test_a_job_goes_on_when_nobody_watches_it_any_more(kind: type[PlainProgress] | type[LiveProgress]) -> None:
    class Closed(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    clock = Clock()
    with kind(Closed(), clock=clock) as progress:
        for event in job(clock):
            progress(event)
    assert (progress.status, progress.steps) == ("finished", 10)
    assert progress.metrics == {"test": {"accuracy": 0.88}}
