# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""A handful of rows with what the model made of them, so that every other form of it can be held against them.

``golden.json`` lies in a run's folder::

    {"format": 1, "task": "tunesmith/chat", "rendering": "sha256:…", "rows_from": "test",
     "texts": [{"prompt": …, "ids": […], "tokens": […], "alternatives": [[[id, logprob], …], …]}, …],
     "rows": [{"values": {…}, "items": [{"length": …, "features": {…}, "numbers": […]}]}, …]}

``texts`` is for models that write (prompts, rendered; greedy tokens; the likeliest tokens at each place), ``rows`` for
all others (the model's input, and probabilities, scores or vectors).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunesmith.errors import RunError
from tunesmith.evaluate.probe import Probe
from tunesmith.tasks.base import Encoded, Task
from tunesmith.tasks.rendering import task_name

__all__ = ["GOLDEN", "Golden", "GoldenItem", "GoldenRow", "GoldenText", "golden_set", "rendering_digest"]

GOLDEN = "golden.json"
FORMAT = 1
ROWS = 4
TOKENS = 32
"""Greedy tokens of each text, at most."""
ALTERNATIVES = 5
FAR = -1e30
"""In place of the log-probability of a token that the model rules out, which JSON cannot hold."""
LONGEST = 1024
"""Rows of more tokens are passed over: they would make every check slow."""
OPENING = 200
"""Characters of a document that a model of plain text is given to go on from."""


@dataclass(frozen=True, slots=True)
class GoldenText:
    """A prompt, and the greedy answer to it.

    Attributes:
        prompt: text, or messages.
        ids: the prompt as tokens.
        tokens: the likeliest token, again and again; ends with the stop token where the answer came to its end.
        alternatives: for each of ``tokens``, the likeliest tokens at its place with their log-probabilities in nats,
            best first.
    """

    prompt: str | tuple[Mapping[str, Any], ...]
    ids: tuple[int, ...]
    tokens: tuple[int, ...]
    alternatives: tuple[tuple[tuple[int, float], ...], ...]


@dataclass(frozen=True, slots=True)
class GoldenItem:
    """One input of the model, and what the model said.

    Attributes:
        encoded: the input as numbers.
        numbers: probabilities, scores or a vector, float64.
    """

    encoded: Encoded
    numbers: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """A row of a task that does not write.

    Attributes:
        values: the task's columns, where they can be written down; ``None`` for images and tables.
        items: one, or several for a long text.
    """

    values: Mapping[str, Any] | None
    items: tuple[GoldenItem, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """What :func:`golden_set` made.

    Attributes:
        task: full name.
        rendering: digest of everything that ``rendering.json`` says (:func:`rendering_digest`).
        rows_from: the split the rows are of, or ``built-in`` for rows that no user wrote.
        texts: of models that write.
        rows: of all others.
    """

    task: str
    rendering: str
    rows_from: str
    texts: tuple[GoldenText, ...] = ()
    rows: tuple[GoldenRow, ...] = ()

    def __len__(self) -> int:
        return len(self.texts) + len(self.rows)

    def json(self) -> str:
        """As ``golden.json`` has it."""
        return json.dumps(
            {
                "format": FORMAT,
                "task": self.task,
                "rendering": self.rendering,
                "rows_from": self.rows_from,
                "texts": [
                    {"prompt": one.prompt, "ids": one.ids, "tokens": one.tokens, "alternatives": one.alternatives}
                    for one in self.texts
                ],
                "rows": [
                    {"values": row.values, "items": [_item_json(item) for item in row.items]} for row in self.rows
                ],
            },
            allow_nan=False,
        )

    @classmethod
    def read(cls, file: Path) -> Golden:
        """Of a run.

        Raises:
            RunError: the file is damaged, or of another format.
        """
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']!r}")
            return cls(
                str(content["task"]),
                str(content["rendering"]),
                str(content["rows_from"]),
                tuple(_read_text(one) for one in content["texts"]),
                tuple(_read_row(one) for one in content["rows"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"{file} cannot be used",
                given=f"{type(error).__name__}: {error}",
                expected=f"what this Tunesmith writes: format {FORMAT}",
                fix="remove the file: it is made again from the run's model",
            ) from error


def golden_set(
    task: Task[Any, Any], model: Any, examples: Sequence[Any], *, rows_from: str, registry: Any = None
) -> Golden:
    """Let a model answer a few rows, and write down what it said. No random number is drawn.

    The rows are taken evenly from ``examples``; those longer than 1,024 tokens are passed over. A model of
    plain text goes on from the beginning of a document.

    Args:
        task: as it answers, with everything bound.
        model: its network; put into evaluation mode meanwhile.
        examples: of the task, held-out ones by preference; with or without labels.
        rows_from: what they are, for people.
        registry: where the task's name is looked up; the process's own by default.
    """
    probe = Probe(task, model)
    name, rendering = task_name(task, registry), rendering_digest(task)
    if task.generates:
        texts = [text for example in _spread(examples) if (text := _text(probe, example)) is not None]
        return Golden(name, rendering, rows_from, texts=tuple(texts[:ROWS]))
    rows = [row for example in _spread(examples) if (row := _row(probe, example)) is not None]
    return Golden(name, rendering, rows_from, rows=tuple(rows[:ROWS]))


def rendering_digest(task: Task[Any, Any]) -> str:
    """``sha256:…`` of the task's state: template, stop tokens, labels, lengths."""
    state = json.dumps(task.state(), sort_keys=True, ensure_ascii=False, default=str)
    return f"sha256:{sha256(state.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _spread(examples: Sequence[Any]) -> list[Any]:
    """More than are wanted, since some are passed over; the first is the first."""
    count = min(len(examples), 4 * ROWS)
    order = [index * len(examples) // count for index in range(count)]
    return [examples[place] for place in (*order[::4], *(place for n, place in enumerate(order) if n % 4))]


def _text(probe: Probe, example: Any) -> GoldenText | None:
    prompt = _plain_prompt(probe.task, example)
    ids = probe.prompt_ids(prompt)
    room = probe.room(ids)
    if not ids or len(ids) > LONGEST or room < 1:
        return None
    tokens = probe.greedy(ids, min(TOKENS, room))
    likeliest = [
        tuple((int(token), max(float(step[token]), FAR)) for token in np.argsort(-step, kind="stable")[:ALTERNATIVES])
        for step in probe.logprobs(ids, tokens)
    ]
    return GoldenText(prompt, tuple(ids), tuple(tokens), tuple(likeliest))


def _plain_prompt(task: Any, example: Any) -> str | tuple[Mapping[str, Any], ...]:
    from tunesmith.engine.inputs import prompt_of

    prompt = prompt_of(example)
    if isinstance(prompt, str):
        return prompt[:OPENING] if getattr(task, "prompt_form", "") == "opening" else prompt
    plain = ({"role": one.role, "content": one.content, "tool_calls": one.tool_calls} for one in prompt)
    return tuple({key: value for key, value in message.items() if key != "tool_calls" or value} for message in plain)


def _row(probe: Probe, example: Any) -> GoldenRow | None:
    values = _values(probe.task, example)
    # From the values, where they are known: what is compared later starts from them too, without labels.
    items = probe.task.encode(example, 0) if values is None else probe.encode(values)
    if not items or max(item.length for item in items) > LONGEST:
        return None
    return GoldenRow(values, tuple(GoldenItem(item, probe.numbers(item)) for item in items))


def _values(task: Task[Any, Any], example: Any) -> dict[str, str] | None:
    """The input columns of a row, where all of them are texts."""
    names = [column.name for column in task.columns if not column.target]
    values = {name: value for name in names if isinstance(value := getattr(example, name, None), str)}
    return values if names and len(values) == len(names) else None


# ---- JSON --------------------------------------------------------------------------------------


def _item_json(item: GoldenItem) -> dict[str, Any]:
    return {
        "length": item.encoded.length,
        "targets": item.encoded.targets,
        "features": {name: _array_json(array) for name, array in item.encoded.features.items()},
        "numbers": item.numbers.tolist(),
    }


def _array_json(array: NDArray[Any]) -> dict[str, Any]:
    data = base64.b64encode(array.tobytes()).decode("ascii")
    return {"dtype": array.dtype.str, "shape": list(array.shape), "base64": data}


def _read_text(one: Mapping[str, Any]) -> GoldenText:
    prompt = one["prompt"]
    return GoldenText(
        prompt if isinstance(prompt, str) else tuple(dict(message) for message in prompt),
        tuple(map(int, one["ids"])),
        tuple(map(int, one["tokens"])),
        tuple(tuple((int(token), float(logprob)) for token, logprob in step) for step in one["alternatives"]),
    )


def _read_row(one: Mapping[str, Any]) -> GoldenRow:
    return GoldenRow(one["values"], tuple(_read_item(item) for item in one["items"]))


def _read_item(one: Mapping[str, Any]) -> GoldenItem:
    features = {name: _read_array(value) for name, value in one["features"].items()}
    encoded = Encoded(features, length=int(one["length"]), targets=int(one["targets"]), row=0)
    return GoldenItem(encoded, np.asarray(one["numbers"], dtype=np.float64))


def _read_array(one: Mapping[str, Any]) -> NDArray[Any]:
    kind = np.dtype(one["dtype"])
    if kind.hasobject:
        raise ValueError(f"dtype {one['dtype']!r}")
    flat = np.frombuffer(base64.b64decode(one["base64"], validate=True), dtype=kind)
    array: NDArray[Any] = flat.reshape(one["shape"]).copy()
    return array
