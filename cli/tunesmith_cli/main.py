# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The program: run one command, and turn whatever happens into output and an exit code.

Exit codes: 0 done; 1 a bug of ours; 2 wrong usage or input; 3 training could not go on, or an export does
not answer as its model; 130 stopped on request (Ctrl-C); 141 whoever read our output went away.
"""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from tunesmith import __version__
from tunesmith.errors import OutputError, StoppedError, TunesmithError
from tunesmith_cli.logs import shown
from tunesmith_cli.root import PipeClosedError, RootGroup
from tunesmith_cli.settings import Debug, Quiet, Settings

__all__ = ["app", "main"]

BUG, STOPPED, PIPE_CLOSED = 1, 130, 141
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

app = typer.Typer(cls=RootGroup, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(value: bool) -> None:
    if value:
        print(f"tunesmith {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
    no_plugins: Annotated[
        bool, typer.Option("--no-plugins", help="Load nothing but the built-ins; before a command only.")
    ] = False,
) -> None:
    """Fine-tune open models on your own data, see what came out, use it."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help(), file=sys.stderr)
        raise typer.Exit(2)


def main(args: Sequence[str] | None = None) -> int:
    """Run ``tunesmith`` with these arguments (default: the process's) and give back the exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character must not end a job
    settings = Settings()
    args = list(sys.argv[1:] if args is None else args)
    try:
        with _without_plugins(args):
            return _run(args, settings)
    except StoppedError as error:
        return _fail(str(error), error, settings)
    except TunesmithError as error:
        return _fail(f"error: {error}", error, settings)
    except typer.TyperException as error:
        return _fail(_usage(error), error, settings)
    except (KeyboardInterrupt, typer.Abort):
        print(file=sys.stderr)
        return STOPPED
    except (BrokenPipeError, PipeClosedError):
        _let_go_of_stdout()
        return PIPE_CLOSED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:  # files are OutputErrors by now; this is a stream
            _let_go_of_stdout()
            return _fail(_no_room(error), OutputError(str(error)), settings)
        return _fail(_bug(error), error, settings)


@contextlib.contextmanager
def _without_plugins(args: Sequence[str]) -> Iterator[None]:
    """Do what ``--no-plugins`` says, in the processes that this one starts too.

    Not when the option is parsed: ``tunesmith --help --no-plugins`` has loaded the plugins by then.
    """
    before_command = itertools.takewhile(lambda arg: arg.startswith("-"), args)
    if "--no-plugins" not in before_command:
        yield
        return
    name, was = "TUNESMITH_PLUGINS", os.environ.get("TUNESMITH_PLUGINS")
    os.environ[name] = ""
    try:
        yield
    finally:
        if was is None:
            del os.environ[name]
        else:
            os.environ[name] = was


def _open_closed_streams() -> None:
    """Python has None for a stream that was closed before it started (`>&-`, some daemons)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 -- open as long as the process


def _run(args: list[str], settings: Settings) -> int:
    # typer would print usage errors in a shape of its own (standalone_mode) and turn a closed pipe into a bug.
    command = typer.main.get_command(app)
    with shown(settings):
        code = command.main(args, prog_name="tunesmith", standalone_mode=False, obj=settings)
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _fail(text: str, error: BaseException, settings: Settings) -> int:
    if settings.debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    with contextlib.suppress(OSError):  # nobody may be there any more; the exit code says it too
        print(text, file=sys.stderr)
    return int(getattr(error, "exit_code", BUG))


def _usage(error: typer.TyperException) -> str:
    message = error.format_message().rstrip()
    ctx = getattr(error, "ctx", None)
    help_of = ctx.command_path if ctx is not None else "tunesmith"
    lines = [f"error: {message[:1].lower()}{message[1:]}"]
    commands = getattr(getattr(ctx, "command", None), "commands", None)
    if commands and message.lower().startswith("missing command"):
        lines.append(f"  expected: one of {', '.join(commands)}")
    return "\n".join([*lines, f"  to do:    see `{help_of} --help`"])


def _no_room(error: OSError) -> str:
    return f"error: the output cannot be written: {error.strerror}\n  to do:    make room, or send it elsewhere"


def _bug(error: Exception) -> str:
    return "\n".join(
        [
            f"error: {type(error).__name__}: {error}",
            "  this is a bug: run again with --debug, and report what it prints",
        ]
    )


def _let_go_of_stdout() -> None:
    # `tunesmith predict … | head` is no error. Python would complain once more when it flushes at exit.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
