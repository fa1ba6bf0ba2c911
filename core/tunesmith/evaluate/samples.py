# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Texts of a language model for its report: one per prompt, always the same for the same seed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tunesmith.engine.inputs import prompt_of
from tunesmith.engine.native import NativeEngine
from tunesmith.engine.requests import GenerateRequest, Sampling
from tunesmith.tasks.base import Task
from tunesmith.tasks.sections import Text

__all__ = ["sample_texts"]

OPENING_WORDS = 8
"""Words of a held-out text that a sample goes on from."""
TITLE = "Samples"

_OPENING = re.compile(rf"\s*(?:\S+\s+){{0,{OPENING_WORDS - 1}}}\S+")
_LONG = 2000  # characters


def sample_texts(
    engine: NativeEngine,
    task: Task[Any, Any],
    examples: Sequence[Any],
    *,
    count: int,
    max_new_tokens: int,
    seed: int = 0,
) -> Text:
    """What the model says: freely at first, then to held-out prompts.

    A model of plain text begins the first sample by itself and goes on from the opening words of rows in the others; a
    chat model answers conversations of rows, an encoder-decoder sources of rows. Rows are taken at even distances.
    Sampling is as the model's own settings say, else from its plain distribution.

    Args:
        engine: answers for the model.
        task: a task that generates.
        examples: held-out rows.
        count: samples to make.
        max_new_tokens: of each; shorter where the context leaves less.
        seed: of the first sample; the others count on from it.
    """
    settings = {name: value for name, value in getattr(task, "generation", {}).items() if value is not None}
    model_task: Any = task  # tasks that generate have more than the common contract
    stop: frozenset[int] = model_task.stop_tokens()
    passages = []
    for number, prompt in enumerate(_prompts(examples, count)):
        ids = tuple(model_task.prompt_tokens(prompt))
        room = engine.room(len(ids)) if hasattr(engine, "room") else None
        if room is not None and room < 1:
            passages.append((_caption(prompt), "(the prompt alone fills the model's context)"))
            continue
        request = GenerateRequest(
            prompt=ids,
            max_new_tokens=max_new_tokens if room is None else min(max_new_tokens, room),
            sampling=Sampling(seed=seed + number, **settings),
            stop_tokens=stop,
        )
        passages.append((_caption(prompt), "".join(token.text for token in engine.generate(request))))
    how = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in settings.items()) or "temperature 1"
    note = f"Drawn with {how}, seed {seed} and following."
    if settings.get("temperature") == 0:
        note = "Greedy: the likeliest token, again and again."
    return Text(title=TITLE, note=note, passages=passages)


def _prompts(examples: Sequence[Any], count: int) -> list[Any]:
    given = bool(examples) and (hasattr(examples[0], "messages") or hasattr(examples[0], "source"))
    free: list[Any] = [] if given else [""]
    wanted = max(0, count - len(free))
    places = [place * len(examples) // wanted for place in range(wanted)] if examples else []
    prompts = [prompt_of(examples[place]) for place in places]
    free += prompts if given else [_opening(prompt, place) for place, prompt in enumerate(prompts)]
    return free[:count]


def _opening(text: str, number: int) -> str:
    """The first words of a text; of one long text that serves several samples, of a line further in."""
    start = 0
    if len(text) >= _LONG:
        start = text.rfind("\n", 0, number * (len(text) // 7) % len(text)) + 1
    found = _OPENING.match(text[start : start + _LONG])
    return found.group().strip() if found else ""


def _caption(prompt: Any) -> str:
    if isinstance(prompt, str):
        return f"from: {prompt}" if prompt else "from the start"
    return "\n".join(f"{message.role}: {message.content}" for message in prompt)
