# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What somebody asks to have installed: read strictly, since it becomes the argument of another program."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tunesmith.errors import PluginError

__all__ = ["Requested", "request", "same"]

_URL = re.compile(r"(?:(?:git|hg|svn|bzr)\+)?(?:https?|ssh|file)://[^\s]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """A package to install.

    Attributes:
        text: as it is remembered: a path is absolute.
        name: of the distribution; empty where only what is installed can say.
        plain: it is a name, with versions where they matter: what every installer understands.
        folder: it is a folder on this machine.
    """

    text: str
    name: str = ""
    plain: bool = False
    folder: bool = False

    @property
    def argument(self) -> str:
        """As an argument of an installer; it never begins with ``-``."""
        return self.text


def same(one: str, other: str) -> bool:
    """Whether two names are of one distribution, whatever case and separators they are written with."""
    return _normal(one) == _normal(other)


def request(text: str) -> Requested:
    """Read one package as a person writes it: a requirement (PEP 508), a path, or a URL.

    Raises:
        PluginError: it is none of these, or is tunesmith itself.
    """
    text = text.strip()
    if text.startswith("-") or not text.isprintable():  # an option of the installer, or something that hides one
        raise _refused(text)
    if _URL.match(text):
        return Requested(text=text)
    if (
        os.sep in text.partition("@")[0]
        or text.startswith((".", "~"))
        or (os.altsep or os.sep) in text.partition("@")[0]
    ):
        path = Path(text).expanduser().absolute()
        if not path.exists():
            raise PluginError(
                "there is no such file or folder to install",
                given=text,
                expected="the folder of a project, or a wheel",
                fix="correct the path",
            )
        return Requested(text=os.path.normpath(path), folder=path.is_dir())
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise _refused(text) from None
    if same(requirement.name, "tunesmith"):
        raise PluginError(
            "tunesmith itself is no plugin",
            given=text,
            expected="the package of a plugin",
            fix="to change tunesmith, use what you installed it with",
        )
    return Requested(
        text=text,
        name=requirement.name,
        plain=not (requirement.url or requirement.extras or requirement.marker),
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _refused(text: str) -> PluginError:
    return PluginError(
        "this is nothing that can be installed",
        given=repr(text),
        expected="a name with versions where they matter (tunesmith-xlsx>=0.1), a path (./my-plugin), or a URL",
        fix="correct it; options of the installer are not handed on",
    )
