# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith chat`: a conversation in the terminal, or line by line from a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Annotated, Any

import typer

from tunesmith_cli.sampling import Greedy, MaxNewTokens, Seed, Temperature, TopK, TopP, stream
from tunesmith_cli.screen import Screen
from tunesmith_cli.settings import Debug, Quiet, Settings

__all__ = ["Conversation", "app"]

app = typer.Typer(rich_markup_mode=None)

COMMANDS = "/reset forgets what was said, /system TEXT instructs, /exit leaves"


@app.command()
def chat(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run, a model folder, a named model or a hub id.")],
    system: Annotated[str | None, typer.Option("--system", metavar="TEXT", help="Tell the model how to be.")] = None,
    max_new_tokens: MaxNewTokens = None,
    greedy: Greedy = False,
    seed: Seed = 0,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Talk to a model. /reset, /system TEXT and /exit steer; Ctrl-C cuts an answer short."""
    import tunesmith
    from tunesmith.errors import ModelError

    settings = ctx.find_object(Settings) or Settings()
    loaded = tunesmith.load(model)
    if not loaded.chats:
        raise ModelError(
            "this model does not answer messages",
            given=f"{model}, a model of the task {loaded.task}",
            expected="a model of the task chat or preference",
            fix=[
                f'tunesmith generate {model} --prompt "…" goes on with text, where the model can',
                "tunesmith recipe new chat shows how to teach a model to chat",
            ],
        )
    options = {
        "max_new_tokens": max_new_tokens,
        "greedy": greedy,
        "seed": seed,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
    }
    screen = Screen(settings)
    screen.note(f"{model}. {COMMANDS}.")
    Conversation(lambda messages: stream(ctx, loaded, messages, **options), screen, system).run(_lines())


class Conversation:
    """What was said so far, and the commands that change it.

    Args:
        answer: messages to the pieces of the next answer.
        screen: where answers and notes go.
        system: first message, or None.
    """

    def __init__(
        self, answer: Callable[[list[dict[str, str]]], Iterator[str]], screen: Screen, system: str | None
    ) -> None:
        self._answer = answer
        self._screen = screen
        self._system = system
        self._said: list[dict[str, str]] = []

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation, the system's message first."""
        return ([{"role": "system", "content": self._system}] if self._system else []) + self._said

    def run(self, lines: Iterator[str]) -> None:
        """Answer each line; ``/exit`` or the end of the lines ends it."""
        for line in lines:
            text = line.strip()
            if text.startswith("/"):
                if self._command(text):
                    return
            elif text:
                self._reply(text)

    def _command(self, text: str) -> bool:
        name, _, rest = text.partition(" ")
        if name in ("/exit", "/quit"):
            return True
        if name == "/reset":
            self._said.clear()
            self._screen.note("forgotten")
        elif name == "/system":
            self._system = rest.strip() or None
            self._screen.note(f"system: {self._system}" if self._system else "no system message")
        else:
            self._screen.note(f"no such command: {name}. {COMMANDS}")
        return False

    def _reply(self, text: str) -> None:
        from tunesmith.errors import TunesmithError

        self._said.append({"role": "user", "content": text})
        pieces: list[str] = []
        try:
            for piece in self._answer(self.messages):
                pieces.append(piece)
                self._screen.result(piece, end="")
        except KeyboardInterrupt:
            self._screen.note(" (cut short)")
        except TunesmithError as error:
            self._said.pop()
            if not sys.stdin.isatty():  # a program is talking: it should know
                raise
            self._screen.note(f"error: {error}")
            return
        self._screen.result()
        if pieces:
            self._said.append({"role": "assistant", "content": "".join(pieces)})
        else:
            self._said.pop()  # two messages of the user in a row are no conversation


def _lines() -> Iterator[str]:
    """Lines from the keyboard, with editing and recall where the platform has it; or from a pipe."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    with suppress(ImportError):  # Windows has none; input() edits lines there by itself
        import readline  # noqa: F401
    while True:
        try:
            line: Any = input("> ")
        except EOFError:
            print(file=sys.stderr)
            return
        except KeyboardInterrupt:
            print("\n(/exit or Ctrl-D leaves)", file=sys.stderr)
            continue
        yield line
