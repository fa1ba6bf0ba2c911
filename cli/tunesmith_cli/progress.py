# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a job says while it runs: a live line on a terminal, a plain line now and then elsewhere.

A ``Progress`` is an observer for ``tunesmith.train(observers=[…])`` and remembers what the summary needs.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from tunesmith.plugin import CheckpointSaved, Evaluated, RunEvent, RunFinished, RunNote, RunStarted, StepDone
from tunesmith_cli.screen import is_terminal
from tunesmith_cli.words import count, duration, figure, figures

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

__all__ = ["LiveProgress", "PlainProgress", "Progress", "progress_for"]

WINDOW = 20  # steps that the printed loss and rate are taken over
EVERY = 5.0  # seconds between plain lines


def progress_for(*, quiet: bool, stream: TextIO | None = None) -> Progress:
    """The progress that fits: none under ``--quiet``, live on a terminal, plain lines otherwise."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        return Progress()
    return LiveProgress(stream) if is_terminal(stream) else PlainProgress(stream)


class Progress:
    """Keeps what happened; draws nothing.

    Attributes:
        run: the run folder, once it is known.
        status: ``failed`` until the job says otherwise: ``finished`` or ``interrupted``.
        metrics: final figures by split.
        before: figures by split of evaluations made before the first step.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = ""
        self.status = "failed"
        self.steps = 0
        self.seconds = 0.0
        self.metrics: Mapping[str, Mapping[str, float]] = {}
        self.before: dict[str, Mapping[str, float]] = {}
        self._clock = clock
        self._window: deque[StepDone] = deque(maxlen=WINDOW)
        self._started = clock()
        self._first_step = self._total_steps = 0
        self._unit = "tokens"
        self._nobody_there = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, event: RunEvent) -> None:
        self.run = event.run
        match event:
            case RunStarted():
                self._started, self._unit = self._clock(), event.unit
                self._first_step, self._total_steps = event.first_step, event.total_steps
                self._draw(self.on_started, event)
            case RunNote():
                self._draw(self.on_note, event)
            case StepDone():
                self.steps = event.step
                self._window.append(event)
                self._draw(self.on_step, event)
            case Evaluated():
                if event.step == 0:
                    self.before[event.split] = event.metrics
                self._draw(self.on_evaluated, event)
            case CheckpointSaved():
                self._draw(self.on_checkpoint, event)
            case RunFinished():
                self.status, self.metrics, self.seconds = event.status, event.metrics, event.seconds
                self.steps = event.steps
                self.close()

    def _draw(self, say: Callable[[Any], None], event: RunEvent) -> None:
        """Whoever watches may go away (`| head`, a closed terminal); hours of work must not go with them."""
        if not self._nobody_there:
            try:
                say(event)
            except OSError:
                self._nobody_there = True

    def close(self) -> None:
        """Stop drawing; may be called again."""

    def on_started(self, event: RunStarted) -> None: ...
    def on_note(self, event: RunNote) -> None: ...
    def on_step(self, event: StepDone) -> None: ...
    def on_evaluated(self, event: Evaluated) -> None: ...
    def on_checkpoint(self, event: CheckpointSaved) -> None: ...

    # ---- figures -------------------------------------------------------------------------------

    def _rate(self) -> str:
        """Tokens (rows) a second over the last steps."""
        seconds = sum(step.seconds for step in self._window)
        tokens = sum(step.tokens for step in self._window)
        return f"{count(tokens / seconds)} {self._unit}/s" if seconds > 0 else f"? {self._unit}/s"

    def _loss(self) -> float:
        return sum(step.loss for step in self._window) / len(self._window)

    def _left(self, event: StepDone) -> str:
        """Wall time to go at the pace since the start, evaluations included."""
        done = event.step - self._first_step
        elapsed = self._clock() - self._started
        return duration(elapsed / done * (event.total_steps - event.step)) if done > 0 else "?"

    def _evaluation(self, event: Evaluated) -> str:
        step = count(event.step).rjust(len(count(self._total_steps)))
        when = "before training" if event.step == 0 else f"step {step}"
        return f"{event.split}, {when}:  {figures(event.metrics)}{'  (best so far)' if event.best else ''}"

    def _step_fields(self, event: StepDone) -> list[str]:
        return [
            f"epoch {event.epoch:.2f}",
            f"loss {figure(self._loss())}",
            f"lr {event.learning_rate:.1e}",
            self._rate(),
            f"{self._left(event)} left",
        ]


def _facts(facts: Mapping[str, str]) -> list[str]:
    width = max((len(name) for name in facts), default=0)
    return [f"{name:<{width}}  {value}" for name, value in facts.items()]


class PlainProgress(Progress):
    """Lines for a log file: facts, notes and evaluations as they come, steps at most every five seconds."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._stream = stream
        self._last_line = float("-inf")

    def _print(self, text: str = "") -> None:
        print(text, file=self._stream, flush=True)

    def on_started(self, event: RunStarted) -> None:
        for line in _facts(event.facts):
            self._print(line)
        if event.first_step:
            self._print(f"going on from step {count(event.first_step)} of {count(event.total_steps)}")

    def on_note(self, event: RunNote) -> None:
        self._print(f"note: {event.message}")

    def on_step(self, event: StepDone) -> None:
        now = self._clock()
        if now - self._last_line >= EVERY or event.step == event.total_steps:
            self._last_line = now
            place = f"step {count(event.step)}/{count(event.total_steps)}"
            self._print("  ".join([place, *self._step_fields(event)]))

    def on_evaluated(self, event: Evaluated) -> None:
        self._print(self._evaluation(event))

    def on_checkpoint(self, event: CheckpointSaved) -> None:
        self._print(f"saved step {count(event.step)}")


class LiveProgress(Progress):
    """One line that stays, under everything that is said once. Leaves nothing behind but what was said."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._console = _console(stream)
        self._bar: RichProgress | None = None

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False)

    def on_started(self, event: RunStarted) -> None:
        width = max((len(name) for name in event.facts), default=0)
        from rich.text import Text

        for name, value in event.facts.items():
            self._console.print(Text.assemble((f"{name:<{width}}  ", "dim"), value))
        if event.first_step:
            self._print(f"going on from step {count(event.first_step)} of {count(event.total_steps)}")
        self._console.print()
        self._bar = _bar(self._console)
        self._bar.add_task("train", total=event.total_steps, completed=event.first_step, line="starting")
        self._bar.start()

    def on_note(self, event: RunNote) -> None:
        self._print(f"note: {event.message}", style="yellow")

    def on_step(self, event: StepDone) -> None:
        if self._bar is not None:
            line = "  ".join([f"{count(event.step)}/{count(event.total_steps)}", *self._step_fields(event)])
            self._bar.update(self._bar.task_ids[0], completed=event.step, line=line)

    def on_evaluated(self, event: Evaluated) -> None:
        self._print(self._evaluation(event), style="green" if event.best else "")

    def refresh(self) -> None:
        """Draw now; it is drawn four times a second anyway."""
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.stop()
            self._bar = None


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich's own would end the program

    return Patient(file=stream, highlight=False, soft_wrap=True)


def _bar(console: object) -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    assert isinstance(console, Console)
    return RichProgress(
        BarColumn(bar_width=16, complete_style="cyan", finished_style="cyan"),
        # The rest of the line is cut, not wrapped, when the window is narrow: a second line would never be wiped.
        TextColumn("{task.fields[line]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        transient=True,
        refresh_per_second=4,
    )
