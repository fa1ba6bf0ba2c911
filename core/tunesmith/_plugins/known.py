# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Find plugins by the name somebody typed, from metadata alone: a plugin that cannot be imported has a name too."""

from __future__ import annotations

import difflib
import importlib.metadata
from collections.abc import Iterable

from tunesmith._plugins.discover import BUILTIN, Candidate, scan
from tunesmith._plugins.requested import same
from tunesmith.errors import NotFoundError, PluginError

__all__ = ["distribution_of", "installed_plugins", "plugin_names"]


def installed_plugins() -> list[Candidate]:
    """Every entry point that says it is a plugin."""
    return scan(importlib.metadata.distributions())


def plugin_names(text: str) -> list[str]:
    """The plugins of a name: its own, or that of its distribution.

    Raises:
        NotFoundError: there is none.
    """
    found = installed_plugins()
    if text == BUILTIN or any(one.name == text for one in found):
        return [text]
    names = [one.name for one in found if same(one.distribution, text)]
    if not names:
        raise _not_found(text, [BUILTIN, *_names(found)])
    return names


def distribution_of(text: str, recorded: Iterable[str] = ()) -> str:
    """The distribution to remove: that of a plugin, or one that has plugins, or one that was recorded.

    Others are not among them, so that no slip of the hand takes away what tunesmith itself stands on.

    Raises:
        NotFoundError: there is none.
        PluginError: it is tunesmith itself, or a plugin's name that two distributions have.
    """
    if same(text, "tunesmith"):
        raise PluginError(
            "tunesmith itself is not removed as a plugin",
            given=text,
            expected="the name of a plugin, or of its package",
            fix="to remove tunesmith, use what you installed it with",
        )
    found = installed_plugins()
    owners = [one.distribution for one in found if one.name == text]
    packages = [one.distribution for one in found if same(one.distribution, text)]
    packages += [name for name in recorded if same(name, text)]
    # A package's whole name is clear, whatever its plugins are called; a plugin's name may be that of two packages.
    choices = list(dict.fromkeys(packages or owners))
    if not choices:
        raise _not_found(text, [*_names(found), *recorded])
    if packages or len(choices) == 1:
        if choices[0].startswith("("):
            raise PluginError(
                "the metadata of this package cannot be read, so that no installer can remove it",
                given=text,
                fix="remove its files from the environment by hand",
            )
        return choices[0]
    raise PluginError(
        "more than one package has a plugin of this name",
        given=text,
        expected=f"one of {', '.join(choices)}",
        fix=[f"`tunesmith plugins remove {choice}`" for choice in choices],
    )


def _names(found: Iterable[Candidate]) -> list[str]:
    return list(dict.fromkeys(name for one in found for name in (one.name, one.distribution)))


def _not_found(text: str, names: list[str]) -> NotFoundError:
    near = difflib.get_close_matches(text, names, n=1)
    advice = [f"did you mean {near[0]!r}?"] if near else []
    known = ", ".join(dict.fromkeys(names))
    return NotFoundError(
        "no plugin of this name is installed",
        given=text,
        expected=f"one of {known}" if known else "a plugin, and none is installed",
        fix=[*advice, "see `tunesmith plugins list`"],
    )
