# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith plugins add|remove|restore` with the real pip, in a virtual environment of its own."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from fake_plugins import wheel

PLUGIN = (
    "@hookimpl\ndef tunesmith_readers():\n    return [ReaderSpec(name='ini', summary='x', target='ini_plugin:read')]\n"
)
PLUGIN += "def read(path, options):\n    return iter(())\n"


class Environment:
    """A virtual environment that sees what this one has, and into which pip installs without a network."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder / "env", folder / "config"
        venv.create(self.folder, with_pip=False)
        own = {"base": str(self.folder), "platbase": str(self.folder)}
        ours = Path(sysconfig.get_path("purelib", vars=own))
        theirs = sysconfig.get_path("purelib")
        (ours / "seen.pth").write_text(f"import site; site.addsitedir({theirs!r})\n")
        self.python = sysconfig.get_path("scripts", vars=own) + "/python"

    def tunesmith(self, *args: str, limit: str = "ini,loop") -> subprocess.CompletedProcess[str]:
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environ |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "TUNESMITH_PLUGINS": limit}
        environ |= {"PIP_NO_WARN_CONFLICTS": "1"}  # among the packages that it sees of this environment, some hundred
        environ |= {"XDG_CONFIG_HOME": str(self.config), "PATH": os.defpath}
        command = [self.python, "-m", "tunesmith_cli", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environ)

    def plugins(self, *args: str) -> subprocess.CompletedProcess[str]:
        return self.tunesmith("plugins", *args)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    if sys.platform == "win32":
        pytest.skip("an environment of another shape")
    pytest.importorskip("pip")
    return Environment(tmp_path)


def test_a_plugin_is_added_checked_remembered_and_restored(environment: Environment, tmp_path: Path) -> None:
    path = wheel(tmp_path / "wheels", "ini", PLUGIN)

    shown = environment.plugins("add", str(path))
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"{environment.python} -m pip install -- {path} tunesmith==")
    assert "Nothing was run" in shown.stderr
    assert not environment.config.exists()

    added = environment.plugins("add", str(path), "--yes", "--json")
    assert added.returncode == 0, added.stderr
    report = json.loads(added.stdout)
    assert (report["way"], report["ran"]) == ("pip", True)
    assert report["command"][:4] == [environment.python, "-m", "pip", "install"]
    assert report["added"] == [{"requirement": str(path), "name": "tunesmith-ini", "version": "1.0"}]
    assert [(one["name"], one["ok"]) for one in report["plugins"]] == [("ini", True)]
    held = (environment.config / "tunesmith" / "plugins.toml").read_text("utf-8")
    assert f'environment = "{environment.folder}"' in held

    whole = environment.plugins("restore")
    assert (whole.returncode, whole.stdout) == (0, "")
    assert "there: tunesmith-ini" in whole.stderr
    assert "nothing is missing" in whole.stderr

    # As an upgrade that makes the environment anew leaves it.
    subprocess.run([environment.python, "-m", "pip", "uninstall", "--yes", "-q", "tunesmith-ini"], check=True)
    wiped = environment.plugins("restore", "--yes", "--json")
    assert wiped.returncode == 0, wiped.stderr
    report = json.loads(wiped.stdout)
    assert [one["name"] for one in report["missing"]] == ["tunesmith-ini"]
    assert (report["ran"], report["there"], report["plugins"][0]["ok"]) == (True, [], True)


def test_a_plugin_that_breaks_the_tool_is_removed_with_the_tool(environment: Environment, tmp_path: Path) -> None:
    path = wheel(tmp_path / "wheels", "loop", "import os\nos._exit(9)\n")

    added = environment.plugins("add", str(path), "--yes")
    assert added.returncode == 2
    assert "added tunesmith-loop 1.0" in added.stdout
    assert "loop: importing loop_plugin: the process ended with exit code 9" in added.stdout
    assert environment.tunesmith("tasks", "list").returncode == 9  # nothing else works …
    assert environment.tunesmith("--no-plugins", "tasks", "list").returncode == 0

    removed = environment.plugins("remove", "loop", "--yes")
    assert (removed.returncode, removed.stdout) == (0, "removed tunesmith-loop\n")
    assert "tunesmith-loop" not in (environment.config / "tunesmith" / "plugins.toml").read_text("utf-8")
    assert environment.tunesmith("tasks", "list").returncode == 0


def test_an_installer_that_fails_leaves_nothing_behind(environment: Environment) -> None:
    done = environment.plugins("add", "tunesmith-nowhere", "--yes")

    assert done.returncode == 2
    assert "the installer failed with exit code 1" in done.stderr
    assert "No matching distribution found for tunesmith-nowhere" in done.stderr
    assert not environment.config.exists()


def test_a_list_that_cannot_be_read_stops_everything_before_it_begins(environment: Environment, tmp_path: Path) -> None:
    held = environment.config / "tunesmith" / "plugins.toml"
    held.parent.mkdir(parents=True)
    held.write_text("format = 1\n[[plugin")
    path = wheel(tmp_path / "wheels", "ini", PLUGIN)

    for command in (("add", str(path), "--yes"), ("restore", "--yes"), ("remove", "xlsx", "--yes")):
        done = environment.plugins(*command)
        assert done.returncode == 2
        assert "the list of added plugins cannot be used" in done.stderr
        assert "nothing was installed or removed" in done.stderr
    assert held.read_text() == "format = 1\n[[plugin"


def test_two_environments_do_not_mix(environment: Environment) -> None:
    held = environment.config / "tunesmith" / "plugins.toml"
    held.parent.mkdir(parents=True)
    entry = 'environment = "/old"\nrequirement = "tunesmith-ini>=1"\nname = "tunesmith-ini"\nversion = "1.0"\n'
    held.write_text(f"format = 1\n[[plugin]]\n{entry}")

    here, old = environment.plugins("restore"), environment.plugins("restore", "--from", "/old")

    assert here.returncode == 2
    assert "`tunesmith plugins restore --from /old`" in here.stderr
    assert old.stdout.startswith(f"{environment.python} -m pip install -- 'tunesmith-ini>=1' tunesmith==")


@pytest.mark.parametrize("text", ["--index-url=http://evil.example", "tunesmith", "two words"])
def test_what_is_no_plugin_is_refused_before_anything_runs(environment: Environment, text: str) -> None:
    done = environment.plugins("add", "--yes", "--", text)

    assert done.returncode == 2
    assert f"given:    {text!r}" in done.stderr or f"given:    {text}" in done.stderr
    assert "pip" not in done.stderr


@pytest.mark.parametrize("name", ["tunesmith", "torch"])
def test_nothing_but_plugins_is_removed(environment: Environment, name: str) -> None:
    done = environment.plugins("remove", name, "--yes")

    assert done.returncode == 2
    assert "is not removed as a plugin" in done.stderr or "no plugin of this name" in done.stderr
