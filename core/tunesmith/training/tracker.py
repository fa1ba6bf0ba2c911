# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Where the figures of a run go beside its folder (``trackers``): TensorBoard, a service, a file of one's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tunesmith.plugin import CheckpointSaved, Evaluated, RunEvent, RunFinished, RunNote, RunStarted, StepDone
from tunesmith.recipe import TrackerSection
from tunesmith.recipe.chosen import make_chosen
from tunesmith.recipe.section import Section
from tunesmith.registry import Registry

__all__ = ["Tracker", "Trackers"]

_log = logging.getLogger(__name__)


class Tracker(Section):
    """Follows one job. A subclass for each; its fields are its keys in a recipe, each with a default.

    An object is made for each job, so it may hold a file or a connection in private attributes. Every method does
    nothing unless it is written. They are called between steps, in the thread of the job: keep them short. What a
    tracker raises is told once, as a note of the run; it is then called no more, and the job goes on.
    """

    def started(self, event: RunStarted) -> None:
        """The first step comes next; ``event.first_step`` is more than 0 for a resumed job."""

    def note(self, event: RunNote) -> None:
        """Something was counted that people must know."""

    def step_done(self, event: StepDone) -> None:
        """A step is done; ``train.log_every`` counts for the run's own log only."""

    def evaluated(self, event: Evaluated) -> None:
        """A split was evaluated; step 0 is the untrained model."""

    def checkpoint_saved(self, event: CheckpointSaved) -> None:
        """A checkpoint is complete on disk."""

    def finished(self, event: RunFinished) -> None:
        """The job ended: finished, interrupted or failed. The last call."""


_METHODS = {
    RunStarted: "started",
    RunNote: "note",
    StepDone: "step_done",
    Evaluated: "evaluated",
    CheckpointSaved: "checkpoint_saved",
    RunFinished: "finished",
}


class Trackers:
    """The trackers of a job: called with every event, gives what went wrong, one sentence each."""

    def __init__(self, asked: Sequence[TrackerSection], registry: Registry) -> None:
        self._trackers = {
            registry.find("tracker", one.name).full_name: make_chosen(one, "tracker", Tracker, registry)
            for one in asked
        }

    def __call__(self, event: RunEvent) -> list[str]:
        failed = []
        for name, tracker in tuple(self._trackers.items()):
            try:
                getattr(tracker, _METHODS[type(event)])(event)
            except (Exception, SystemExit) as error:
                _log.exception("the tracker %s failed and is not called again", name)
                del self._trackers[name]
                failed.append(f"the tracker {name} failed and gets nothing from here on: {_told(error)}")
        return failed


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
