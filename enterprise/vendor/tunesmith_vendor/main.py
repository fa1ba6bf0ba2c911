# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The program ``tunesmith-vendor``: run one command, and turn whatever happens into output and an exit code.

Exit codes: 0 done; 1 a bug of ours; 2 wrong usage or input; 130 stopped (Ctrl-C); 141 nobody reads the output any more.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import typer

from tunesmith.errors import TunesmithError
from tunesmith_vendor import __version__
from tunesmith_vendor.commands import approving, build, documents, issuing, key, ledger, report, root

__all__ = ["app", "main"]

BUG, STOPPED, PIPE_CLOSED = 1, 130, 141

# No locals in tracebacks, and no boxes: a passphrase might stand in them.
app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(key.app, name="key")
app.add_typer(root.app, name="root")
app.command("inspect")(documents.inspect)
app.command("verify")(documents.verify)
app.command("build")(build.build)
issuing.register(app)
approving.register(app)
app.add_typer(ledger.app, name="ledger")
app.add_typer(report.app, name="report")


def _version(value: bool) -> None:
    if value:
        print(f"tunesmith-vendor {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def desk(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """The vendor's desk: keys and roots, licenses and their ledger, builds."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help(), file=sys.stderr)
        raise typer.Exit(2)


def main(args: Sequence[str] | None = None) -> int:
    """Run ``tunesmith-vendor`` with these arguments (default: the process's) and give back the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character must not end a command
    command = _command()
    try:
        code = command.main(
            list(sys.argv[1:] if args is None else args), prog_name="tunesmith-vendor", standalone_mode=False
        )
        sys.stdout.flush()
    except TunesmithError as error:
        return _fail(f"error: {error}", error.exit_code)
    except typer.TyperException as error:
        return _fail(_usage(error), getattr(error, "exit_code", 2))
    except (KeyboardInterrupt, typer.Abort):
        return _fail("", STOPPED)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code if isinstance(code, int) else 0


@cache
def _command() -> Any:
    """Reading all signatures takes longer than most commands do: once a process."""
    return typer.main.get_command(app)


def _fail(text: str, code: int) -> int:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)
    return code


def _usage(error: typer.TyperException) -> str:
    message = error.format_message().rstrip()
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "tunesmith-vendor"
    return f"error: {message[:1].lower()}{message[1:]}\n  to do:    see `{path} --help`"
