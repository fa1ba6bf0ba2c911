# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Import one plugin, check its hooks, ask it what it provides: every way in which that can fail, told apart."""

from __future__ import annotations

import difflib
import inspect
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import pluggy

from tunesmith._deprecated import OLD_HOOKS
from tunesmith._plugins.discover import Candidate
from tunesmith._plugins.kinds import HOOKS, PROVIDE
from tunesmith.plugin import PROJECT, Hooks, RecipeSectionSpec, Spec

if TYPE_CHECKING:
    from pluggy import HookimplOpts

__all__ = ["Enrolled", "Refused", "ask", "enroll", "failure", "short"]


class Refused(Exception):  # noqa: N818 - it never leaves the host; the record keeps its words
    """This plugin cannot be used. ``reason`` is one line, ``traceback`` the plugin's own failure, if any."""

    def __init__(self, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.traceback = traceback


def failure(error: BaseException) -> str:
    """An exception on one line, as the last line of a traceback says it."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A plugin whose hooks can be called.

    Attributes:
        name: of its entry point.
        hooks: the names of the hooks it implements.
        callers: one for each of them, through pluggy.
    """

    name: str
    hooks: frozenset[str]
    callers: pluggy.HookRelay


class _Manager(pluggy.PluginManager):
    """As pluggy's, but it knows the old names of hooks, and does not look closer at what can be none: most of what a
    module has is ``__doc__`` and its like, and what it imported."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> HookimplOpts | None:
        options = super().parse_hookimpl_opts(plugin, name) if _may_be_hook(plugin, name) else None
        old = options and OLD_HOOKS.get(options.get("specname") or name)
        if not options or not old:
            return options
        # Under both names it serves two versions of tunesmith, and this one needs the new name only.
        return None if hasattr(plugin, old[0]) else {**options, "specname": old[0]}


def _may_be_hook(plugin: object, name: str) -> bool:
    if name.startswith("__"):
        return False
    if not isinstance(plugin, ModuleType):
        return True
    found = vars(plugin).get(name)
    return inspect.isroutine(found) and hasattr(found, f"{PROJECT}_impl")  # the marker that pluggy puts on it


class _Specifications(ModuleType):
    """Those of some hooks: parsing all of them for each plugin was most of what a plugin cost at every start."""

    def __init__(self, hooks: Iterable[str]) -> None:
        super().__init__(Hooks.__module__)
        vars(self).update({hook: getattr(Hooks, hook) for hook in hooks})

    def __dir__(self) -> list[str]:
        return [name for name in vars(self) if not name.startswith("__")]


def enroll(candidate: Candidate) -> Enrolled:
    """Import a plugin, check its hooks and register it.

    Each plugin has a pluggy manager of its own. One manager with ``subset_hook_caller`` was tried: there a
    plugin object that cannot be hashed (an instance of a dataclass, say) makes the calls of all others fail.

    Raises:
        Refused: it cannot be imported, or a hook of it is unknown, unmarked or takes the wrong arguments.
    """
    try:
        plugin = candidate.load()
    except (Exception, SystemExit) as error:
        raise _refused(f"importing {candidate.target} failed", error) from error
    if plugin is None:
        raise Refused(f"the entry point {candidate.target} holds None, expected a module or an object with hooks")
    manager = _Manager(PROJECT)
    try:
        hooks = _implemented(manager, plugin, candidate.name)
        if hooks:
            manager.add_hookspecs(_Specifications(hooks))
        manager.register(plugin, name=candidate.name)
    except Refused:
        raise
    except pluggy.PluginValidationError as error:  # the arguments of a hook
        raise Refused(" ".join(str(error).split())) from error
    except Exception as error:
        raise _refused(f"registering {candidate.target} failed", error) from error
    return Enrolled(candidate.name, hooks, manager.hook)


def ask(plugin: Enrolled) -> list[Spec]:
    """Everything a plugin provides, each result checked.

    Raises:
        Refused: a provide hook failed or returned something else than it must.
    """
    specs: list[Spec] = []
    for hook, expected in PROVIDE.items():
        if hook in plugin.hooks:
            specs.extend(_ask_one(hook, getattr(plugin.callers, hook), expected))
    for spec in specs:
        if isinstance(spec, RecipeSectionSpec) and spec.name != plugin.name:
            raise Refused(
                "tunesmith_recipe_sections may name one section, and that as the plugin: "
                f"expected {plugin.name!r}, given {spec.name!r}"
            )
    return specs


def _implemented(manager: pluggy.PluginManager, plugin: object, name: str) -> frozenset[str]:
    hooks = set()
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            if attribute not in OLD_HOOKS:
                _refuse_unmarked(plugin, attribute)
            continue
        if attribute in OLD_HOOKS:
            OLD_HOOKS[attribute][1].tell(f"the plugin {name!r}")
        hook = options.get("specname") or attribute
        if options.get("wrapper") or options.get("hookwrapper"):
            raise Refused(f"{attribute} is a hook wrapper, expected a plain hook: plugins are called one by one")
        if hook in HOOKS:
            hooks.add(hook)
        elif not options.get("optionalhook"):
            raise Refused(f"unknown hook {hook!r}{_did_you_mean(hook)}")
    return frozenset(hooks)


def _refuse_unmarked(plugin: object, attribute: str) -> None:
    """A forgotten ``@hookimpl`` would otherwise mean a plugin that silently does nothing."""
    if not attribute.startswith("tunesmith_") or not inspect.isroutine(inspect.getattr_static(plugin, attribute, None)):
        return
    if attribute in HOOKS:
        raise Refused(f"the function {attribute} is not marked; put @hookimpl (from tunesmith.plugin) above it")
    if hint := _did_you_mean(attribute):  # anything further off is the plugin's own function
        raise Refused(f"{attribute!r} is no hook and not marked @hookimpl{hint}")


def _did_you_mean(hook: str) -> str:
    near = difflib.get_close_matches(hook, sorted(HOOKS), n=1, cutoff=0.8)
    return f"; did you mean {near[0]!r}?" if near else ""


def _ask_one(hook: str, caller: Callable[[], list[object]], expected: type[Spec]) -> list[Spec]:
    try:
        results = caller()
        specs = [spec for result in results for spec in _listed(hook, result, expected)]
    except Refused:
        raise
    except (Exception, SystemExit) as error:
        raise _refused(f"{hook} failed", error) from error
    if not results:  # pluggy leaves None out
        raise Refused(f"{hook} returned None, expected an iterable of {expected.__name__}")
    names: set[str] = set()
    for spec in specs:
        if spec.name in names:
            raise Refused(f"{hook} returned the name {spec.name!r} twice, expected each name once in a plugin")
        names.add(spec.name)
    return specs


def _listed(hook: str, result: object, expected: type[Spec]) -> list[Spec]:
    if isinstance(result, (str, Spec)) or not isinstance(result, Iterable):
        raise Refused(f"{hook} returned {short(result)}, expected an iterable of {expected.__name__}")
    specs = list(result)  # runs a generator, so its exceptions are caught with the hook's own
    for position, spec in enumerate(specs):
        if not isinstance(spec, expected):
            raise Refused(f"{hook} returned {short(spec)} at place {position}, expected a {expected.__name__}")
    return specs


def short(value: object, limit: int = 80) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _refused(what: str, error: BaseException) -> Refused:
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return Refused(f"{what}: {failure(error)}", trace)
