# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""How a trained model is used, by its task: for the report and the model card."""

from __future__ import annotations

from tunesmith.evaluate.facts import RunFacts

__all__ = ["command_for", "python_call"]

_CONVERSES = ("chat", "preference")
_ROWS = {
    "question-answering": '[{"question": "Who?", "context": "a text"}]',
    "reward": '[{"prompt": "a question", "completion": "an answer"}]',
    "image-classification": '["picture.png"]',
    "tabular-classification": '[{"a column": 1.5, "another": "a name"}]',
    "tabular-regression": '[{"a column": 1.5, "another": "a name"}]',
}


def command_for(facts: RunFacts, place: str) -> tuple[str, str]:
    """What it does, in words, and the command that does it.

    Args:
        place: the model, quoted for a shell.
    """
    if _short(facts) in _CONVERSES:
        return "Talk to it", f"tunesmith chat {place}"
    if facts.generates:
        return "Let it write", f'tunesmith generate {place} --prompt "TEXT" --max-new-tokens 100'
    return "Predict a file", f"tunesmith predict {place} FILE"


def python_call(facts: RunFacts) -> str:
    """The same in Python, as an expression on ``model``."""
    short = _short(facts)
    if short in _CONVERSES:
        return 'model.chat([{"role": "user", "content": "Hello"}])'
    if facts.generates:
        return 'model.generate("a text", max_new_tokens=100)'
    if short == "embedding":
        return 'model.embed(["a text", "another text"])'
    rows = _ROWS.get(short, '["a text"]')
    return f"model.predict({rows})"


def _short(facts: RunFacts) -> str:
    return facts.task.rpartition("/")[2]
