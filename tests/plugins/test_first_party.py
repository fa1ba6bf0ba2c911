# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What every plugin in `plugins/` keeps to; its own tests lie beside it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import tunesmith
from tunesmith._plugins import get_host
from tunesmith.testing import check_plugin

TESTED = ("0.1",)
"""Versions of the core that the tests of plugins run against, the lowest that one of them takes first. There is only
one so far: whoever raises the core's version adds the run against the wheel of the lowest to scripts/test."""

ELSEWHERE = ("tunesmith-explain", "tunesmith-thucnews")
"""Plugins whose own tests make this call: they need more than being installed."""

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(file.parent for file in (ROOT / "plugins").glob("*/pyproject.toml"))


def test_there_are_some() -> None:
    assert PLUGINS


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_it_is_whole(folder: Path) -> None:
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (folder / "README.md").is_file()
    assert list((folder / "tests").glob("test_*.py"))
    assert (folder / folder.name.replace("-", "_") / "py.typed").is_file()


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_it_loads(folder: Path) -> None:
    try:
        declared = distribution(folder.name)
    except PackageNotFoundError:
        pytest.skip(f"{folder.name} is not installed in this environment")
    assert declared.metadata["License-Expression"] == "MIT"
    assert [line for line in declared.requires or () if line.startswith("tunesmith<")], "an upper bound on tunesmith"
    records = [record for record in get_host().records if record.distribution == folder.name]
    assert [(record.status, record.reason) for record in records] == [("ok", "")]


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_the_cores_it_takes_are_those_it_is_tested_against(folder: Path) -> None:
    try:
        declared = distribution(folder.name)
    except PackageNotFoundError:
        pytest.skip(f"{folder.name} is not installed in this environment")
    requires = [Requirement(line) for line in declared.requires or ()]
    (core,) = [one for one in requires if one.name == "tunesmith" and one.marker is None]
    bounds = {one.operator: one.version for one in core.specifier}
    assert bounds.keys() == {">=", "<"}
    assert bounds[">="] in TESTED
    assert core.specifier.contains(tunesmith.__version__)


@pytest.mark.parametrize(
    "folder", [folder for folder in PLUGINS if folder.name not in ELSEWHERE], ids=lambda it: it.name
)
def test_it_passes_what_strangers_plugins_are_asked_to_pass(folder: Path) -> None:
    names = [record.name for record in get_host().records if record.distribution == folder.name]
    if not names:
        pytest.skip(f"{folder.name} is not installed in this environment")
    report = check_plugin(names[0])
    assert report.ok
    assert {"import", "hooks", "metadata", "targets", "specs-unharmed"} <= set(report.passed)
