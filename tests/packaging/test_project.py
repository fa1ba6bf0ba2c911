# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The files of the project agree with each other."""

from __future__ import annotations

import os
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tunesmith

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = [file for file in (ROOT / "pyproject.toml", *sorted(ROOT.glob("*/**/pyproject.toml"))) if file.is_file()]
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


def project(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        section = tomllib.load(opened)["project"]
    assert isinstance(section, dict)
    return section


def constraints(python: str) -> dict[str, Requirement]:
    """Name to pin, of the lines that count for this Python."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    counted = [pin for pin in pins if pin.marker is None or pin.marker.evaluate({"python_version": python})]
    names = [canonicalize_name(pin.name) for pin in counted]
    assert len(names) == len(set(names)), "one line a package and Python"
    return dict(zip(names, counted, strict=True))


def test_the_version_is_one() -> None:
    assert project(ROOT / "pyproject.toml")["version"] == tunesmith.__version__


def test_licence_texts_are_one() -> None:
    mit = (ROOT / "LICENSE").read_bytes()
    assert mit.startswith(b"MIT License\n")
    assert (ROOT / "LICENSES" / "MIT.txt").read_bytes() == mit


@pytest.mark.parametrize("python", PYTHONS)
def test_every_constraint_is_one_exact_version(python: str) -> None:
    for pin in constraints(python).values():
        assert [specifier.operator for specifier in pin.specifier] == ["=="], pin
        assert pin.url is None, pin


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("file", PROJECTS, ids=lambda file: file.parent.name)
def test_what_the_project_needs_is_pinned_within_its_bounds(file: Path, python: str) -> None:
    pins = constraints(python)
    section = project(file)
    extras = section.get("optional-dependencies", {}).values()
    for requirement in map(Requirement, chain(section["dependencies"], *extras)):
        name = canonicalize_name(requirement.name)
        if name == "tunesmith":
            assert requirement.specifier.contains(tunesmith.__version__)
        elif requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            (pin,) = pins[name].specifier
            assert requirement.specifier.contains(pin.version), f"{requirement} and {pins[name]}"


@pytest.mark.parametrize("name", ["scripts/quickstart", "scripts/test", "scripts/lint", ".ci/run"])
def test_scripts_can_be_started(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
    assert (ROOT / name).read_text(encoding="utf-8").startswith("#!/")
