# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith chat`: a conversation in the terminal, or line by line from a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunesmith_cli.sampling import Greedy, MaxNewTokens, Seed, Temperature, TopK, TopP, settle
from tunesmith_cli.screen import Screen
from tunesmith_cli.settings import Debug, Quiet, Settings

if TYPE_CHECKING:
    from tunesmith.engine import Engine, EngineInfo, Sampling

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
    from tunesmith.engine import open_engine

    screen = Screen(ctx.find_object(Settings) or Settings())
    with closing(open_engine(model, slots=1)) as engine:
        _check_chats(engine.info, model)
        sampling = settle(ctx, engine.info, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, greedy=greedy)
        screen.note(f"{model}. {COMMANDS}.")
        Conversation(lambda messages: _answer(engine, messages, sampling, max_new_tokens), screen, system).run(_lines())


def _check_chats(info: EngineInfo, model: str) -> None:
    from tunesmith.errors import ModelError

    if not info.chats:
        raise ModelError(
            "this model does not answer messages",
            given=f"{model}, a model of the task {info.task}",
            expected="a model of the task chat or preference",
            fix=[
                f'tunesmith generate {model} --prompt "…" goes on with text, where the model can',
                "tunesmith recipe new chat shows how to teach a model to chat",
            ],
        )


def _answer(
    engine: Engine, messages: Sequence[Mapping[str, str]], sampling: Sampling, max_new_tokens: int | None
) -> Iterator[str]:
    """The pieces of the next answer. What was said before is read from the engine's prefix cache."""
    from tunesmith.engine import GenerateRequest
    from tunesmith.engine.model import MAX_NEW_TOKENS

    prompt = tuple(messages)
    if max_new_tokens is None and engine.info.context is not None:
        # At least 1, so that a conversation that fills the context meets the engine's own words.
        max_new_tokens = max(1, min(MAX_NEW_TOKENS, engine.info.context - len(engine.tokenize(prompt))))
    request = GenerateRequest(prompt=prompt, max_new_tokens=max_new_tokens or MAX_NEW_TOKENS, sampling=sampling)
    return (token.text for token in engine.submit(request) if token.text)


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
