# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith license …`: the group that plugins add commands to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
from tunesmith.plugin import CommandSpec, hookimpl

@hookimpl
def tunesmith_commands():
    return [CommandSpec(name="license", summary="Licenses of {name}", target="{target}")]
"""
APP = """
import typer

app = typer.Typer()
alone = typer.Typer()
deeper = typer.Typer()

@app.callback()
def group() -> None:
    "Licenses."

@app.command()
def inspect() -> None:
    "Show something else."
    print("{name} inspects")

@app.command()
def install(file: str) -> None:
    "Keep a license."
    print("{name} installs", file)

@app.command("{name}-only")
def only() -> None:
    "What nobody else has."
    print("only {name}")

@deeper.command()
def export() -> None:
    "Write it out."
    print("{name} exports")

@deeper.callback()
def usage() -> None:
    "What was used."

app.add_typer(deeper, name="{name}-usage")

@alone.command()
def single() -> None:
    "One command, no group."
"""


def install(folder: Path, name: str, target: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[tunesmith.plugins.v1]\n{name} = {name}_plugin\n", encoding="utf-8")
    (folder / f"{name}_plugin.py").write_text(PLUGIN.format(name=name, target=target), encoding="utf-8")
    (folder / f"{name}_cli.py").write_text(APP.format(name=name), encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    install(folder, "first", "first_cli:app")
    install(folder, "second", "second_cli:app")
    install(folder, "broken", "no_such_module:app")
    install(folder, "single", "single_cli:alone")
    return folder


# One process for each row: what is installed is looked up once in a process.
PROBE = """
import sys
from tunesmith_cli.main import main
for line in sys.argv[1].split(";"):
    print("$", line, flush=True)
    print("=", main(line.split()), flush=True)
print([name for name in sys.modules if name.endswith("_cli") and not name.startswith("tunesmith")])
"""


def said(site: Path, plugins: str, *lines: str) -> str:
    environ = {**os.environ, "PYTHONPATH": str(site), "TUNESMITH_PLUGINS": plugins}
    command = [sys.executable, "-c", PROBE, ";".join(lines)]
    done = subprocess.run(command, stdout=-1, stderr=subprocess.STDOUT, text=True, timeout=60, env=environ, check=True)
    return " ".join(done.stdout.split())


def test_a_plugins_commands_stand_beside_the_groups_own(site: Path) -> None:
    text = said(site, "first", "license install x.lic", "license first-usage export", "license --help", "--help")
    assert "first installs x.lic = 0" in text
    assert "first exports = 0" in text
    group, front = text.split("$ license --help")[1].split("$ --help")
    for words in (
        "inspect Show what a file's documents",
        "install Keep a license.",
        "first-only",
        "first-usage What was",
    ):
        assert words in group
    assert "Show something else" not in group
    assert "By their full names: first/license inspect" in group
    assert "first/license" not in front  # it is there already, as license


def test_without_plugins_the_group_has_its_own_commands_only(site: Path) -> None:
    text = said(site, "", "license --help", "license install x.lic")
    assert "Commands: inspect Show what a file's documents say, and who signed them. = 0" in text
    assert "no such command 'install'" in text


def test_the_groups_own_commands_stay_and_import_no_plugin(site: Path) -> None:
    text = said(site, "first", "license inspect no-such-file")
    assert "there is no such file" in text
    assert "first inspects" not in text
    assert text.endswith("[]")
    assert "first inspects = 0" in said(site, "first", "first/license inspect")


def test_what_two_plugins_have_is_called_by_its_full_name(site: Path) -> None:
    text = said(
        site,
        "first,second",
        "license install x.lic",
        "second/license install x.lic",
        "license second-only",
        "license --help",
    )
    assert "several plugins have a command license install given: first/license and second/license" in text
    assert "to do: write `tunesmith first/license install`" in text
    assert "second installs x.lic = 0" in text
    assert "only second = 0" in text
    assert "By their full names: first/license inspect second/license inspect first/license install" in text


def test_a_plugin_that_is_not_usable_takes_nothing_away(site: Path) -> None:
    text = said(
        site,
        "first,broken",
        "license install x.lic",
        "license inspect no-such-file",
        "license nothing",
        "license --help",
    )
    assert "first installs x.lic = 0" in text
    assert "there is no such file" in text
    nothing, group = text.split("$ license nothing")[1].split("$ license --help")
    assert "No module named 'no_such_module'" in nothing
    assert "`tunesmith plugins doctor broken`" in nothing
    assert "Not usable: broken/license" in group


def test_one_command_cannot_join_a_group(site: Path) -> None:
    text = said(site, "single", "license single", "single/license")
    assert "the command 'single/license' cannot join the group 'license': it is one command and no group" in text
    assert "expected: a typer.Typer with a callback" in text
    assert text.count("= 0") == 1  # by its full name it is as good as any


def test_sharing_an_open_groups_name_is_no_finding_of_the_doctor(site: Path) -> None:
    text = said(site, "first,second", "plugins doctor first --json")
    assert '"ok": true' in text
    assert "shared-name" not in text
