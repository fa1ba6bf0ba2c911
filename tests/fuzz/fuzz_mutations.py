# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Damages documents at random, the same way for the same seed: the short run of the ordinary tests, without atheris.

Half of the changes are blind (bits, cuts, copies, words of the format); half are changes of the JSON that keep it
JSON, so that they reach what stands behind the parser of JSON.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["first_finding", "mutated"]

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 2**31, 2**53 - 1, 1_000_000_001, 0.5, -0.0, "", "a", "A", "none", "oem", "trial",
    "production", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z",
    "x" * 65, "x" * 201, "e\u0301", "\x1b[2J", "\u202e", "\u0430", "\U0001f600", [], {}, [[]], [{}], ["a", "a"],
    {"a": 1}, {"": {}}, "=", "AA==", "A" * 43 + "=",
)  # fmt: skip


def first_finding(
    harness: Callable[[bytes], None], corpus: Sequence[bytes], words: Sequence[bytes], seed: str, times: int
) -> tuple[bytes, Exception] | None:
    """The first bytes that make a harness raise, and what it raised: of the corpus, then of damaged copies."""
    chance = random.Random(seed)
    for number in range(len(corpus) + times):
        data = corpus[number] if number < len(corpus) else mutated(chance.choice(corpus), chance, words)
        try:
            harness(data)
        except Exception as error:
            return data, error
    return None


def mutated(data: bytes, chance: random.Random, words: Sequence[bytes]) -> bytes:
    """A damaged copy: one to four changes."""
    for _ in range(chance.randint(1, 4)):
        changed = _reshaped(data, chance) if chance.random() < 0.5 else None
        data = changed if changed is not None else _scratched(data, chance, words)
    return data


def _scratched(data: bytes, chance: random.Random, words: Sequence[bytes]) -> bytes:
    start = chance.randint(0, len(data))
    end = min(len(data), start + chance.choice((0, 1, 1, 2, 4, 16, 64)))
    way = chance.randrange(6)
    if way == 0 and data:
        position = chance.randrange(len(data))
        return data[:position] + bytes([data[position] ^ 1 << chance.randrange(8)]) + data[position + 1 :]
    if way == 1:
        return data[:start] + data[end:]
    if way == 2:
        return data[:start] + data[start:end] + data[start:]
    if way == 3:
        return data[:start] + chance.choice(words) + data[end:]
    if way == 4:
        return data[:start] + bytes(chance.randrange(256) for _ in range(chance.randint(1, 4))) + data[end:]
    return data[:start]


def _reshaped(data: bytes, chance: random.Random) -> bytes | None:
    """The JSON with one field taken away, added, renamed or given another value; None: it is no JSON."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    places: list[tuple[Any, Any]] = []
    _list_places(value, places)
    if not places:
        return None
    holder, name = chance.choice(places)
    way = chance.randrange(4)
    if way == 0:
        holder[name] = chance.choice(_VALUES)
    elif way == 1:
        del holder[name]
    elif way == 2:
        other, theirs = chance.choice(places)
        holder[name] = json.loads(json.dumps(other[theirs]))
    elif isinstance(holder, dict):
        holder[chance.choice(("", "alg", "critical", "oem", "under", "x" * 65, name + "s"))] = chance.choice(_VALUES)
    else:
        holder.append(chance.choice(_VALUES))
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _list_places(value: Any, places: list[tuple[Any, Any]]) -> None:
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            places.append((value, name))
            _list_places(item, places)
