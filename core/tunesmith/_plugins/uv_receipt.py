# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A tool of uv's: an environment that ``uv tool install`` makes anew, from the whole list of what belongs into it.

So a plugin is added by naming the tool and everything that was there already: what is not named is taken out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tunesmith._plugins.requested import Requested, same
from tunesmith.errors import PluginError

__all__ = ["UvTool", "read_receipt"]


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    requirement: str
    editable: bool = False


@dataclass(frozen=True, slots=True)
class UvTool:
    """What a tool consists of: itself first, then what was installed with it."""

    parts: tuple[_Part, ...]
    options: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Distributions that were installed with the tool, without the tool."""
        return [part.name for part in self.parts[1:]]

    def install(
        self, *, add: Sequence[Requested] = (), remove: Sequence[str] = (), options: Sequence[str] = ()
    ) -> list[str]:
        """The arguments of uv that make the tool with more, or with less."""
        tool, *others = self.parts
        kept = [part for part in others if not any(same(part.name, name) for name in remove)]
        kept = [part for part in kept if not any(one.name and same(part.name, one.name) for one in add)]
        arguments = ["tool", "install", *self.options, *options]
        for part in kept:
            arguments += ["--with-editable" if part.editable else "--with", part.requirement]
        for one in add:
            arguments += ["--with", one.argument]
        return [*arguments, *(["--editable"] if tool.editable else []), tool.requirement]


def read_receipt(path: Path) -> UvTool:
    """Read uv's own list.

    Raises:
        PluginError: it cannot be read, or says something that is not known here: then a command made from it could
            take something out.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        tool = tomllib.loads(path.read_text("utf-8"))["tool"]
        if unknown := [key for key in ("constraints", "overrides", "excludes", "build-constraints") if tool.get(key)]:
            raise ValueError(f"it has {', '.join(unknown)}")
        python = ["--python", str(tool["python"])] if tool.get("python") else []
        return UvTool(tuple(map(_part, tool["requirements"])), (*python, *_options(tool.get("options", {}))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PluginError(
            f"the list of what belongs to this tool of uv's cannot be read: {type(error).__name__}: {error}",
            given=path,
            expected="what `uv tool install` writes",
            fix="`uv tool install --with PLUGIN tunesmith`, with a --with for everything that should be there",
        ) from error


def _options(options: Mapping[str, Any]) -> Iterator[str]:
    """The options it was installed with, where from above all, as they are typed."""
    for key, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if one is True:
                yield f"--{key}"
            elif isinstance(one, str):
                yield from (f"--{key}", one)
            elif key == "index" and isinstance(one, dict):
                yield from ("--default-index" if one.get("default") else "--index", one["url"])
            elif one is not False:
                raise ValueError(f"it says {key} = {value!r}")


def _part(facts: Mapping[str, Any]) -> _Part:
    known = ("name", "extras", "specifier", "url", "git", "directory", "editable", "path", "marker", "index")
    if unknown := [key for key in facts if key not in known]:
        raise ValueError(f"it says {', '.join(unknown)}")
    name = facts["name"]
    extras = f"[{','.join(facts['extras'])}]" if facts.get("extras") else ""
    if place := facts.get("editable"):
        return _Part(name, f"{place}{extras}", editable=True)
    if place := facts.get("directory") or facts.get("path"):
        return _Part(name, f"{place}{extras}")
    at = f" @ {facts['url']}" if facts.get("url") else f" @ git+{_git(facts['git'])}" if facts.get("git") else ""
    marker = f" ; {facts['marker']}" if facts.get("marker") else ""
    return _Part(name, f"{name}{extras}{at or facts.get('specifier', '')}{marker}")


def _git(url: str) -> str:
    """``https://host/repository?rev=v1`` as ``https://host/repository@v1``."""
    parts = urlsplit(url)
    named = parse_qs(parts.query)
    where = parts._replace(query="", fragment="").geturl()
    ref = next((named[key][0] for key in ("rev", "tag", "branch") if key in named), "")
    below = f"#subdirectory={named['subdirectory'][0]}" if "subdirectory" in named else ""
    return f"{where}{f'@{ref}' if ref else ''}{below}"
