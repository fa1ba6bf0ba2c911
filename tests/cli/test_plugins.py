# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Plugins as they are installed: folders with metadata on the path, in a process of their own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from forge import Forge

GOOD = """
from tunesmith.plugin import CommandSpec, hookimpl

@hookimpl
def tunesmith_commands():
    return [
        CommandSpec(name="label", summary="Label rows by hand", target="good_cli:app"),
        CommandSpec(name="wreck", summary="Does not import", target="no_such_module:app"),
        CommandSpec(name="odd", summary="Is no app", target="good_cli:number"),
        CommandSpec(name="bare", summary="Has no command", target="good_cli:empty"),
        CommandSpec(name="train", summary="Has the name of a built-in", target="good_cli:app"),
    ]
"""
GOOD_CLI = """
import typer

app = typer.Typer()
number = 3
empty = typer.Typer()

@app.command()
def label(file: str, times: int = 1) -> None:
    print("labelled", file, times)
"""


def install(folder: Path, name: str, **modules: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[tunesmith.plugins.v1]\n{name} = {name}_plugin\n", encoding="utf-8")
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text, encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install(tmp_path, "good", good_plugin=GOOD, good_cli=GOOD_CLI)
    install(tmp_path, "bad", bad_plugin="raise RuntimeError('half installed')")
    return tmp_path


def conditions(site: Path, limit: str = "good,bad") -> dict[str, str]:
    """Variables with which a process finds these plugins and no others."""
    return {**os.environ, "PYTHONPATH": str(site), "TUNESMITH_PLUGINS": limit}


def tunesmith(site: Path, *args: str, limit: str = "good,bad") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tunesmith_cli", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=conditions(site, limit))


def test_help_shows_plugin_commands_and_says_what_is_broken(site: Path) -> None:
    done = tunesmith(site, "--help")
    assert done.returncode == 0
    assert re.search(r"^  label +Label rows by hand$", done.stdout, re.MULTILINE)
    assert re.search(r"^  good/train +Has the name of a built-in$", done.stdout, re.MULTILINE)
    assert done.stdout.index("Plugins:") < done.stdout.index("label ") < done.stdout.index("Options:")
    assert "bad_plugin failed: RuntimeError: half" in " ".join(done.stdout.split("Not usable:")[1].split())


def test_a_plugin_command_runs_with_its_own_arguments(site: Path) -> None:
    done = tunesmith(site, "label", "rows.csv", "--times", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "labelled rows.csv 2\n", "")
    full = tunesmith(site, "good/label", "rows.csv")
    assert full.stdout == "labelled rows.csv 1\n"
    assert "Usage: tunesmith label" in tunesmith(site, "label", "--help").stdout


def test_the_help_of_a_plugin_command_offers_no_completion_of_its_own(site: Path) -> None:
    assert "install-completion" not in tunesmith(site, "label", "--help").stdout


def test_the_help_of_a_command_that_does_not_import_says_why_and_what_to_do(site: Path) -> None:
    done = tunesmith(site, "wreck", "--help")
    assert done.returncode == 2
    for words in ("ModuleNotFoundError: No module named 'no_such_module'", "`tunesmith plugins doctor good`"):
        assert words in done.stderr
    assert tunesmith(site, "label", "x").returncode == 0


def test_a_command_that_does_not_import_is_explained(site: Path) -> None:
    done = tunesmith(site, "wreck")
    assert done.returncode == 2
    for words in ("error: ", "'good' (good 1.0)", "command 'wreck'", "No module named 'no_such_module'", "to do:"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in tunesmith(site, "--debug", "wreck").stderr


def test_a_target_that_is_no_app_is_explained(site: Path) -> None:
    done = tunesmith(site, "odd")
    assert done.returncode == 2
    assert "its target is a int" in done.stderr
    assert "expected: a typer.Typer" in done.stderr
    assert "see `tunesmith plugins doctor good`" in done.stderr


def test_an_app_without_commands_is_the_plugins_fault_and_not_ours(site: Path) -> None:
    done = tunesmith(site, "bare")
    assert done.returncode == 2
    assert "the command 'bare' is not usable: RuntimeError" in done.stderr
    assert "this is a bug" not in done.stderr


def test_a_plugin_that_takes_long_is_named_in_the_help(site: Path) -> None:
    install(site, "slow", slow_plugin="import time\ntime.sleep(0.6)")
    done = tunesmith(site, "--help", limit="slow")
    assert done.returncode == 0
    told = " ".join(done.stdout.split("Slow to start:")[1].split())
    assert re.fullmatch(r"slow took \d\.\d s to import; see `tunesmith plugins doctor slow`", told)


@pytest.mark.parametrize("order", [("--no-plugins", "--help"), ("--help", "--no-plugins")])
def test_no_plugins_loads_none(site: Path, order: tuple[str, str]) -> None:
    done = tunesmith(site, *order)
    assert done.returncode == 0
    assert "Label rows by hand" not in done.stdout
    assert "Not usable" not in done.stdout


def test_no_plugins_holds_for_the_processes_a_command_starts(site: Path) -> None:
    """`plugins list` looks in a process of its own; there they are, and none was loaded."""
    done = tunesmith(site, "--no-plugins", "plugins", "list", "--json")
    records = {record["name"]: record for record in json.loads(done.stdout)}
    assert (records["bad"]["status"], records["good"]["status"]) == ("disabled", "disabled")
    assert records["tunesmith"]["status"] == "ok"


def test_a_built_in_cannot_be_shadowed(site: Path) -> None:
    assert "A recipe file" in tunesmith(site, "train", "--help").stdout
    assert tunesmith(site, "good/train", "x").stdout == "labelled x 1\n"


def test_a_mistyped_plugin_command_is_guessed(site: Path) -> None:
    done = tunesmith(site, "lable")
    assert done.returncode == 2
    assert "no such command: 'lable'. Did you mean 'label'?" in done.stderr


def test_an_unknown_command_may_belong_to_a_broken_plugin(site: Path) -> None:
    done = tunesmith(site, "xylophone")
    assert done.returncode == 2
    assert "not usable, and neither are their commands: bad" in done.stderr


def test_plugins_list_tells_states_and_reasons(site: Path) -> None:
    done = tunesmith(site, "plugins", "list")
    assert done.returncode == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "good good 1.0 ok 5 commands" in lines
    assert "bad bad 1.0 broken" in lines
    assert "bad: importing bad_plugin failed: RuntimeError: half installed" in lines
    records = {record["name"]: record for record in json.loads(tunesmith(site, "plugins", "list", "--json").stdout)}
    assert records["good"]["status"] == "ok"
    assert records["good"]["provides"]["command"] == ["label", "wreck", "odd", "bare", "train"]
    assert records["bad"]["status"] == "broken"
    assert "half installed" in records["bad"]["reason"]


def test_lists_say_that_a_broken_plugin_may_be_missing_from_them(site: Path) -> None:
    done = tunesmith(site, "tasks", "list")
    assert done.returncode == 0
    assert "text-classification" in done.stdout
    assert "the plugin bad is not usable" in done.stderr


def test_doctor_fails_when_a_plugin_is_broken(site: Path, forge: Forge) -> None:
    done = forge.tunesmith("doctor", "--json", env=conditions(site))
    report = json.loads(done.stdout)
    assert done.returncode == 2
    assert report["ok"] is False
    broken = [finding["name"] for finding in report["findings"] if finding["broken"]]
    assert "plugin bad" in broken
    assert "plugin good" not in broken
