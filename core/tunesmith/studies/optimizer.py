# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Optuna behind a few calls: what to try next, what came out, which trial is hopeless.

The study is a SQLite file: what was told survives ``kill -9``. A sampler is made anew for each trial from the seed and
the trial's number, so what is tried next depends on the seed and the figures so far and not on how often the search
was stopped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.errors import OutputError, PluginError, RecipeError, RunError
from tunesmith.studies.space import Dimension
from tunesmith.studies.trials import Outcome

if TYPE_CHECKING:
    import optuna

__all__ = ["PRUNERS", "SAMPLERS", "Optimizer", "Proposal", "Told", "check_grid", "opened", "require_optuna"]

SAMPLERS = ("tpe", "random", "grid")
PRUNERS = ("median", "hyperband", "none")
FILE = "study.db"
_STUDY = "search"


@dataclass(frozen=True, slots=True)
class Told:
    """A trial that has ended.

    Attributes:
        number: 1-based.
        values: by key of the recipe.
        outcome: how it ended.
    """

    number: int
    values: Mapping[str, Any]
    outcome: Outcome


class Proposal:
    """A trial to make, and the judge of its evaluations (:class:`tunesmith.studies.trials.Judge`)."""

    def __init__(self, trial: optuna.Trial, space: Sequence[Dimension]) -> None:
        self._trial = trial
        self.number = trial.number + 1
        self.values = {dimension.key: dimension.value(_suggest(trial, dimension)) for dimension in space}
        self._known = set(
            trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        )  # of sessions that were killed

    def hopeless(self, evaluation: int, value: float) -> bool:
        """True when the pruner would stop the trial at this figure."""
        if evaluation not in self._known:
            self._trial.report(value, evaluation)
        return bool(self._trial.should_prune())


class Optimizer:
    """A study of Optuna's, open. Get one from :func:`opened`."""

    def __init__(self, study: optuna.Study, space: Sequence[Dimension], *, seed: int, sampler: str) -> None:
        self._study, self._space, self._seed, self._sampler = study, tuple(space), seed, sampler

    def propose(self) -> Proposal | None:
        """The trial that a killed process was at, else a new one; None where a grid is used up."""
        import optuna

        states = optuna.trial.TrialState
        trials = self._study.get_trials(deepcopy=False)
        left = [trial for trial in trials if trial.state == states.RUNNING]
        waiting = [trial for trial in trials if trial.state == states.WAITING]
        number = left[0].number if left else len(trials) - len(waiting)
        self._study.sampler = self._made(number)
        if left:
            # `ask` only makes new trials; a trial is taken up by its id, which has no public name.
            return Proposal(optuna.Trial(self._study, left[0]._trial_id), self._space)
        if self._sampler == "grid" and not waiting:
            # Not Optuna's own sampler of grids: it ends a study in a way that only its own loop allows.
            point = next(islice(product(*map(_grid, self._space)), number, None), None)
            if point is None:
                return None
            self._study.enqueue_trial({one.key: value for one, value in zip(self._space, point, strict=True)})
        return Proposal(self._study.ask(), self._space)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        """Write down how a trial ended; from now on it is never made again."""
        import optuna

        trial = proposal._trial
        trial.set_user_attr("outcome", {"state": outcome.state, "value": outcome.value, "seconds": outcome.seconds})
        if outcome.state == "complete":
            self._study.tell(trial, outcome.value)
        else:
            # Also where the loss was not finite: a failed trial is forgotten, and the sampler would go there again.
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def told(self) -> list[Told]:
        """Every trial that has ended, in order."""
        return [
            Told(trial.number + 1, self._values(trial.params), Outcome(**trial.user_attrs["outcome"]))
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.is_finished()
        ]

    def _values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {dimension.key: dimension.value(params[dimension.key]) for dimension in self._space}

    def _made(self, number: int) -> optuna.samplers.BaseSampler:
        from optuna import samplers

        # Spread out: the generators of neighboring seeds need not be independent, those of a seed sequence are.
        seed = _spread(self._seed, number)
        return samplers.TPESampler(seed=seed) if self._sampler == "tpe" else samplers.RandomSampler(seed=seed)


@contextmanager
def opened(
    folder: Path, space: Sequence[Dimension], *, seed: int, sampler: str, pruner: str, greater_is_better: bool
) -> Iterator[Optimizer]:
    """The study in a folder, made on first use.

    Raises:
        RunError: the study cannot be read.
        OutputError: it cannot be written.
    """
    import optuna
    from sqlalchemy import exc

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it reports each trial; so does the search
    storage = None
    try:
        storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": partial(_connected, folder / FILE)})
        study = optuna.create_study(
            storage=storage,
            study_name=_STUDY,
            load_if_exists=True,
            direction="maximize" if greater_is_better else "minimize",
            pruner=_pruner(pruner),
        )
        yield Optimizer(study, space, seed=seed, sampler=sampler)
    except exc.DatabaseError as error:
        if storage is None:
            raise _damaged(folder / FILE, error) from error
        raise OutputError(f"cannot write {folder / FILE}: {error.orig}", fix="see whether the disk is full") from error
    except optuna.exceptions.StorageInternalError as error:
        raise OutputError(f"cannot write {folder / FILE}: {error}", fix="see whether the disk is full") from error
    finally:
        optuna.logging.set_verbosity(before)
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def require_optuna() -> None:
    """See that Optuna is installed, before any work is done.

    Raises:
        PluginError: it is not; says what to install.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise PluginError(
            "tunesmith search needs Optuna, which is not installed",
            given=f"{type(error).__name__}: {error}",
            expected="the extra `search` of tunesmith",
            fix="pip install 'tunesmith[search]'",
        ) from error


def check_grid(space: Sequence[Dimension]) -> int:
    """How many trials a grid has.

    Raises:
        RecipeError: a dimension has no end of values.
    """
    size = 1
    for one in space:
        if one.choices is None and not one.whole:
            raise RecipeError(
                f"--over {one.key}={one.text}: a grid cannot hold every number of a range",
                given=one.text,
                expected="values with commas, or a range of whole numbers",
                fix=f"--over {one.key}={one.low:g},{one.high:g}, or --sampler tpe",
            )
        size *= len(_grid(one))
    return size


def _connected(file: Path) -> sqlite3.Connection:
    """With a log that is written ahead: a commit survives ``kill -9`` without waiting for the disk.

    A trial makes a dozen commits. One that a power cut takes back is told again: its run is found finished.
    """
    connection = sqlite3.connect(file, check_same_thread=False)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
    return connection


def _grid(dimension: Dimension) -> list[Any]:
    if dimension.choices is not None:
        return list(dimension.labels)
    return list(range(int(dimension.low), int(dimension.high) + 1))


def _suggest(trial: optuna.Trial, one: Dimension) -> Any:
    if one.choices is not None:
        return trial.suggest_categorical(one.key, one.labels)
    if one.whole:
        return trial.suggest_int(one.key, int(one.low), int(one.high), log=one.log)
    return trial.suggest_float(one.key, one.low, one.high, log=one.log)


def _pruner(name: str) -> optuna.pruners.BasePruner:
    from optuna import pruners

    if name == "median":
        return pruners.MedianPruner()
    return pruners.HyperbandPruner() if name == "hyperband" else pruners.NopPruner()


def _spread(seed: int, number: int) -> int:
    import numpy as np

    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _damaged(file: Path, error: Exception) -> RunError:
    return RunError(
        f"{file} cannot be read",
        given=getattr(error, "orig", None) or error,
        expected="the study that Tunesmith wrote",
        fix="bring the file back from a copy; the runs in the folder can be used without it",
    )
