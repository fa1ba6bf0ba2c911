# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import io
from collections.abc import Iterator

import pytest

from tunesmith.errors import ModelError
from tunesmith_cli.commands.chat import Conversation
from tunesmith_cli.screen import Screen
from tunesmith_cli.settings import Settings

Messages = list[dict[str, str]]


class Parrot:
    """Answers with the number of messages and the last one; keeps what it was asked."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.asked: list[Messages] = []
        self.fails = fails

    def __call__(self, messages: Messages) -> Iterator[str]:
        self.asked.append([dict(message) for message in messages])
        yield f"{len(messages)}: "
        if self.fails is not None:
            raise self.fails
        yield messages[-1]["content"]


def talk(*lines: str, answer: Parrot | None = None, system: str | None = None) -> tuple[Parrot, str, str]:
    parrot, out, err = answer or Parrot(), io.StringIO(), io.StringIO()
    Conversation(parrot, Screen(Settings(), out=out, err=err), system).run(iter(lines))
    return parrot, out.getvalue(), err.getvalue()


def test_each_line_is_answered_and_remembered() -> None:
    parrot, out, _ = talk("hello\n", "\n", "again\n")
    assert out == "1: hello\n3: again\n"
    assert [message["role"] for message in parrot.asked[1]] == ["user", "assistant", "user"]
    assert parrot.asked[1][1]["content"] == "1: hello"


def test_the_system_message_comes_first_and_can_be_changed_and_dropped() -> None:
    parrot, _, err = talk("a", "/system Be short", "b", "/system", "c", system="Be kind")
    assert [asked[0] for asked in parrot.asked] == [
        {"role": "system", "content": "Be kind"},
        {"role": "system", "content": "Be short"},
        {"role": "user", "content": "a"},
    ]
    assert "system: Be short" in err
    assert "no system message" in err


def test_reset_forgets_and_exit_leaves() -> None:
    _, out, err = talk("a", "/reset", "b", "/exit", "c")
    assert out == "1: a\n1: b\n"
    assert "forgotten" in err


def test_an_unknown_command_is_not_sent_to_the_model() -> None:
    parrot, _, err = talk("/help")
    assert parrot.asked == []
    assert "no such command: /help. /reset forgets" in err


def test_ctrl_c_cuts_the_answer_short_and_keeps_what_was_said() -> None:
    parrot = Parrot(fails=KeyboardInterrupt())
    _, out, err = talk("a", answer=parrot)
    assert out == "1: \n"
    assert "cut short" in err
    parrot.fails = None
    assert parrot.asked == [[{"role": "user", "content": "a"}]]


def test_an_error_ends_a_piped_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(ModelError, match="does not fit"):
        talk("a", answer=Parrot(fails=ModelError("the conversation does not fit")))


def test_an_error_at_the_keyboard_is_told_and_the_message_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard = io.StringIO()
    keyboard.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", keyboard)
    parrot = Parrot(fails=ModelError("the conversation does not fit"))
    _, _, err = talk("a", "b", answer=parrot)
    assert "error: the conversation does not fit" in err
    assert [len(asked) for asked in parrot.asked] == [1, 1]
