# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Every plugin that ``tunesmith plugins new`` can write is built, installed with pip, linted and tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from forge import Forge

import tunesmith
from tunesmith._plugins.scaffold import LONGEST_NAME, plugin_names, project_files, write_project
from tunesmith._plugins.scaffold_parts import DEFAULT, PARTS

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]

EVERYTHING = "everything." + "x" * (LONGEST_NAME - 11)
"""A name that is as long as may be, and not the same for pip and for Python."""


def variants() -> dict[str, tuple[str, ...]]:
    """Name of a plugin to its parts: each part alone, each two, the usual ones, all."""
    alone = {f"only-{part.replace('_', '-')}": (part,) for part in PARTS}
    pairs = {f"{one}-and-{other}".replace("_", "-"): (one, other) for one, other in combinations(PARTS, 2)}
    return {**alone, **pairs, "usual": DEFAULT, EVERYTHING: tuple(PARTS)}


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the plugins' projects are, by name, and where pip put them."""

    projects: Mapping[str, Path]
    site: Path

    def run(self, *command: object, cwd: Path) -> str:
        """What a command says that sees these plugins and no other."""
        return run(*command, cwd=cwd, environ=self.environ())

    def forked(self, forge: Forge, *command: object, cwd: Path) -> str:
        """What Python says in a fork, which has all of the core imported and none of these plugins."""
        done = forge.python(*command, cwd=cwd, env=self.environ())
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def environ(self) -> dict[str, str]:
        """In which these plugins are, and no other."""
        return {**os.environ, "PYTHONPATH": str(self.site), "TUNESMITH_PLUGINS": ",".join(self.projects)}


def run(*command: object, cwd: Path, environ: Mapping[str, str] | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    from hatchling.builders.wheel import WheelBuilder

    work = tmp_path_factory.mktemp("plugins")
    projects, wheels = {}, []
    for name, parts in variants().items():
        projects[name] = work / name
        names = plugin_names(name)
        write_project(project_files(names, parts, version=tunesmith.__version__, year=2026), projects[name])
        if name == EVERYTHING:
            continue  # from its folder, as authors install it
        # What pip would do, without a process for each: three seconds for all, and not a minute.
        wheels += WheelBuilder(str(projects[name])).build(directory=str(work / "wheels"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    run(*pip, "--no-deps", "--no-build-isolation", "--target", work / "site", *wheels, projects[EVERYTHING], cwd=work)
    return Installed(projects, work / "site")


def test_what_it_needs_is_there_beside_tunesmith(installed: Installed) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-index", "--no-build-isolation"]
    said = run(*pip, "--dry-run", installed.projects[EVERYTHING], cwd=installed.site)
    (line,) = [line for line in said.splitlines() if line.startswith("Would install ")]
    assert line.split()[2:] == [f"{plugin_names(EVERYTHING).distribution}-0.1.0"]


def test_ruff_has_nothing_to_say(installed: Installed) -> None:
    for check in (["check"], ["format", "--check"]):
        run(sys.executable, "-m", "ruff", *check, "--no-cache", *installed.projects.values(), cwd=installed.site)


def test_types_hold(installed: Installed, root: Path) -> None:
    package = plugin_names(EVERYTHING).package
    # With our own settings and what mypy remembers of us: scripts/test has linted before.
    command = [sys.executable, "-m", "mypy", "-p", package]
    run(*command, cwd=root, environ={**os.environ, "MYPYPATH": str(installed.projects[EVERYTHING])})


def test_every_plugin_is_in_use_and_every_target_can_be_imported(installed: Installed, forge: Forge) -> None:
    code = """
import json
from tunesmith._plugins import get_host
from tunesmith._plugins.kinds import KINDS
from tunesmith.registry import get_registry
registry = get_registry()
for one in [one for kind in KINDS for one in registry.all(kind) if one.plugin != "tunesmith"]:
    registry.load(one.spec.kind, one.full_name)
records = [record for record in get_host().records if record.status != "disabled"]
told = {one.name: [one.status, one.reason, dict(one.provides)] for one in records}
print(json.dumps(told))
"""
    told = json.loads(installed.forked(forge, "-c", code, cwd=installed.site))
    del told["tunesmith"]
    expected = {name: ["ok", "", {part: [name] for part in parts}] for name, parts in variants().items()}
    assert told == expected


def test_the_tests_that_come_with_them_pass(installed: Installed, tmp_path: Path, forge: Forge) -> None:
    """Of each part alone, of the usual ones and of all."""
    tried = [name for name, parts in variants().items() if len(parts) != 2]
    tests = [installed.projects[name] / "tests" for name in tried]
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", f"--rootdir={installed.site.parent}"]
    program = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    said = installed.forked(forge, "-c", program, *options, "-c", os.devnull, *tests, cwd=tmp_path)
    assert f"{len(tried)} passed" in said


def test_one_job_uses_all_of_it_as_the_readme_says(installed: Installed, tmp_path: Path, forge: Forge) -> None:
    recipe = f"""
task: text-classification
model: tunesmith/tiny
objective: {EVERYTHING}/{EVERYTHING}
data:
  train: dataset:{EVERYTHING}/{EVERYTHING}#train
  test: rows.{EVERYTHING}
  columns: {{label: rating}}
  transform: [{{name: {EVERYTHING}/{EVERYTHING}}}]
  augment: [{{name: {EVERYTHING}/{EVERYTHING}, share: 0.3}}]
evaluate: {{sections: [{{name: {EVERYTHING}/{EVERYTHING}}}]}}
trackers: [{{name: {EVERYTHING}/{EVERYTHING}}}]
train: {{max_steps: 2}}
output: run
"""
    (tmp_path / "recipe.yaml").write_text(recipe, "utf-8")
    (tmp_path / f"rows.{EVERYTHING}").write_text("text: it  leaks\nrating: 1\n\ntext: love it\nrating: 5\n", "utf-8")
    installed.forked(forge, "-m", "tunesmith_cli", "train", "recipe.yaml", cwd=tmp_path)
    assert "How long the rows are" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert len((tmp_path / "run" / "steps.csv").read_text("utf-8").splitlines()) == 3
    command = (EVERYTHING, "count", "run", f"rows.{EVERYTHING}")
    done = forge.tunesmith(*command, cwd=tmp_path, env=installed.environ())
    assert done.returncode == 2
    assert "the answers of run have no 'rating' to count" in done.stderr  # they have labels: it was another task
    assert "task text-classification, which answers label, probability, probabilities" in done.stderr
