# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Every error a user can meet, in one tree.

::

    TunesmithError
    ├── RecipeError          the description of the job is wrong
    ├── SettingsError        settings of the machine, the person or the project are wrong
    ├── DataError            rows or files are wrong; holds every problem found
    ├── ModelError           a model folder or hub model cannot be used
    ├── OfflineError         something had to come over the network and could not
    ├── NotFoundError        no task, reader, model … of that name
    ├── PluginError          a plugin is broken, incompatible or missing
    ├── DeniedError          a plugin that was asked does not let it happen
    ├── SignedDocumentError  a license or another signed document is damaged, or not signed by whom it should be
    ├── OutputError          the output folder cannot be written
    ├── RunError             a run folder is locked, foreign, or cannot be resumed
    ├── TooLargeError        the job needs more memory than there is, and was not started
    ├── RequestError         a request to an engine asks for something that it cannot do
    ├── RefusedError         the engine takes no request now; the same request may be answered later
    │   ├── BusyError            its queue is full
    │   └── DrainingError        it is about to stop
    ├── ParityError          what was exported does not answer as the model it was made from
    ├── UnfinishedError      a request ended before its answer was whole
    │   ├── CancelledError       somebody cancelled it
    │   └── DeadlineError        its time was up
    └── TrainingError        the job started and could not go on
        ├── NonFiniteLossError   the loss became NaN or infinite
        ├── OutOfMemoryError     the memory was used up; the last checkpoint is whole
        └── StoppedError         somebody asked to stop; the work is saved

An error says what was given, what was expected and what to do. ``str(error)`` is the whole block,
ready for a terminal; the parts are attributes, ready for a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "BusyError",
    "CancelledError",
    "DataError",
    "DeadlineError",
    "DeniedError",
    "DrainingError",
    "ModelError",
    "NonFiniteLossError",
    "NotFoundError",
    "OfflineError",
    "Origin",
    "OutOfMemoryError",
    "OutputError",
    "ParityError",
    "PluginError",
    "Problem",
    "RecipeError",
    "RefusedError",
    "RequestError",
    "RunError",
    "SettingsError",
    "SignedDocumentError",
    "StoppedError",
    "TooLargeError",
    "TrainingError",
    "TunesmithError",
    "UnfinishedError",
]


class TunesmithError(Exception):
    """Base of all errors that name something the user can change.

    Args:
        what: one sentence, no full stop needed: what went wrong.
        given: what was found, as the user wrote it.
        expected: what would have been right.
        fix: what to do now; one or more lines.
    """

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        what: str,
        *,
        given: object = None,
        expected: object = None,
        fix: str | Sequence[str] | None = None,
    ) -> None:
        self.what = what
        self.given = None if given is None else str(given)
        self.expected = None if expected is None else str(expected)
        self.fix: tuple[str, ...] = () if fix is None else (fix,) if isinstance(fix, str) else tuple(fix)
        super().__init__(self._block())

    def _block(self) -> str:
        lines = [self.what]
        if self.given is not None:
            lines.append(f"  given:    {self.given}")
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        for label, line in zip(("  to do:    ", *("            " for _ in self.fix)), self.fix, strict=False):
            lines.append(label + line)
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Exception would rebuild from args alone and lose the keywords; workers send errors across processes.
        return (_rebuild, (type(self), self.__dict__.copy(), self.args))


def _rebuild(kind: type[TunesmithError], state: dict[str, object], args: tuple[object, ...]) -> TunesmithError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class RecipeError(TunesmithError):
    """The recipe cannot be read, has unknown keys, or asks for things that exclude each other."""


class SettingsError(TunesmithError):
    """A ``tunesmith.toml`` cannot be read, or says what nobody reads."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row came from.

    Attributes:
        file: the path as the user wrote it, or ``dataset:``/``hub:`` reference.
        line: 1-based line of the file on which the row starts; for formats without lines (Parquet,
            idx, a dataset) the 1-based row; ``None`` when the file is the row.
    """

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one row."""

    origin: Origin
    message: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.message}"


class DataError(TunesmithError):
    """Files or rows cannot be used. ``problems`` holds every one found; the text shows the first 20."""

    SHOWN: ClassVar[int] = 20

    def __init__(
        self,
        what: str,
        *,
        given: object = None,
        expected: object = None,
        fix: str | Sequence[str] | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        self.problems = tuple(problems)
        super().__init__(what, given=given, expected=expected, fix=fix)

    def _block(self) -> str:
        if not self.problems:
            return super()._block()
        head, *rest = super()._block().split("\n")
        shown = [f"    {problem}" for problem in self.problems[: self.SHOWN]]
        hidden = len(self.problems) - len(shown)
        if hidden:
            shown.append(f"    … and {hidden:,} more; {len(self.problems):,} in all")
        return "\n".join([head, *shown, *rest])


class ModelError(TunesmithError):
    """A model cannot be loaded: a file is missing, unsafe, truncated, or of the wrong kind."""


class OfflineError(TunesmithError):
    """The network was needed and not there (or was switched off)."""


class NotFoundError(TunesmithError):
    """Nothing of that name is registered."""


class PluginError(TunesmithError):
    """A plugin is broken, incompatible, or required and missing."""


class DeniedError(TunesmithError):
    """A gate said no, or could not be asked, or a plugin that has to be there is not. Nothing was begun."""


class SignedDocumentError(TunesmithError):
    """A signed document is damaged, of another kind, or not signed by whom it should be. Nothing of it was used.

    ``reason`` is its name for programs, one of ``tunesmith.licensing.REASONS``.
    """

    def __init__(
        self,
        what: str,
        *,
        reason: str,
        given: object = None,
        expected: object = None,
        fix: str | Sequence[str] | None = None,
    ) -> None:
        self.reason = reason
        super().__init__(what, given=given, expected=expected, fix=fix)


class OutputError(TunesmithError):
    """The output folder is read-only, full, or holds something that would be overwritten."""


class RunError(TunesmithError):
    """A run folder is in use, is not a run, or does not fit what is asked of it."""


class TooLargeError(TunesmithError):
    """The job needs clearly more memory than there is. It was not started."""

    exit_code: ClassVar[int] = 4


class RequestError(TunesmithError, ValueError):
    """A request asks for something that the engine or its model cannot do. ``parameter`` names which part of it."""

    def __init__(
        self,
        what: str,
        *,
        parameter: str | None = None,
        given: object = None,
        expected: object = None,
        fix: str | Sequence[str] | None = None,
    ) -> None:
        self.parameter = parameter
        super().__init__(what, given=given, expected=expected, fix=fix)


class RefusedError(TunesmithError):
    """An engine takes no request now. Nothing was computed; the same request may be answered later."""


class BusyError(RefusedError):
    """The queue is full. ``retry_after`` is a guess, in seconds, of when there will be room."""

    def __init__(
        self,
        what: str,
        *,
        retry_after: float,
        given: object = None,
        expected: object = None,
        fix: str | Sequence[str] | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(what, given=given, expected=expected, fix=fix)


class DrainingError(RefusedError):
    """The engine finishes what it has begun and takes nothing new."""


class ParityError(TunesmithError):
    """What was exported does not answer as the model it was made from. It was not kept."""

    exit_code: ClassVar[int] = 3


class UnfinishedError(TunesmithError):
    """A request ended before its answer was whole."""


class CancelledError(UnfinishedError):
    """Somebody cancelled the request: its caller, or the engine being closed."""


class DeadlineError(UnfinishedError):
    """The request was given a time, and the time was up."""


class TrainingError(TunesmithError):
    """The job started and could not go on. What was saved stays usable."""

    exit_code: ClassVar[int] = 3


class NonFiniteLossError(TrainingError):
    """The loss became NaN or infinite."""


class OutOfMemoryError(TrainingError):
    """The memory was used up. What was saved stays usable."""


class StoppedError(TrainingError):
    """Somebody asked to stop; a checkpoint was written first."""

    exit_code: ClassVar[int] = 130
