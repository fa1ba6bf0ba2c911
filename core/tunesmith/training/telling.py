# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""One place through which a job says what happens: its log, the caller's observers, its trackers, the plugins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from tunesmith._plugins import Host
from tunesmith.plugin import CheckpointSaved, Evaluated, RunEvent, RunNote, StepDone
from tunesmith.runs import Run
from tunesmith.training.tracker import Trackers

__all__ = ["Observer", "Teller"]

logger = logging.getLogger(__name__)

Observer = Callable[[RunEvent], None]
"""Called with every event, between steps, in the thread of the job."""


class Teller:
    """Tells every event once to each listener. An observer that raises is logged once and not called again."""

    def __init__(
        self, run: Run, observers: Sequence[Observer], trackers: Trackers, host: Host, *, log_every: int
    ) -> None:
        self._run, self._observers, self._host, self._log_every = run, list(observers), host, log_every
        self._trackers = trackers

    def __call__(self, event: RunEvent) -> None:
        record = self._record(event)
        if record is not None:
            self._run.log(record)
        for observer in tuple(self._observers):
            try:
                observer(event)
            except Exception:
                logger.exception("an observer failed on %s and is not called again", type(event).__name__)
                self._observers.remove(observer)
        self._host.notify(event)
        for failure in self._trackers(event):
            self(RunNote(run=event.run, message=failure))

    def _record(self, event: RunEvent) -> dict[str, object] | None:
        if isinstance(event, StepDone):
            if event.step % self._log_every and event.step != event.total_steps:
                return None
            return {
                "kind": "step",
                "step": event.step,
                "epoch": round(event.epoch, 6),
                "loss": event.loss,
                "learning_rate": event.learning_rate,
                "grad_norm": event.grad_norm,
                "tokens": event.tokens,
                "seconds": round(event.seconds, 6),
            }
        if isinstance(event, Evaluated):
            return {
                "kind": "evaluation",
                "step": event.step,
                "split": event.split,
                "metrics": dict(event.metrics),
                "best": event.best,
            }
        if isinstance(event, RunNote):
            return {"kind": "note", "message": event.message}
        if isinstance(event, CheckpointSaved):
            return {"kind": "checkpoint", "step": event.step, "path": event.path}
        return None
