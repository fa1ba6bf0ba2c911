# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What a check found, and how all findings are told at once."""

from __future__ import annotations

import traceback
import unittest
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tunesmith.errors import TunesmithError
from tunesmith.testing.offline import no_network

__all__ = ["Check", "ConformanceError", "Finding", "Report", "SkipCheck", "each_check", "one_line", "run_checks"]

_TRACE = 1500  # characters of the end of a traceback that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        problem: what is wrong, in one line.
        given: what the plugin gave.
        expected: what was expected in its place.
        fix: what to do.
        details: further lines, such as the end of a traceback; may be empty.
        check: id of the check; filled in by whoever runs it.
    """

    problem: str
    given: str
    expected: str
    fix: str
    details: str = ""
    check: str = ""

    def __str__(self) -> str:
        lines = [f"{self.check}: {self.problem}", f"    given: {self.given}", f"    expected: {self.expected}"]
        lines.append(f"    to do: {self.fix}")
        lines += [f"    | {line}" for line in self.details.splitlines()]
        return "\n".join(lines)


class SkipCheck(Exception):  # noqa: N818 - no error: the reason is told in the report
    """Raised by a check that has nothing to look at; the reason is one sentence."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        id: ``import``, ``dataset.films.splits``.
        run: gives its findings, none where all is well.

    ``run`` raises ``SkipCheck`` where there is nothing to look at. Whatever else it raises is a finding too.
    """

    id: str
    run: Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of every check.

    Attributes:
        subject: what was checked: ``plugin 'films'``.
        passed: ids of the checks that found nothing.
        skipped: id to reason.
        expected: id to the reason that was given for its failure.
        findings: everything that is wrong and was not expected.
    """

    subject: str
    passed: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    expected: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings

    def __str__(self) -> str:
        lines = [f"{self.subject}: {len(self.passed)} checks passed"]
        lines += [f"skipped {check}: {reason}" for check, reason in self.skipped.items()]
        lines += [f"failed as expected {check}: {reason}" for check, reason in self.expected.items()]
        return "\n".join(lines)


class ConformanceError(AssertionError):
    """Something does not keep what Tunesmith asks of it. Every finding is told.

    Attributes:
        report: of all checks.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        count = "1 finding" if len(report.findings) == 1 else f"{len(report.findings)} findings"
        super().__init__("\n".join([f"{report.subject}: {count}", *map(str, report.findings)]))

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.report.findings


def run_checks(subject: str, checks: Sequence[Check], expected_failures: Mapping[str, str] | None = None) -> Report:
    """Run checks without a network, and tell of all of them.

    Args:
        subject: what is checked.
        checks: in this order.
        expected_failures: id of a check to the reason why it fails. One that does not fail is a finding, so that no
            reason outlives what it was given for.

    Raises:
        ConformanceError: something was found.
        ValueError: ``expected_failures`` names no check that there is.
    """
    expected_failures = dict(expected_failures or {})
    unknown = sorted(set(expected_failures) - {check.id for check in checks})
    if unknown:
        known = ", ".join(check.id for check in checks)
        raise ValueError(f"expected_failures names {', '.join(unknown)}; expected some of {known}")
    passed: list[str] = []
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    findings: list[Finding] = []
    for check in checks:
        try:
            found = _findings(check)
        except SkipCheck as skip:
            skipped[check.id] = str(skip)
            continue
        if check.id not in expected_failures:
            findings += found
        elif found:
            failed[check.id] = expected_failures[check.id]
        else:
            findings.append(_better_than_expected(check.id, expected_failures[check.id]))
        if not found:
            passed.append(check.id)
    report = Report(subject=subject, passed=tuple(passed), skipped=skipped, expected=failed, findings=tuple(findings))
    if findings:
        raise ConformanceError(report)
    return report


def each_check(subject: str, checks: Iterable[Check]) -> list[tuple[str, Callable[[], None]]]:
    """The checks one by one, for ``pytest.mark.parametrize``: each raises ``ConformanceError``, or is skipped."""

    def alone(check: Check) -> Callable[[], None]:
        def run() -> None:
            report = run_checks(subject, [check])
            for reason in report.skipped.values():
                raise unittest.SkipTest(reason)  # pytest and unittest both know it

        return run

    return [(check.id, alone(check)) for check in checks]


def one_line(error: BaseException) -> str:
    """``KeyError: 'text'``: an exception on one line."""
    text = " ".join((error.what if isinstance(error, TunesmithError) else str(error)).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _findings(check: Check) -> list[Finding]:
    found: list[Finding] = []
    with no_network() as attempts:
        try:
            found.extend(check.run())
        except SkipCheck:
            if not attempts:
                raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a plugin must not end the tests of others
            if not attempts:
                found.append(_raised(error))
    if attempts:
        found.append(
            Finding(
                problem="it goes online",
                given=f"a connection to {', '.join(sorted(set(attempts)))}",
                expected="no connection that nobody asked for: nothing is fetched in the background",
                fix="read from files, or tell why it must in expected_failures",
            )
        )
    told = []
    for one in found:
        told.append(
            Finding(
                problem=one.problem,
                given=one.given,
                expected=one.expected,
                fix=one.fix,
                details=one.details,
                check=check.id,
            )
        )
    return told


def _raised(error: BaseException) -> Finding:
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return Finding(
        problem="it raises",
        given=one_line(error),
        expected="no error",
        fix="correct what the traceback shows",
        details=trace[-_TRACE:],
    )


def _better_than_expected(check: str, reason: str) -> Finding:
    return Finding(
        problem="it was expected to fail, and it passes",
        given=f"expected_failures: {reason}",
        expected="a failure",
        fix="take it out of expected_failures",
        check=check,
    )
