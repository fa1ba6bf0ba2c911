# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The commands, and the group that shows them without importing any.

Built-in commands are described by the same specs as those of plugins. ``--help`` and shell completion
see names and summaries only; a command's module is imported when the command runs.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from tunesmith.errors import PluginError, TunesmithError
from tunesmith.plugin import CommandSpec

if TYPE_CHECKING:
    from typer._click import Command, HelpFormatter

    from tunesmith._plugins import Provided

__all__ = [
    "BUILT_IN",
    "OPEN",
    "PipeClosedError",
    "RootGroup",
    "broken_plugins",
    "joining",
    "plugin_command",
    "slow_plugins",
]

MAKE, USE, LOOK = "Make", "Use", "Look up"
SLOW = 0.5
"""Seconds of import from which `--help` names a plugin: then starting feels slow, and this is why."""


def _built_in(name: str, panel: str, summary: str, module: str | None = None) -> CommandSpec:
    target = f"tunesmith_cli.commands.{module or name}:{'app' if module is None else name}"
    return CommandSpec(name=name, summary=summary, target=target, panel=panel)


BUILT_IN: dict[str, CommandSpec] = {
    spec.name: spec
    for spec in (
        _built_in("quickstart", MAKE, "Fine-tune a small model in a minute, offline, to see how it goes"),
        _built_in("plan", MAKE, "Say what a recipe will do, need and cost, before it is started"),
        _built_in("train", MAKE, "Fine-tune a model on your data, from a recipe or from flags"),
        _built_in("search", MAKE, "Try values of a recipe's keys and find the best"),
        _built_in("crossval", MAKE, "Train once for each fold: how good is a recipe, and how sure is that"),
        _built_in("evaluate", MAKE, "Score a model on labelled rows"),
        _built_in("runs", MAKE, "List, show and compare runs"),
        _built_in("verify", MAKE, "Check that a run, and what it was made of, is what it was"),
        _built_in("replay", MAKE, "Do a run again, and compare every loss, figure and weight"),
        _built_in("predict", USE, "Answer rows from a file or a pipe, as JSON lines"),
        _built_in("generate", USE, "Continue a prompt"),
        _built_in("chat", USE, "Talk to a model in the terminal"),
        _built_in("serve", USE, "Answer over HTTP, in the manner of OpenAI's API"),
        _built_in("batch", USE, "Answer the requests of a file in OpenAI's batch format"),
        _built_in("export", USE, "Write a model for other programs: merged, as GGUF or as ONNX, checked"),
        _built_in("recipe", LOOK, "Start a recipe, or print its JSON schema"),
        _built_in("tasks", LOOK, "What a model can be taught", "catalog"),
        _built_in("datasets", LOOK, "Datasets that come by name", "catalog"),
        _built_in("models", LOOK, "Models and architectures that come by name", "catalog"),
        _built_in("readers", LOOK, "File formats that can be read", "catalog"),
        _built_in("metrics", LOOK, "Figures of generated answers", "catalog"),
        _built_in("augmentations", LOOK, "Random changes of training rows", "catalog"),
        _built_in("objectives", LOOK, "What a task may minimize", "catalog"),
        _built_in("transforms", LOOK, "Changes of rows before a task reads them", "catalog"),
        _built_in("trackers", LOOK, "Where figures go beside the run folder", "catalog"),
        _built_in("exporters", LOOK, "Forms in which a model leaves", "catalog"),
        _built_in("cache", LOOK, "What is kept so that it need not be computed again"),
        _built_in("license", LOOK, "What a license or another signed document says"),
        _built_in("plugins", LOOK, "What is installed, what is wrong with it, and how to change it"),
        _built_in("doctor", LOOK, "Check this machine and this installation"),
    )
}

OPEN = frozenset({"license"})
"""Built-in groups that plugins add to: a plugin's command of this name joins the group (see ``open_group``)."""


class PipeClosedError(Exception):
    """Whoever read our output went away, as in ``tunesmith predict … | head``."""


class RootGroup(TyperGroup):
    """``tunesmith``: built-in commands and those of plugins, imported on use."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # typer would leave with exit code 1, as if it were our bug
            raise PipeClosedError from error

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        joined = {full_name for group in OPEN for full_name in joining(group)}
        return [*BUILT_IN, *(name for name in _plugin_commands() if name not in joined)]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Command | None:  # type: ignore[override]
        """What ``--help`` and completion see: a name and a summary."""
        spec = BUILT_IN.get(cmd_name)
        if spec is None:
            provided = _plugin_commands().get(cmd_name)
            if provided is None:
                return None
            spec = _command_spec(provided)
        return TyperCommand(name=cmd_name, help=spec.summary, rich_markup_mode=None, rich_help_panel=spec.panel)

    def resolve_command(  # type: ignore[override]
        self, ctx: typer.Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        """The command itself, imported now."""
        name = args[0]
        if name in BUILT_IN:
            module, _, attribute = BUILT_IN[name].target.partition(":")
            return name, _as_command(getattr(import_module(module), attribute), name), args[1:]
        if name in _plugin_commands() or "/" in name:
            return name, plugin_command(name), args[1:]
        if ctx.resilient_parsing:
            return None, None, args[1:]
        return ctx.fail(self._no_such_command(ctx, name))

    def _no_such_command(self, ctx: typer.Context, name: str) -> str:
        message = f"no such command: {name!r}"
        close = difflib.get_close_matches(name, self.list_commands(ctx), n=3)
        if close:
            return f"{message}. Did you mean {' or '.join(repr(match) for match in close)}?"
        broken = broken_plugins()
        if broken:
            message += f". These plugins are not usable, and neither are their commands: {', '.join(broken)}"
        return message

    def format_options(self, ctx: typer.Context, formatter: HelpFormatter) -> None:  # type: ignore[override]
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if isinstance(command, TyperCommand):
                panels.setdefault(command.rich_help_panel or "Plugins", []).append((name, command.help or ""))
        # One column width for all panels, so that the summaries stand in one line.
        width = max(len(name) for rows in panels.values() for name, _ in rows)
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in rows])
        options = [record for param in self.get_params(ctx) if (record := param.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl(options)
        broken = broken_plugins()
        if broken:
            with formatter.section("Not usable"):
                formatter.write_dl([(name.ljust(width), reason) for name, reason in broken.items()])
        slow = slow_plugins()
        if slow:
            with formatter.section("Slow to start"):
                formatter.write_dl([(name.ljust(width), reason) for name, reason in slow.items()])


def _as_command(app: Any, name: str) -> Command:
    command = typer.main.get_command(app)
    command.name = name
    # typer takes every app for a program of its own and adds these; here there is one program, and it has them.
    command.params = [param for param in command.params if param.name not in ("install_completion", "show_completion")]
    return command


# ---- plugins -----------------------------------------------------------------------------------


def _plugin_commands() -> dict[str, Provided]:
    """Plugin commands by the name they are called by: short while it is unique, else ``plugin/name``."""
    from tunesmith.registry import get_registry

    try:
        provided = get_registry().all("command")
    except TunesmithError:  # `plugins list` and `doctor` say why; they must not depend on it themselves
        return {}
    taken = [item.spec.name for item in provided]
    return {
        item.spec.name if taken.count(item.spec.name) == 1 and item.spec.name not in BUILT_IN else item.full_name: item
        for item in provided
    }


def _command_spec(provided: Provided) -> CommandSpec:
    assert isinstance(provided.spec, CommandSpec)
    return provided.spec


def joining(group: str) -> list[str]:
    """The full names of plugins' commands that join an open group."""
    return [item.full_name for item in _plugin_commands().values() if item.spec.name == group]


def plugin_command(name: str) -> Command:
    """A plugin's command by its short or full name, imported now.

    Raises:
        TunesmithError: there is none, or it is not usable.
    """
    from tunesmith.registry import get_registry

    app = get_registry().load("command", name)
    if not isinstance(app, typer.Typer):
        raise PluginError(
            f"the command {name!r} is not usable",
            given=f"its target is a {type(app).__name__}",
            expected="a typer.Typer",
            fix=_see_doctor(name),
        )
    try:
        return _as_command(app, name.rpartition("/")[2])
    except Exception as error:  # an app without commands, or with a function that typer cannot read
        raise PluginError(
            f"the command {name!r} is not usable: {type(error).__name__}: {error}",
            given="its typer.Typer",
            expected="an app with a command",
            fix=_see_doctor(name),
        ) from error


def _see_doctor(name: str) -> list[str]:
    plugin = _plugin_commands()[name].plugin if name in _plugin_commands() else name.partition("/")[0]
    return [f"see `tunesmith plugins doctor {plugin}`", "then update the plugin, or tell its authors"]


def slow_plugins() -> dict[str, str]:
    """Plugins that every start of the program waits for, with what to do in one line."""
    from tunesmith._plugins import get_host

    try:
        records = get_host().records
    except TunesmithError:
        return {}
    return {
        record.name: f"took {record.seconds:.1f} s to import; see `tunesmith plugins doctor {record.name}`"
        for record in records
        if record.seconds > SLOW
    }


def broken_plugins() -> dict[str, str]:
    """Plugins that cannot be used, with the reason in one line; those switched off are not among them."""
    from tunesmith._plugins import get_host

    try:
        records = get_host().records
    except TunesmithError as error:
        return {"(plugins)": error.what}
    return {
        record.name: f"{record.status}: {(record.reason or '').splitlines()[0] if record.reason else ''}".rstrip(": ")
        for record in records
        if record.status not in ("ok", "disabled")
    }
