# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What to type when a plugin is not well."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import shlex
import sys
from collections.abc import Callable

from tunesmith._plugins.installing import Installation, detect
from tunesmith._plugins.records import PluginRecord
from tunesmith._plugins.requested import Requested, same
from tunesmith.errors import PluginError

__all__ = ["Remedies", "home_page", "metadata_field", "missing_module"]

_MISSING = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
_NEEDS = re.compile(r"needs tunesmith(\S+);")
_CALLED = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "llama_cpp": "llama-cpp-python",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "PyYAML",
}
"""Modules whose distribution has another name. No other is guessed: a package of that name may be anybody's."""


def missing_module(reason: str) -> str:
    """The module whose absence a reason is about; empty where it is about something else."""
    found = _MISSING.search(reason)
    return found[1] if found else ""


class Remedies:
    """Lines of advice, with the commands of this installation.

    Args:
        installation: how tunesmith is installed; default: as it is here.
    """

    def __init__(self, installation: Installation | None = None) -> None:
        self._installation = installation
        if installation is None:
            with contextlib.suppress(PluginError):  # then advice names no command of an installer
                self._installation = detect()

    def exchange(self, record: PluginRecord) -> tuple[str, ...]:
        """For what only another version of the plugin can mend."""
        name = record.distribution
        if record.name == "tunesmith":
            return ("tunesmith itself is not whole: install it again",)
        if name.startswith("("):  # its metadata cannot be read, so no installer knows it by name
            return ("remove its files: no installer can, since its metadata cannot be read",)
        return (
            self._line("update it", lambda one: one.add([_named(name)], upgrade=True), f"update {name}"),
            f"or remove it: `tunesmith plugins remove {record.name}`",
        )

    def fit(self, record: PluginRecord) -> tuple[str, ...]:
        """For a plugin that was made for another tunesmith."""
        needs = _NEEDS.search(record.reason)
        lines = list(self.exchange(record))
        if needs:
            source = self._installation.around.source if self._installation else None
            wanted = f"tunesmith{needs[1]}"
            if source is not None:
                lines.insert(0, f"bring the source of tunesmith in {source} to {wanted}")
            else:
                command = self._line(
                    f"get {wanted}", lambda one: one.fit(record.distribution, needs[1]), f"get {wanted}"
                )
                lines.insert(0, command)
            lines[1] = f"or {lines[1]}"
        return tuple(lines)

    def missing(self, record: PluginRecord, module: str) -> tuple[str, ...]:
        """For a module that is not there: the distribution to install, where that is known."""
        top = module.partition(".")[0]
        remove = f"or remove the plugin: `tunesmith plugins remove {record.name}`"
        if record.target.partition(":")[0].partition(".")[0] == top:
            return (f"{record.distribution} is not whole: install it again", remove)
        if top in sys.stdlib_module_names:
            return (f"{top} belongs to Python itself: this Python was built without it",)
        wanted, extra = _declared(record.distribution, top)
        if extra:
            wanted = f"{record.distribution}[{extra}]"
        if not wanted and top in _CALLED:
            wanted = _CALLED[top]
        if wanted:
            command = self._line(f"install {wanted}", lambda one: one.add([_named(wanted)]), f"install {wanted}")
            return (command,) if record.name == "tunesmith" else (command, remove)
        return (
            f"{record.distribution} does not say which package has {top!r}: ask its authors, {self.home(record)}",
            remove,
        )

    def apart(self, record: PluginRecord, rivals: list[str]) -> tuple[str, ...]:
        """For a name that is taken: which to uninstall."""
        choices = [f"`tunesmith plugins remove {name}`" for name in rivals or [record.distribution]]
        return (f"keep one, and remove the other: {' or '.join(choices)}" if len(choices) > 1 else choices[0],)

    def home(self, record: PluginRecord) -> str:
        """Where its authors are found."""
        try:
            metadata = importlib.metadata.metadata(record.distribution)
        except (importlib.metadata.PackageNotFoundError, ValueError):
            return f"of {record.distribution}"
        return (
            home_page(metadata.get_all("Project-URL") or [], metadata_field(metadata, "Home-page"))
            or f"of {record.distribution}"
        )

    def _line(self, what: str, command: Callable[[Installation], list[str]], otherwise: str) -> str:
        if self._installation is not None:
            try:
                return f"{what}: `{shlex.join(command(self._installation))}`"
            except PluginError:
                pass  # nothing can be installed here; `tunesmith plugins add` says why
        return otherwise


def metadata_field(metadata: importlib.metadata.PackageMetadata, name: str) -> str:
    """A field of a distribution's metadata; empty where it is not there."""
    return next(iter(metadata.get_all(name) or []), "")


def home_page(urls: list[str], old: str) -> str:
    """The home page, or the first address there is, of the lines ``LABEL, ADDRESS`` of a distribution's metadata."""
    pairs = [(label.strip().lower(), url.strip()) for label, _, url in (line.partition(",") for line in urls)]
    homes = [url for label, url in pairs if label.replace("-", "").replace(" ", "") in ("homepage", "home")]
    return next(iter([*homes, *([old] if old else []), *(url for _, url in pairs)]), "")


def _named(text: str) -> Requested:
    return Requested(text=text, name=re.split(r"[\[<>=!~; ]", text)[0], plain="[" not in text)


def _declared(distribution: str, module: str) -> tuple[str, str]:
    """The requirement of a distribution that has a module, and the extra it belongs to, both empty where unknown."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        lines = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return "", ""
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if same(requirement.name, module) or same(requirement.name, _CALLED.get(module, module)):
            extra = re.search(r"""extra == ["']([^"']+)["']""", str(requirement.marker or ""))
            return f"{requirement.name}{requirement.specifier}", extra[1] if extra else ""
    return "", ""
