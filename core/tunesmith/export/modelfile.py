# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A ``Modelfile`` for Ollama (https://github.com/ollama/ollama/blob/main/docs/modelfile.md).

Ollama's templates are Go's, not Jinja's. Where a chat template writes one message after the other, each between two
fixed texts, both can say the same; that is found out by rendering, and checked on other conversations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.errors import ModelError

if TYPE_CHECKING:
    from tunesmith.export.subject import Subject

__all__ = ["modelfile"]

_ROLES = ("system", "user", "assistant")
_QUESTION, _ANSWER, _ORDER = "What is seven times six?", "Forty-two.", "Answer in one line."
_PROBES: tuple[tuple[tuple[str, str], ...], ...] = (
    (("user", "Hello"),),
    (("system", "Be kind."), ("user", "Hello")),
    (("user", "Hello"), ("assistant", "Hi"), ("user", "And now?")),
    (("system", "Be kind."), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e")),
)


def modelfile(subject: Subject, file: str, *, template: str | None, adds_bos: bool) -> tuple[str, list[str]]:
    """The text of a Modelfile, and what people must know of it.

    Args:
        file: name of the GGUF file beside it.
        template: chat template; ``None``: the model goes on with plain text.
        adds_bos: Ollama puts the start token in front by itself.
    """
    task: Any = subject.task
    lines, notes = [f"FROM ./{file}"], []
    if template is None:
        lines.append('TEMPLATE """{{ .Prompt }}"""')
    else:
        written = _go_template(subject, adds_bos=adds_bos)
        if written is None:
            notes.append(
                "the Modelfile has no TEMPLATE: the chat template does more than write one message after the other; "
                "Ollama uses the file's own where it knows it, so compare answers before you rely on them"
            )
        else:
            lines.append(f'TEMPLATE """{written}"""')
    for text in subject.tokenizer.convert_ids_to_tokens(sorted(task.stop_tokens())):
        lines.append(f"PARAMETER stop {_quoted(text)}")
    settings = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, **task.generation}
    # Ollama has defaults of its own (top_k 40, a penalty on repetition), which nobody trained with.
    lines += [f"PARAMETER {name} {settings[name]:g}" for name in ("temperature", "top_k", "top_p")]
    lines += ["PARAMETER min_p 0", "PARAMETER repeat_penalty 1"]
    return "\n".join(lines) + "\n", notes


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _go_template(subject: Subject, *, adds_bos: bool) -> str | None:
    """The chat template in Go's language; ``None`` where it cannot be said that way."""
    try:
        frames, opening = _frames(subject)
        for probe in _PROBES:
            known = [message for message in probe if message[0] in frames]
            wanted = "".join(f"{frames[role][0]}{text}{frames[role][1]}" for role, text in known) + opening
            start = subject.tokenizer.bos_token or ""
            if _render(subject, known) not in (wanted, start + wanted):
                return None
            if known and _render(subject, known) == start + wanted and start and not adds_bos:
                return None
    except (ModelError, ValueError):
        return None
    branches = [
        f'{{{{ {"if" if number == 0 else "else if"} eq .Role "{role}" }}}}{_go(before)}{{{{ .Content }}}}{_go(behind)}'
        for number, (role, (before, behind)) in enumerate(frames.items())
    ]
    whole = "{{ range .Messages }}" + "".join(branches) + "{{ end }}{{ end }}" + _go(opening)
    return None if '"""' in whole else whole


def _go(text: str) -> str:
    """A text that stays what it is: braces would be taken for commands."""
    return text.replace("{{", '{{ "{{" }}') if "{{" in text else text


def _frames(subject: Subject) -> tuple[dict[str, tuple[str, str]], str]:
    """Role to the texts before and behind what it says, and what opens an answer."""
    start = subject.tokenizer.bos_token or ""
    asked = _render(subject, [("user", _QUESTION)])
    whole = _render(subject, [("user", _QUESTION)], opened=False)
    opening = asked.removeprefix(whole)
    if not asked.startswith(whole):
        raise ValueError("a prompt is no beginning of a conversation")
    before, behind = _around(whole, _QUESTION)
    first = before.removeprefix(start) if start and before.startswith(start) else before
    frames = {"user": (first, behind)}
    answered = _render(subject, [("user", _QUESTION), ("assistant", _ANSWER)], opened=False)
    if not answered.startswith(whole):
        raise ValueError("an earlier message is written anew")
    frames["assistant"] = _around(answered.removeprefix(whole), _ANSWER)
    try:
        ordered = _render(subject, [("system", _ORDER), ("user", _QUESTION)], opened=False)
        head, found, _ = ordered.rpartition(first + _QUESTION)
        if found:
            order = _around(head, _ORDER)
            plain = order[0].removeprefix(start) if start and order[0].startswith(start) else order[0]
            frames = {"system": (plain, order[1]), **frames}
    except ModelError:
        pass  # a template without a system message
    return frames, opening


def _around(text: str, said: str) -> tuple[str, str]:
    before, found, behind = text.partition(said)
    if not found or said in behind:
        raise ValueError("what is said does not stand there once")
    return before, behind


def _render(subject: Subject, messages: Sequence[tuple[str, str]], *, opened: bool = True) -> str:
    task: Any = subject.task
    template = getattr(task, "chat", task).template  # a model of preferences renders as the chat in it does
    text: str = template.text([{"role": role, "content": said} for role, said in messages], prompt=opened)
    return text
