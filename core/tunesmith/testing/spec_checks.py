# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is asked of each thing a plugin provides, by its kind. Data sets and tasks have rooms of their own."""

from __future__ import annotations

import importlib
import inspect
import pickle
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunesmith._plugins import Provided
from tunesmith.data.rows import Problem, ReadOptions, Row, RowError
from tunesmith.errors import DataError, TunesmithError
from tunesmith.models import ScratchOptions
from tunesmith.plugin import (
    AugmentationSpec,
    ModelSpec,
    ObjectiveSpec,
    ReportSectionSpec,
    Spec,
)
from tunesmith.testing.findings import Check, Finding, SkipCheck, one_line
from tunesmith.testing.metric_checks import metric_checks
from tunesmith.testing.package_checks import events, no_spdx
from tunesmith.testing.same import same
from tunesmith.testing.subject import Subject, load_target
from tunesmith.testing.used_in_jobs import job_with

__all__ = ["spec_checks"]

_Run = Callable[[Any, Any], Iterator[Finding]]
_PROTOCOLS = {
    "exporter": ("write", "check"),
    "access": ("identify",),
    "engine": ("submit", "tokenize", "detokenize", "stats", "load_adapter", "unload_adapter", "drain", "close"),
    "strategy": ("prepare", "share", "total", "feed", "backward", "notes"),
}
_GARBAGE = {"empty": b"", "no text": bytes(range(256)), "a text": b"half a line\n\x00\xff", "JSON": b'{"a": [1, {}]}\n'}


def spec_checks(provided: Provided, subject: Subject, *, train: bool) -> Iterator[Check]:
    """The checks of one thing, by its kind."""
    spec = provided.spec

    def check(name: str, run: _Run) -> Check:
        def usable() -> Iterator[Finding]:
            if subject.wrong(provided):
                raise SkipCheck("its target cannot be used, see `targets`")
            return run(spec, load_target(spec.target))

        return Check(name, usable)

    if spec.kind in _BY_KIND:
        yield from (check(name, run) for name, run in _BY_KIND[spec.kind].items())
    if spec.kind == "metric":
        yield from metric_checks(check)
    if train and isinstance(spec, (ObjectiveSpec, ReportSectionSpec)):
        yield check("in-a-job", lambda spec, found: job_with(provided))


# ---- sections of a recipe: whatever has keys of its own ------------------------------------------------


def _defaults(spec: Spec, kind: Any) -> Iterator[Finding]:
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    if needed:
        yield Finding(
            problem=f"the {spec.kind.replace('_', ' ')} {spec.name} needs keys",
            given=f"no default for {', '.join(needed)}",
            expected="a default for every field, so that the name alone is enough",
            fix=f"give {needed[0]} a default",
        )
        return
    made = kind()  # what it raises is a finding
    again = pickle.loads(pickle.dumps(made))
    if not same(made.model_dump(), again.model_dump()):
        yield Finding(
            problem=f"the {spec.kind.replace('_', ' ')} {spec.name} does not come out of a pickle as it went in",
            given=str(again)[:200],
            expected=str(made)[:200],
            fix="keep its values in its fields",
        )


def _made(kind: Any) -> Any:
    try:
        return kind()
    except Exception as error:
        raise SkipCheck(f"it cannot be made with its defaults, see `defaults`: {one_line(error)}") from error


def _augments(spec: AugmentationSpec, kind: Any) -> Iterator[Finding]:
    import numpy as np

    values: dict[str, Any] = {
        "text": "A kettle boils, and nobody is near.",
        "image": np.arange(192, dtype=np.uint8).reshape(8, 8, 3),
    }
    if spec.changes not in values:
        raise SkipCheck(f"what it changes ({spec.changes}) is a word of its own task, which nobody here can make up")
    value, made = values[spec.changes], _made(kind)
    before = pickle.dumps(value)
    first, second = (made.change(value, np.random.default_rng(7)) for _ in range(2))
    if not same(first, second):
        yield Finding(
            problem="it gives something else for the same value and an equal generator",
            given="two results that differ",
            expected="the same: an epoch may be computed again, in parts or in another process",
            fix="draw from the generator that is given, and from nothing else",
        )
    if pickle.dumps(value) != before:
        yield Finding(
            problem="it changes what it is given",
            given=f"the {spec.changes} itself was changed",
            expected="a changed copy: the row is used again in the next epoch",
            fix="copy it first",
        )
    fits = isinstance(first, str) if spec.changes == "text" else same(getattr(first, "shape", None), value.shape)
    if not fits or getattr(first, "dtype", None) != getattr(value, "dtype", None):
        yield Finding(
            problem=f"it does not give {'a text' if spec.changes == 'text' else 'pixels of the same shape'}",
            given=f"{type(first).__name__} {getattr(first, 'shape', '')} {getattr(first, 'dtype', '')}".strip(),
            expected="a text" if spec.changes == "text" else f"uint8 {value.shape}",
            fix="correct change",
        )


def _transforms(spec: Spec, kind: Any) -> Iterator[Finding]:
    rows: list[Mapping[str, Any]] = [
        {"text": "A  kettle,\tboiling: jane@example.org", "label": "odd"},
        {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day"}]},
        {"text": None, "number": 3.5},
        {},
    ]
    for row in rows:
        before = pickle.dumps(row)
        try:
            first, second = _made(kind).change(row), _made(kind).change(row)
        except RowError:
            continue
        if not isinstance(first, Mapping):
            yield Finding(
                problem="it gives no row",
                given=f"{type(first).__name__} for {row}",
                expected="the values of the row, changed, as a mapping",
                fix="return a dict",
            )
        elif not same(dict(first), dict(second)):
            yield Finding(
                problem="it gives something else for the same row",
                given=f"{second} after {first}"[:300],
                expected="the same: what comes out follows from the fields and the row alone",
                fix="leave chance and time out of change",
            )
        if pickle.dumps(row) != before:
            yield Finding(
                problem="it changes the row it is given",
                given=f"the row itself is {row} now"[:300],
                expected="a new mapping, and the given one as it was",
                fix="return {**values, …}",
            )


def _tracks(spec: Spec, kind: Any) -> Iterator[Finding]:
    methods = ["started", "note", "step_done", "evaluated", "checkpoint_saved", "finished"]
    tracker = _made(kind)
    with tempfile.TemporaryDirectory(prefix="tunesmith-check-") as folder:
        for method, event in zip(methods, events(folder), strict=False):
            try:
                getattr(tracker, method)(event)
            except (Exception, SystemExit) as error:
                yield Finding(
                    problem=f"{method} raises",
                    given=f"{one_line(error)}, for {event}",
                    expected="no error: the tracker would get nothing from here on",
                    fix=f"correct {method}",
                )
                return


# ---- everything else ---------------------------------------------------------------------------------


def _protocol(spec: Spec, found: Any) -> Iterator[Finding]:
    if not isinstance(found, type):
        raise SkipCheck("it is a function; what it gives is not known before it is called")
    missing = [name for name in _PROTOCOLS[spec.kind] if not callable(getattr(found, name, None))]
    if missing:
        yield Finding(
            problem=f"the {spec.kind} {spec.name} lacks methods",
            given=f"{found.__qualname__} without {', '.join(missing)}",
            expected=", ".join(_PROTOCOLS[spec.kind]),
            fix=f"write {missing[0]}; the protocol says what each must do",
        )


def _reads(spec: Spec, read: Any) -> Iterator[Finding]:
    suffix = next(iter(getattr(spec, "suffixes", ())), ".txt")
    with tempfile.TemporaryDirectory(prefix="tunesmith-check-") as folder:
        for words, content in _GARBAGE.items():
            file = Path(folder, f"file{suffix}")
            file.write_bytes(content)
            try:
                other = [item for item in read(file, ReadOptions()) if not isinstance(item, (Row, Problem))]
            except TunesmithError:
                continue
            except Exception as error:
                given, expected = one_line(error), "rows, a Problem for each bad one, or DataError for the whole file"
            else:
                if not other:
                    continue
                given, expected = f"{type(other[0]).__name__} among the rows", "Row and Problem"
            yield Finding(
                problem="it fails on a file that is none of its own",
                given=f"a file with {words}: {given}",
                expected=expected,
                fix=f"yield Problem(origin, what) for a row, raise {DataError.__name__} for a file",
            )


def _models(spec: ModelSpec, make: Any) -> Iterator[Finding]:
    if not spec.weights:
        options = ScratchOptions(
            architecture=spec.name, size=30_000, tokenizer="byte", vocabulary=260, context=64, seed=0
        )
        try:
            config = make(options)
        except TunesmithError:  # an architecture may have one size only
            config = make(replace(options, size=None))
        if not hasattr(config, "model_type"):
            yield Finding(
                problem="it gives no configuration",
                given=type(config).__name__,
                expected="a PreTrainedConfig of transformers",
                fix="return the configuration; the task makes the model of it",
            )
        return
    if spec.addressed:
        raise SkipCheck("it opens addresses, and none is known here")
    folder = Path(make())
    pickles = sorted(path.name for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pth", ".pkl"))
    if not (folder / "config.json").is_file() or pickles:
        yield Finding(
            problem="it is no folder of a model",
            given=", ".join(pickles) or f"{folder} without config.json",
            expected="config.json and weights as safetensors, and no pickle",
            fix="save it with tunesmith.models.save_model",
        )
    if spec.license is None or no_spdx(spec.license):
        yield Finding(
            problem="the licence of the weights is no SPDX expression",
            given=str(spec.license),
            expected="an identifier of https://spdx.org/licenses, e.g. Apache-2.0",
            fix="correct license of the ModelSpec",
        )


def _is_async(spec: Spec, function: Any) -> Iterator[Finding]:
    if not inspect.iscoroutinefunction(function):
        yield Finding(
            problem="it is no async function",
            given=repr(function)[:120],
            expected="async def …(request: Request), with a body where it takes one",
            fix="write async in front of def, and hand what takes long to a thread",
        )
        return
    first = next(iter(inspect.signature(function).parameters), None)
    if first != "request":
        yield Finding(
            problem="it takes no request",
            given=f"{function.__name__}{inspect.signature(function)}",
            expected="request as its first parameter",
            fix="write (request: Request)",
        )


def _helps(spec: Spec, app: Any) -> Iterator[Finding]:
    """``--help`` of the command and of those below it; the library draws no terminal, so typer is looked up by name."""
    typer, testing = importlib.import_module("typer"), importlib.import_module("typer.testing")
    try:
        below = getattr(typer.main.get_command(app), "commands", {})
    except Exception as error:
        yield _no_help(f"tunesmith {spec.name} --help", one_line(error))
        return
    runner = testing.CliRunner()
    paths: list[tuple[str, ...]] = [(), *((name,) for name in below)]
    for path in paths:
        words = " ".join(("tunesmith", spec.name, *path, "--help"))
        result = runner.invoke(app, [*path, "--help"], catch_exceptions=True)
        if result.exit_code != 0 or not result.output.strip():
            raised = f", {one_line(result.exception)}" if result.exception else ""
            yield _no_help(words, f"exit code {result.exit_code}{raised}")


def _no_help(command: str, given: str) -> Finding:
    return Finding(
        problem=f"`{command}` fails",
        given=given,
        expected="exit code 0, and what the command does",
        fix="import what takes long or may be missing inside the command, and check its options",
    )


_BY_KIND: Mapping[str, Mapping[str, _Run]] = {
    "augmentation": {"defaults": _defaults, "changes": _augments},
    "transform": {"defaults": _defaults, "changes": _transforms},
    "objective": {"defaults": _defaults},
    "tracker": {"defaults": _defaults, "follows": _tracks},
    "report_section": {"defaults": _defaults},
    "recipe_section": {"defaults": _defaults},
    "exporter": {"protocol": _protocol},
    "access": {"protocol": _protocol},
    "engine": {"protocol": _protocol},
    "strategy": {"protocol": _protocol},
    "reader": {"garbage": _reads},
    "model": {"gives": _models},
    "route": {"async": _is_async},
    "command": {"help": _helps},
}
