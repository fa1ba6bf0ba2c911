# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The command that adds a plugin to this installation of tunesmith, or removes one.

What is right depends on who made the environment: a tool that keeps a list of what belongs into it takes out again
what was put there behind its back. No command is run here.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import site
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Literal

import tunesmith
from tunesmith._plugins.requested import Requested, same
from tunesmith._plugins.uv_receipt import UvTool, read_receipt
from tunesmith.errors import PluginError

__all__ = ["Installation", "Surroundings", "Way", "detect", "look_around"]

Way = Literal["uv tool", "uv project", "uv", "pipx", "conda", "pip", "pip --user", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What there is to tell by; tests make their own.

    Attributes:
        prefix: the folder of the environment.
        executable: its Python.
        virtual: it is a virtual environment (not the Python that others are made from).
        pip: it has pip.
        managed: the file by which a system says that it manages this Python itself (PEP 668), if there is one.
        user: tunesmith is in the person's own site-packages, not in those of this Python.
        installer: what wrote tunesmith into the environment, as its metadata says: ``pip``, ``uv``, ``conda``.
        source: the folder tunesmith is used from, where it is installed as editable.
        which: finds a program, as :func:`shutil.which`.
    """

    prefix: Path
    executable: str
    virtual: bool
    pip: bool
    managed: Path | None = None
    user: bool = False
    installer: str = ""
    source: Path | None = None
    which: Callable[[str], str | None] = shutil.which


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """How tunesmith is installed, and so how plugins are.

    Attributes:
        way: which of the ways it is.
        words: for people: ``a virtual environment, with pip``.
        around: what it was told by.
        project: the folder of the project (``uv project`` only).
        tool: what the tool consists of (``uv tool`` only).
    """

    way: Way
    words: str
    around: Surroundings
    project: Path | None = None
    tool: UvTool | None = None

    def add(self, requested: Sequence[Requested], *, upgrade: bool = False) -> list[str]:
        """The command that adds packages, as a list of arguments.

        Args:
            requested: what to add.
            upgrade: take the newest version of each although one is there.

        Raises:
            PluginError: nothing can be installed here.
        """
        wanted = [one.argument for one in requested]
        # Naming the tunesmith that is here keeps it: a plugin made for another one is then an error, and not the
        # reason for which pip exchanges the program that is running.
        pinned = f"tunesmith=={tunesmith.__version__}"
        newest = [part for one in requested if upgrade and one.name for part in ("--upgrade-package", one.name)]
        if self.tool is not None:
            return ["uv", *self.tool.install(add=requested, options=newest)]
        if self.way == "uv project":
            return ["uv", "add", "--project", str(self.project), *newest, "--", *wanted]
        if self.way == "uv":
            return ["uv", "pip", "install", "--python", self.around.executable, *newest, "--", *wanted, pinned]
        if self.way == "pipx":
            return ["pipx", "inject", *(["--force"] if upgrade else []), self.around.prefix.name, *wanted]
        if self.way == "conda" and all(one.plain for one in requested):
            return ["conda", "install", "--yes", "--prefix", str(self.around.prefix), *wanted, pinned]
        options = [*(["--user"] if self.way == "pip --user" else []), *(["--upgrade"] if upgrade else [])]
        return [*self._pip("install"), *options, "--", *wanted, pinned]

    def fit(self, distribution: str, needs: str) -> list[str]:
        """The command that exchanges tunesmith itself for one that a plugin can be used with.

        Args:
            distribution: the plugin's.
            needs: the versions of tunesmith that it is made for, e.g. ``>=0.3,<0.5``.

        Raises:
            PluginError: nothing can be installed here.
        """
        wanted = [f"tunesmith{needs}", distribution]
        if self.tool is not None:
            return ["uv", "tool", "upgrade", self.tool.parts[0].name]
        if self.way == "uv project":
            return ["uv", "add", "--project", str(self.project), "--", *wanted]
        if self.way == "uv":
            return ["uv", "pip", "install", "--python", self.around.executable, "--", *wanted]
        if self.way == "pipx":
            return ["pipx", "upgrade", self.around.prefix.name]
        if self.way == "conda":
            return ["conda", "install", "--yes", "--prefix", str(self.around.prefix), *wanted]
        return [*self._pip("install"), *(["--user"] if self.way == "pip --user" else []), "--", *wanted]

    def remove(self, names: Sequence[str]) -> list[str]:
        """The command that removes distributions, as a list of arguments.

        Raises:
            PluginError: nothing can be removed here.
        """
        if self.tool is not None and any(same(name, one) for name in names for one in self.tool.names):
            return ["uv", *self.tool.install(remove=names)]
        if self.way == "uv project":
            return ["uv", "remove", "--project", str(self.project), "--", *names]
        if self.way in ("uv", "uv tool"):
            return ["uv", "pip", "uninstall", "--python", self.around.executable, "--", *names]
        if self.way == "pipx":
            return ["pipx", "uninject", self.around.prefix.name, *names]
        if self.way == "conda" and all(_installer(name) == "conda" for name in names):
            return ["conda", "remove", "--yes", "--prefix", str(self.around.prefix), *names]
        return [*self._pip("uninstall"), "--yes", "--", *names]

    def _pip(self, command: str) -> list[str]:
        if self.way == "system":
            raise PluginError(
                "the system manages this Python itself, and nothing else may install into it",
                given=self.around.managed,
                expected="an environment of tunesmith's own",
                fix=[
                    "`uv tool install tunesmith`, or `pipx install tunesmith`, and there add plugins again",
                    "or `python3 -m venv ENVIRONMENT`, and install tunesmith with ENVIRONMENT/bin/python -m pip",
                ],
            )
        if not self.around.pip:
            raise PluginError(
                "this environment has no pip, and uv is not there either",
                given=self.around.prefix,
                fix=[f"`{self.around.executable} -m ensurepip`, and then again", "or install uv"],
            )
        return [self.around.executable, "-m", "pip", command]


def look_around() -> Surroundings:
    """The surroundings of this process."""
    virtual = sys.prefix != sys.base_prefix
    managed = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    here = Path(tunesmith.__file__).resolve()
    own = site.getusersitepackages()
    # Looked up on the path itself: setuptools' finder takes importlib.util.find_spec("pip") for a run of pip, and from
    # then on no setuptools can be imported in this process, so torch could not compile.
    pip = PathFinder.find_spec("pip")
    return Surroundings(
        prefix=Path(sys.prefix),
        executable=sys.executable,
        virtual=virtual,
        pip=pip is not None,
        managed=managed if not virtual and managed.is_file() else None,
        user=not virtual and here.is_relative_to(Path(own).resolve()),
        installer=_installer("tunesmith"),
        source=_source(),
    )


def detect(around: Surroundings | None = None) -> Installation:
    """How tunesmith is installed.

    Raises:
        PluginError: the environment is a uv tool whose list of packages cannot be read.
    """
    around = around or look_around()

    def made(way: Way, words: str, **more: object) -> Installation:
        if around.source is not None:
            words += f"; tunesmith itself is used from {around.source}"
        return Installation(way=way, words=words, around=around, **more)  # type: ignore[arg-type]

    prefix = around.prefix
    if (receipt := prefix / "uv-receipt.toml").is_file():
        return made("uv tool", "a tool of uv's", tool=read_receipt(receipt))
    if (prefix / "pipx_metadata.json").is_file():
        return made("pipx", "an application of pipx's")
    if (prefix / "conda-meta").is_dir():
        if around.installer == "conda":
            return made("conda", "an environment of conda's, tunesmith too")
        return made("pip", "an environment of conda's, with tunesmith from pip")
    if around.virtual:
        project = prefix.parent
        # `uv sync` takes out what the project does not name, so there the project has to name it. The project that
        # is tunesmith itself names what it needs, not what whoever works on it tries out.
        ours = around.source is not None and around.source == project
        if prefix.name == ".venv" and (project / "uv.lock").is_file() and not ours and around.which("uv"):
            return made("uv project", f"the environment of the uv project {project}", project=project)
        if around.which("uv") and (not around.pip or _made_by_uv(prefix)):
            return made("uv", "a virtual environment, with uv")
        return made("pip", "a virtual environment, with pip")
    if around.managed is not None:
        return made("system", "a Python that the system manages")
    if around.user:
        return made("pip --user", "the person's own packages, with pip")
    return made("pip", "a Python without an environment of its own, with pip")


def _made_by_uv(prefix: Path) -> bool:
    try:
        lines = (prefix / "pyvenv.cfg").read_text("utf-8").splitlines()
    except OSError:
        return False
    return any(line.partition("=")[0].strip() == "uv" for line in lines)


def _installer(distribution: str) -> str:
    try:
        return (importlib.metadata.distribution(distribution).read_text("INSTALLER") or "").strip()
    except importlib.metadata.PackageNotFoundError:
        return ""


def _source() -> Path | None:
    """The folder tunesmith was installed from as editable (PEP 610)."""
    try:
        origin = json.loads(importlib.metadata.distribution("tunesmith").read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            from urllib.parse import urlsplit
            from urllib.request import url2pathname

            return Path(url2pathname(urlsplit(origin["url"]).path))
    except (importlib.metadata.PackageNotFoundError, ValueError, KeyError, AttributeError):
        pass  # no metadata, or none that can be read: then nothing is known, and nothing needs to be
    return None
