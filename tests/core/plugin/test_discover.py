# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import logging
import os
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path

import pytest

import tunesmith
from tunesmith._plugins.discover import GROUP, Candidate, judge, scan

MakeCandidate = Callable[..., Candidate]


class Installed(Distribution):
    """A distribution in memory: file name to text."""

    def __init__(self, files: dict[str, str]) -> None:
        self.texts = files

    def read_text(self, filename: str) -> str | None:
        return self.texts.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return Path(path)


def installed(name: str, version: str, entries: str, *requires: str) -> Installed:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    return Installed({"METADATA": "\n".join(lines) + "\n", "entry_points.txt": entries})


def entries(*lines: str, group: str = GROUP) -> str:
    return "\n".join([f"[{group}]", *lines]) + "\n"


def status(found: list[Candidate], **environ: str) -> list[tuple[str, str]]:
    return [
        (c.name, "may load" if record is None else f"{record.status}: {record.reason}")
        for c, record in judge(found, environ)
    ]


def test_scan_reads_what_a_distribution_declares() -> None:
    found = scan([installed("tunesmith-demo", "2.1", entries("demo = tunesmith_demo.plugin"), "tunesmith>=0.1")])

    (demo,) = found
    assert (demo.name, demo.distribution, demo.version) == ("demo", "tunesmith-demo", "2.1")
    assert (demo.target, demo.requires) == ("tunesmith_demo.plugin", ("tunesmith>=0.1",))


def test_scan_leaves_other_groups_alone() -> None:
    assert scan([installed("x", "1", entries("x = x", group="console_scripts")), Installed({})]) == []
    assert scan([installed("x", "1", entries("x = x", group=f"{GROUP}0"))]) == []


def test_of_two_distributions_with_one_name_the_first_on_the_path_counts() -> None:
    first = installed("Tunesmith_Demo", "2.0", entries("demo = a"))
    second = installed("tunesmith-demo", "1.0", entries("demo = a"))

    assert [candidate.version for candidate in scan([first, second])] == ["2.0"]


def test_plugins_come_sorted_by_name_whatever_the_file_system_says() -> None:
    found = scan([installed("x", "1", entries("zeta = x", "beta = x")), installed("y", "1", entries("alpha = y"))])

    assert [candidate.name for candidate in found] == ["alpha", "beta", "zeta"]


def test_metadata_that_cannot_be_read_breaks_that_plugin_only() -> None:
    bare = Installed({"entry_points.txt": entries("bare = bare.plugin"), "METADATA": "Name: bare\nVersion: 1\n"})
    torn = Installed({"entry_points.txt": entries("torn = torn.plugin")})

    assert [name for name, _ in status(scan([torn, bare]))] == ["bare", "torn"]
    assert dict(status(scan([torn, bare])))["bare"] == "may load"


def test_an_entry_points_file_that_cannot_be_read_is_told_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    class Binary(Installed):
        def read_text(self, filename: str) -> str | None:
            return b"\xff".decode("utf-8")

    good = installed("good", "1", entries("good = good.plugin"))

    with caplog.at_level(logging.WARNING, logger="tunesmith.plugins"):
        assert [candidate.name for candidate in scan([Binary({}), good])] == ["good"]
    assert "entry_points.txt cannot be read" in caplog.text


def test_two_distributions_with_one_plugin_name_are_both_a_conflict() -> None:
    found = scan(
        [installed("red", "1", entries("demo = red.plugin")), installed("blue", "2", entries("demo = blue.plugin"))]
    )

    reason = "conflict: the name 'demo' is declared twice, by blue 2 and red 1; uninstall one"
    assert status(found) == [("demo", reason), ("demo", reason)]


def test_nobody_else_is_named_tunesmith(candidate: MakeCandidate) -> None:
    assert status([candidate("tunesmith")]) == [
        ("tunesmith", "conflict: the name 'tunesmith' belongs to the built-ins")
    ]


@pytest.mark.parametrize(
    ("limit", "loaded"),
    [("a,b", ["a", "b"]), ("a", ["a"]), (" b , a,", ["a", "b"]), ("", []), ("tunesmith", [])],
)
def test_the_environment_limits_which_are_loaded(candidate: MakeCandidate, limit: str, loaded: list[str]) -> None:
    outcome = status([candidate("a"), candidate("b")], TUNESMITH_PLUGINS=limit)

    assert [name for name, what in outcome if what == "may load"] == loaded
    assert {what for name, what in outcome if name not in loaded} <= {"disabled: TUNESMITH_PLUGINS does not name it"}


def test_a_limit_that_names_nothing_installed_is_told(
    candidate: MakeCandidate, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="tunesmith.plugins"):
        status([candidate("reviews")], TUNESMITH_PLUGINS="revews")

    assert "'revews', which is not installed; did you mean 'reviews'?" in caplog.text


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        ("tunesmith>=9", "needs tunesmith>=9; this is tunesmith 0.1.0"),
        ("Tunesmith (<0.1)", "needs tunesmith<0.1; this is tunesmith 0.1.0"),
        ("tunesmith[dev]==9.*", "needs tunesmith==9.*; this is tunesmith 0.1.0"),
        ("tunesmith>=9; python_version >= '3'", "needs tunesmith>=9; this is tunesmith 0.1.0"),
        ("tunesmith>>9", "its requirement on tunesmith cannot be read: 'tunesmith>>9'"),
    ],
)
def test_a_plugin_for_another_tunesmith_is_incompatible(
    candidate: MakeCandidate, monkeypatch: pytest.MonkeyPatch, requires: str, reason: str
) -> None:
    monkeypatch.setattr(tunesmith, "__version__", "0.1.0")

    assert status([candidate(requires=(requires,))]) == [("demo", f"incompatible: {reason}")]


@pytest.mark.parametrize(
    "requires",
    [
        (),
        ("torch>=2", "tunesmith-other>=9", "tunesmith_other>=9", "tunesmith.other>=9", "not tunesmith at all"),
        ("tunesmith>=0.1,<0.2",),
        ("tunesmith",),
        ("tunesmith>=9; extra == 'dev'",),
        ("tunesmith>=9; python_version < '3'",),
        ("tunesmith @ https://example.org/tunesmith.whl",),
    ],
)
def test_a_plugin_for_this_tunesmith_may_load(
    candidate: MakeCandidate, monkeypatch: pytest.MonkeyPatch, requires: tuple[str, ...]
) -> None:
    monkeypatch.setattr(tunesmith, "__version__", "0.1.0")

    assert status([candidate(requires=requires)]) == [("demo", "may load")]


def test_a_prerelease_of_this_tunesmith_counts(candidate: MakeCandidate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunesmith, "__version__", "0.5.0.dev3")

    assert status([candidate(requires=("tunesmith>=0.4",))]) == [("demo", "may load")]


def test_a_plugin_name_that_cannot_be_typed_is_broken(candidate: MakeCandidate) -> None:
    ((_, outcome),) = status([candidate("My Plugin")])

    assert outcome.startswith("broken: the entry point's name must be lower-case letters")
    assert outcome.endswith("given 'My Plugin'")
