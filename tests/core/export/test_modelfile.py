# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Chat templates in Go's language, where both can say the same."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer

from tunesmith.export.modelfile import modelfile
from tunesmith.tasks.chat_template import PLAIN_TEMPLATE, ChatTemplate

CHATML = (
    "{% for message in messages %}{{ '<|user|>' + message['role'] + '\n' + message['content'] + '<|end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|user|>assistant\n' }}{% endif %}"
)


@pytest.fixture
def written(chat_model: Path) -> Any:
    """Makes the Modelfile of a template: its text, and the notes."""

    def write(template: str, *, adds_bos: bool = True, **generation: float) -> tuple[str, list[str]]:
        tokenizer = AutoTokenizer.from_pretrained(chat_model)
        task = SimpleNamespace(
            template=ChatTemplate(tokenizer, template, "a model"), stop_tokens=lambda: {5}, generation=generation
        )
        subject: Any = SimpleNamespace(task=task, tokenizer=tokenizer)
        return modelfile(subject, "model.gguf", template=template, adds_bos=adds_bos)

    return write


def branch(role: str, before: str, behind: str) -> str:
    return f'if eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{behind}'


def test_roles_between_marks(written: Any) -> None:
    text, notes = written(CHATML, adds_bos=False)

    frames = (branch(role, f"<|user|>{role}\n", "<|end|>\n") for role in ("system", "user", "assistant"))
    loop = "{{ range .Messages }}{{ " + "{{ else ".join(frames) + "{{ end }}{{ end }}"
    assert f'TEMPLATE """{loop}<|user|>assistant\n"""\n' in text
    assert notes == []


def test_the_start_token_is_left_to_ollama(written: Any) -> None:
    text, notes = written(PLAIN_TEMPLATE)

    assert notes == []
    assert "<|endoftext|>User" not in text
    assert branch("user", "User:\n", "\n") in text
    assert branch("assistant", "Assistant:\n", "<|endoftext|>\n") in text
    assert text.split('"""')[1].endswith("{{ end }}{{ end }}Assistant:\n")
    # Nobody would write it then: better no template than one that lacks it.
    assert "TEMPLATE" not in written(PLAIN_TEMPLATE, adds_bos=False)[0]


@pytest.mark.parametrize(
    "template",
    [
        CHATML.replace("{% for", "{% if messages[0]['role'] != 'system' %}{{ 'Be good.' }}{% endif %}{% for", 1),
        CHATML.replace("'<|end|>' +", '\'"""<|end|>\' +'),
    ],
    ids=["a standing order", "three quotes"],
)
def test_what_cannot_be_said(template: str, written: Any) -> None:
    text, notes = written(template, adds_bos=False)

    assert "TEMPLATE" not in text
    assert "the Modelfile has no TEMPLATE" in notes[0]


def test_braces_stay_text(written: Any) -> None:
    text, _ = written(CHATML.replace("<|user|>", "{' + '{x<|user|>"), adds_bos=False)

    assert '{{ "{{" }}x<|user|>user' in text


def test_sampling_is_that_of_the_model(written: Any) -> None:
    lines = written(CHATML, adds_bos=False, temperature=0.0, top_k=20)[0].splitlines()

    assert lines[-6:] == [
        'PARAMETER stop "<|end|>"',
        "PARAMETER temperature 0",
        "PARAMETER top_k 20",
        "PARAMETER top_p 1",
        "PARAMETER min_p 0",
        "PARAMETER repeat_penalty 1",
    ]
