# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is asked of a plugin as a package: how it is imported, what its hooks answer, what its metadata says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement

from tunesmith._plugins.collect import Refused, ask, enroll
from tunesmith._plugins.examine import Examination, examine
from tunesmith._plugins.kinds import AUTHORIZE, KINDS, OBSERVE
from tunesmith.errors import NotFoundError
from tunesmith.plugin import (
    ACTIONS,
    Action,
    Allow,
    CheckpointSaved,
    Deny,
    Evaluated,
    Event,
    MachineCode,
    RequestEnding,
    RequestServed,
    RunFinished,
    RunNote,
    RunStarted,
    StepDone,
)
from tunesmith.recipe import parse_recipe
from tunesmith.registry import Registry
from tunesmith.testing.findings import Check, Finding, SkipCheck, one_line
from tunesmith.testing.subject import Subject

__all__ = ["BUDGET", "events", "no_spdx", "package_checks"]

BUDGET = 0.2
"""Seconds that importing and asking a plugin may take: every start of the program waits for it."""

_TIMEOUT = 60.0
_TRIES = 3  # a busy machine is not the plugin's fault: the quickest counts


def package_checks(subject: Subject) -> list[Check]:
    return [
        Check("import", lambda: _import(subject)),
        Check("hooks", lambda: _hooks(subject)),
        Check("same-answers", lambda: _same_answers(subject)),
        Check("metadata", lambda: _metadata(subject)),
        Check("names", lambda: _names(subject)),
        Check("targets", lambda: _targets(subject)),
        Check("observers", lambda: _observers(subject)),
        Check("gate", lambda: _gate(subject)),
    ]


def no_spdx(text: str) -> bool:
    """Whether this is no SPDX licence expression."""
    try:
        canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return True
    return False


def _examined(subject: Subject) -> Examination:
    if not subject.installed:
        raise SkipCheck("it is an object of this process, and no installed package")
    return next(iter(examine([subject.name], timeout=_TIMEOUT)))


def _import(subject: Subject) -> Iterator[Finding]:
    """In a fresh process, as every start of the program does it."""
    seen = _examined(subject)
    seconds = seen.record.seconds
    for _ in range(_TRIES - 1):
        if seconds > BUDGET and not seen.heavy:
            seconds = min(seconds, _examined(subject).record.seconds)
    if seen.ended or (seen.record.status == "broken" and seen.record.reason.startswith("importing ")):
        yield Finding(
            problem="it cannot be imported",
            given=seen.record.reason,
            expected="a module that imports without an error, and without ending the program",
            fix="correct what the traceback shows",
            details=seen.record.traceback[-1500:],
        )
        return
    if seen.noise:
        yield Finding(
            problem="it prints while it is imported",
            given=seen.noise[:200],
            expected="nothing: other programs read what `tunesmith … --json` prints",
            fix="take the print out, or use logging",
        )
    if seen.heavy:
        yield Finding(
            problem="its module imports what takes long",
            given=", ".join(seen.heavy),
            expected="tunesmith.plugin and the standard library: every start of the program waits for it",
            fix="name targets as 'module:attribute' in another module, and import there",
        )
    if seconds > BUDGET and not seen.heavy:
        yield Finding(
            problem="importing it takes too long",
            given=f"{seconds:.2f} s, the quickest of {_TRIES}",
            expected=f"less than {BUDGET:g} s beyond tunesmith.plugin",
            fix="do nothing at import but define functions; `python -X importtime -c 'import …'` shows where it goes",
        )
    if seen.threads:
        yield Finding(
            problem="importing it starts threads that keep a program from ending",
            given=", ".join(seen.threads),
            expected="no thread",
            fix="start them where they are used, as daemons",
        )


def _hooks(subject: Subject) -> Iterator[Finding]:
    record = subject.record
    if record.status == "broken" and record.reason.startswith("importing ") and subject.installed:
        raise SkipCheck("it cannot be imported, see `import`")
    if record.status != "ok":
        yield Finding(
            problem=f"the plugin is {record.status}",
            given=record.reason,
            expected="hooks that are known, marked @hookimpl and give an iterable of their spec each",
            fix="correct it as the reason says; docs/reference/hooks.md has every hook with an example",
            details=record.traceback[-1500:],
        )


def _usable(subject: Subject) -> None:
    if subject.record.status != "ok":
        raise SkipCheck("the plugin cannot be used, see `import` and `hooks`")


def _same_answers(subject: Subject) -> Iterator[Finding]:
    _usable(subject)
    first = subject.snapshot([one.spec for one in subject.provided])
    try:
        again = ask(enroll(subject.candidate))
    except Refused as refused:
        yield _unstable(f"asked a second time: {refused.reason}", "the same specs as at first")
        return
    second = subject.snapshot(sorted(again, key=lambda spec: KINDS.index(spec.kind)))
    if first != second:
        differ = [pair for pair in zip(first, second, strict=False) if pair[0] != pair[1]]
        was, now = differ[0] if differ else (f"{len(first)} specs", f"{len(second)} specs")
        yield _unstable(f"{now}, asked a second time", str(was))


def _unstable(given: str, expected: str) -> Finding:
    return Finding(
        problem="its hooks do not answer the same each time",
        given=given,
        expected=expected,
        fix="leave the time, random numbers and what is on the disk out of what hooks return",
    )


def _metadata(subject: Subject) -> Iterator[Finding]:
    if not subject.installed:
        raise SkipCheck("it is an object of this process, and no installed package")
    metadata: Any = subject.distribution.metadata  # an email.message.Message, whatever the stubs say
    requires = [Requirement(line) for line in subject.distribution.requires or ()]
    ours = [one for one in requires if one.name == "tunesmith"]
    if not any(bound.operator in ("<", "<=", "==", "~=") for one in ours for bound in one.specifier):
        yield Finding(
            problem="it does not say up to which tunesmith it works",
            given=", ".join(map(str, ours)) or "no requirement on tunesmith",
            expected="an upper bound, e.g. tunesmith>=0.1,<0.2: a plugin that does not fit is then never imported",
            fix="write it into dependencies of pyproject.toml",
        )
    expression = metadata.get("License-Expression", "")
    classified = any(line.startswith("License :: ") for line in metadata.get_all("Classifier") or ())
    if (expression and no_spdx(expression)) or not (expression or metadata.get("License") or classified):
        yield Finding(
            problem="it does not say its licence",
            given=expression or "no License-Expression",
            expected="an SPDX expression, e.g. MIT",
            fix='write it into pyproject.toml: license = "MIT"',
        )
    if not (metadata.get("Description") or metadata.get_payload() or "").strip():
        yield Finding(
            problem="it has no description",
            given="an empty long description",
            expected="what it is for, as people read it on the package's page",
            fix='write a README and name it in pyproject.toml: readme = "README.md"',
        )


def _names(subject: Subject) -> Iterator[Finding]:
    _usable(subject)
    registry = Registry(subject.host)
    for one in subject.provided:
        kind, name = one.spec.kind, one.spec.name
        assert registry.find(kind, one.full_name) == one
        try:
            registry.find(kind, name)
        except NotFoundError:
            owners = [other.plugin for other in registry.all(kind) if other.spec.name == name and other != one]
            if "tunesmith" in owners:
                yield Finding(
                    problem=f"the {kind.replace('_', ' ')} {name} has the name of a built-in",
                    given=f"{one.full_name} beside tunesmith/{name}",
                    expected="a name of its own: with this plugin installed, nobody can use the short name any more",
                    fix="choose another name",
                )


def _targets(subject: Subject) -> Iterator[Finding]:
    _usable(subject)
    for one in subject.provided:
        reason = subject.wrong(one)
        if reason:
            given, _, expected = reason.partition("; expected ")
            yield Finding(
                problem=f"the target of the {one.spec.kind.replace('_', ' ')} {one.spec.name} cannot be used",
                given=f"{one.spec.target}: {given}",
                expected=expected or "a module that can be imported, and an attribute in it",
                fix="correct target of the spec, or the module it names",
            )


def events(run: str) -> list[Event]:
    """One event of each class, as a job in this folder and a server would tell."""
    recipe = parse_recipe(
        {"task": "text-classification", "model": "tunesmith/tiny", "data": {"train": "train.csv"}, "output": run}
    ).model_dump()
    return [
        RunStarted(run=run, recipe=recipe, total_steps=2, facts={"rows": "6"}),
        RunNote(run=run, message="1 of 6 rows truncated to 8 tokens"),
        StepDone(
            run=run,
            step=1,
            total_steps=2,
            epoch=0.5,
            loss=1.25,
            learning_rate=1e-3,
            grad_norm=0.5,
            tokens=24,
            seconds=0.01,
        ),
        Evaluated(run=run, step=2, split="validation", metrics={"loss": 0.5}, best=True),
        CheckpointSaved(run=run, step=2, path=f"{run}/checkpoints/2"),
        RunFinished(run=run, status="finished", steps=2, metrics={"validation": {"loss": 0.5}}, seconds=0.1),
        MachineCode(kind="torch", key="0" * 64, folder=f"{run}/compiled", ready=True, seconds=0.1),
        RequestServed(id="1", method="POST", route="/v1/chat/completions", status=200, seconds=0.1),
        RequestEnding(id="1", method="POST", route="/v1/chat/completions", status=200, seconds=0.1),
    ]


def _called(subject: Subject, hook: str) -> Any:
    _usable(subject)
    plugin = enroll(subject.candidate)
    return getattr(plugin.callers, hook) if hook in plugin.hooks else None


def _observers(subject: Subject) -> Iterator[Finding]:
    import tempfile

    _usable(subject)
    if not subject.record.observes:
        raise SkipCheck("it observes nothing")
    with tempfile.TemporaryDirectory(prefix="tunesmith-check-") as folder:
        for event in events(folder):
            hook = OBSERVE[type(event)]
            call = _called(subject, hook)
            if call is None:
                continue
            try:
                call(event=event)
            except (Exception, SystemExit) as error:
                yield Finding(
                    problem=f"{hook} raises",
                    given=f"{one_line(error)}, for {event}",
                    expected="no error: it is logged once, and the job goes on without the plugin having seen it",
                    fix="correct the hook",
                )


def _gate(subject: Subject) -> Iterator[Finding]:
    _usable(subject)
    if not subject.record.gate:
        raise SkipCheck("it is no gate")
    call = _called(subject, AUTHORIZE)
    for name in ACTIONS:
        try:
            answers = call(action=Action(name=name, subject="a-model"))
        except (Exception, SystemExit) as error:
            answers = [f"{one_line(error)}"]
        other = next((one for one in answers if not isinstance(one, (Allow, Deny))), None)
        if other is not None:
            yield Finding(
                problem=f"the gate fails when it is asked about {name!r}, so that this never happens again",
                given=str(other),
                expected="None, or an Allow or a Deny of tunesmith.plugin; details of an action may be missing",
                fix="correct tunesmith_authorize",
            )
