# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Built-in groups that plugins add commands to.

A plugin's command that has the name of an open group (``root.OPEN``) joins it: its commands stand beside the group's
own. Those stay what they are, whatever a plugin brings. Plugins' commands are imported when the group is asked for more
than its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from typer.core import TyperGroup

from tunesmith.errors import PluginError, TunesmithError
from tunesmith_cli.root import joining, plugin_command

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

__all__ = ["OpenGroup"]


class OpenGroup(TyperGroup):
    """Its own commands, and those of plugins that have a command of its name."""

    def list_commands(self, ctx: Context) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name, owners in self._joined.items() if name not in own and len(owners) == 1)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        owners = self._joined.get(cmd_name, {})
        if len(owners) > 1:
            raise PluginError(
                f"several plugins have a command {self.name} {cmd_name}",
                given=" and ".join(owners),
                expected="the full name of one of them",
                fix=f"write `tunesmith {next(iter(owners))} {cmd_name}`",
            )
        if not owners and self._broken and not ctx.resilient_parsing:
            raise next(iter(self._broken.values()))  # it may be one of this plugin's
        return next(iter(owners.values()), None)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        shared = {
            name: owners for name, owners in self._joined.items() if len(owners) > 1 or name in self.commands
        }  # the short name is another's
        if shared:
            with formatter.section("By their full names"):
                formatter.write_dl([(f"{owner} {name}", "") for name, owners in shared.items() for owner in owners])
        if self._broken:
            with formatter.section("Not usable"):
                formatter.write_dl([(name, error.what) for name, error in self._broken.items()])

    @cached_property
    def _plugins(self) -> tuple[dict[str, TyperGroup], dict[str, TunesmithError]]:
        """By full names: the groups of plugins that join, and why others cannot."""
        groups: dict[str, TyperGroup] = {}
        broken: dict[str, TunesmithError] = {}
        for name in joining(self.name or ""):
            try:
                command = plugin_command(name)
            except TunesmithError as error:
                broken[name] = error
                continue
            if isinstance(command, TyperGroup):
                groups[name] = command
            else:
                broken[name] = PluginError(
                    f"the command {name!r} cannot join the group {self.name!r}: it is one command and no group",
                    given="a typer.Typer with one command and no callback",
                    expected="a typer.Typer with a callback: @app.callback()",
                    fix="update the plugin, or tell its authors",
                )
        return groups, broken

    @property
    def _joined(self) -> Mapping[str, Mapping[str, Command]]:
        """By its short name: each plugin's command under the plugin's full name."""
        found: dict[str, dict[str, Command]] = {}
        for owner, group in self._plugins[0].items():
            for name, command in group.commands.items():
                found.setdefault(name, {})[owner] = command
        return found

    @property
    def _broken(self) -> Mapping[str, TunesmithError]:
        return self._plugins[1]
