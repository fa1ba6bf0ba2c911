# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Which command adds or removes a plugin, for every way in which tunesmith may have been installed."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

import tunesmith
from tunesmith._plugins.installing import Installation, Surroundings, detect, look_around
from tunesmith._plugins.requested import request
from tunesmith.errors import PluginError, TunesmithError

PINNED = f"tunesmith=={tunesmith.__version__}"


@pytest.fixture
def venv(tmp_path: Path) -> Surroundings:
    (tmp_path / "app" / ".venv").mkdir(parents=True)
    return Surroundings(
        prefix=tmp_path / "app" / ".venv",
        executable="/app/.venv/bin/python",
        virtual=True,
        pip=True,
        which=lambda name: f"/bin/{name}",
    )


def add(installation: Installation, *texts: str, upgrade: bool = False) -> str:
    return shlex.join(installation.add([request(text) for text in texts], upgrade=upgrade))


def test_a_virtual_environment_with_pip(venv: Surroundings) -> None:
    found = detect(venv)

    assert (found.way, found.words) == ("pip", "a virtual environment, with pip")
    assert add(found, "tunesmith-xlsx>=0.1") == (
        f"/app/.venv/bin/python -m pip install -- 'tunesmith-xlsx>=0.1' {PINNED}"
    )
    assert add(found, "x", upgrade=True) == f"/app/.venv/bin/python -m pip install --upgrade -- x {PINNED}"
    assert shlex.join(found.remove(["x"])) == "/app/.venv/bin/python -m pip uninstall --yes -- x"
    assert shlex.join(found.fit("x", ">=9")) == "/app/.venv/bin/python -m pip install -- 'tunesmith>=9' x"


def test_a_virtual_environment_of_uv_without_pip(venv: Surroundings) -> None:
    found = detect(replace(venv, pip=False))

    assert found.way == "uv"
    assert add(found, "x") == f"uv pip install --python /app/.venv/bin/python -- x {PINNED}"
    assert shlex.join(found.remove(["x"])) == "uv pip uninstall --python /app/.venv/bin/python -- x"


def test_a_virtual_environment_that_uv_made_with_pip_in_it(venv: Surroundings) -> None:
    (venv.prefix / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.13.9\n")

    assert detect(venv).way == "uv"
    assert detect(replace(venv, which=lambda name: None)).way == "pip"


def test_the_environment_of_a_uv_project_is_told_by_its_lock(venv: Surroundings) -> None:
    project = venv.prefix.parent
    (project / "uv.lock").touch()

    found = detect(venv)

    assert (found.way, found.project) == ("uv project", project)
    assert add(found, "x>=1") == f"uv add --project {project} -- 'x>=1'"
    assert shlex.join(found.remove(["x"])) == f"uv remove --project {project} -- x"


def test_the_checkout_of_tunesmith_itself_is_not_changed(venv: Surroundings) -> None:
    (venv.prefix.parent / "uv.lock").touch()

    found = detect(replace(venv, pip=False, source=venv.prefix.parent))

    assert found.way == "uv"
    assert found.words.endswith(f"; tunesmith itself is used from {venv.prefix.parent}")


def test_an_application_of_pipx(venv: Surroundings) -> None:
    home = venv.prefix.with_name("tunesmith")
    home.mkdir()
    (home / "pipx_metadata.json").touch()
    (home / "pyvenv.cfg").write_text("uv = 0.13.9\n")  # pipx may make it with uv; it is pipx's all the same

    found = detect(replace(venv, prefix=home))

    assert found.way == "pipx"
    assert add(found, "x") == "pipx inject tunesmith x"
    assert shlex.join(found.remove(["x"])) == "pipx uninject tunesmith x"
    assert shlex.join(found.fit("x", ">=9")) == "pipx upgrade tunesmith"


RECEIPT = """
[tool]
requirements = [
    { name = "tunesmith", extras = ["serve"], specifier = ">=0.1" },
    { name = "plug-b", specifier = "<2" },
    { name = "plug-c", path = "/w/plug_c-1.0-py3-none-any.whl" },
    { name = "plug-d", editable = "/src/plug d" },
    { name = "plug-e", git = "https://example.org/e?rev=v1" },
]
python = "3.12"
entrypoints = [{ name = "tunesmith", install-path = "/bin/tunesmith" }]

[tool.options]
no-index = true
find-links = ["file:///w"]
index = [{ url = "https://example.org/simple", default = true }]
"""


def uv_tool(around: Surroundings, receipt: str = RECEIPT) -> Installation:
    (around.prefix / "uv-receipt.toml").write_text(receipt)
    return detect(around)


def test_a_tool_of_uv_keeps_what_it_has(venv: Surroundings) -> None:
    """`uv tool install` takes out what is not named."""
    found = uv_tool(venv)
    before = (
        "uv tool install --python 3.12 --no-index --find-links file:///w --default-index https://example.org/simple"
    )
    held = "--with /w/plug_c-1.0-py3-none-any.whl --with-editable '/src/plug d' --with 'plug-e @ git+https://example.org/e@v1'"

    assert found.way == "uv tool"
    assert add(found, "x>=1") == f"{before} --with 'plug-b<2' {held} --with 'x>=1' 'tunesmith[serve]>=0.1'"
    assert add(found, "plug_b>=1") == f"{before} {held} --with 'plug_b>=1' 'tunesmith[serve]>=0.1'"
    assert shlex.join(found.remove(["plug.B"])) == f"{before} {held} 'tunesmith[serve]>=0.1'"
    assert shlex.join(found.fit("x", ">=9")) == "uv tool upgrade tunesmith"


def test_what_came_into_a_tool_of_uv_behind_its_back_goes_the_same_way(venv: Surroundings) -> None:
    assert shlex.join(uv_tool(venv).remove(["x"])) == "uv pip uninstall --python /app/.venv/bin/python -- x"


@pytest.mark.parametrize(
    "receipt",
    [
        "[tool",
        "[tool]\n",
        '[tool]\nrequirements = [{ name = "tunesmith", tomorrow = 1 }]\n',
        '[tool]\nrequirements = [{ name = "tunesmith" }]\nconstraints = [{ name = "torch" }]\n',
    ],
)
def test_a_list_of_uv_that_is_not_understood_is_not_rewritten(venv: Surroundings, receipt: str) -> None:
    with pytest.raises(PluginError, match="the list of what belongs to this tool of uv's cannot be read"):
        uv_tool(venv, receipt)


def test_an_environment_of_conda(venv: Surroundings) -> None:
    (venv.prefix / "conda-meta").mkdir()
    around = replace(venv, virtual=False)

    with_pip, with_conda = detect(replace(around, installer="pip")), detect(replace(around, installer="conda"))

    assert (with_pip.way, with_conda.way) == ("pip", "conda")
    assert add(with_conda, "x>=1") == f"conda install --yes --prefix {venv.prefix} 'x>=1' {PINNED}"
    # What conda has no word for is left to pip.
    assert add(with_conda, "x[extra]").startswith("/app/.venv/bin/python -m pip install -- ")


def test_a_python_that_the_system_manages_is_left_alone(venv: Surroundings) -> None:
    found = detect(replace(venv, virtual=False, managed=Path("/usr/lib/python3/EXTERNALLY-MANAGED")))

    assert found.way == "system"
    with pytest.raises(PluginError) as caught:
        add(found, "x")
    for words in ("the system manages this Python itself", "EXTERNALLY-MANAGED", "uv tool install tunesmith", "venv"):
        assert words in str(caught.value)
    assert "break-system-packages" not in str(caught.value)


def test_pip_without_an_environment(venv: Surroundings) -> None:
    around = replace(venv, virtual=False)

    assert detect(around).way == "pip"
    assert add(detect(replace(around, user=True)), "x") == f"/app/.venv/bin/python -m pip install --user -- x {PINNED}"


def test_neither_pip_nor_uv(venv: Surroundings) -> None:
    found = detect(replace(venv, pip=False, which=lambda name: None))

    with pytest.raises(PluginError, match=r"no pip, and uv is not there either[\s\S]*ensurepip"):
        add(found, "x")


def test_this_environment_is_one_of_them() -> None:
    around = look_around()

    assert around.prefix.is_dir()
    assert Path(around.executable).is_file()
    assert detect(around).words


# ---- what is asked for ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "--index-url=http://evil",
        "-r requirements.txt",
        "-e .",
        "",
        " ",
        "two words",
        "x --pre",
        "x; rm -rf",
        "x\n--pre",
    ],
)
def test_what_is_no_package_is_refused(text: str) -> None:
    with pytest.raises(PluginError) as caught:
        request(text)

    assert "this is nothing that can be installed" in str(caught.value)
    assert f"given:    {text.strip()!r}" in str(caught.value)
    assert "expected: a name with versions" in str(caught.value)


def test_a_path_is_made_absolute_and_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-r").mkdir()

    assert request("./-r").argument == str(tmp_path / "-r")
    with pytest.raises(PluginError, match=r"no such file or folder[\s\S]*./gone"):
        request("./gone")


@pytest.mark.parametrize(
    "text", ["https://example.org/x-1.0.whl", "git+https://example.org/x@v1", "x @ https://e.org/x"]
)
def test_a_url_may_be_asked_for(text: str) -> None:
    assert request(text).argument == text


@pytest.mark.parametrize("text", ["tunesmith", "Tunesmith[serve]", "tunesmith>=9"])
def test_tunesmith_itself_is_no_plugin(text: str) -> None:
    with pytest.raises(TunesmithError, match="tunesmith itself is no plugin"):
        request(text)


def test_looking_for_pip_leaves_setuptools_importable():
    """torch.compile imports setuptools, whose finder is put out of order by a search for pip through it."""
    code = "import tunesmith._plugins.installing as i; print(i.look_around().pip); import setuptools, distutils; "
    code += "print(distutils.__file__)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pip, distutils = ran.stdout.split("\n", 1)
    assert pip == str(PathFinder.find_spec("pip") is not None)
    assert "setuptools" in distutils
