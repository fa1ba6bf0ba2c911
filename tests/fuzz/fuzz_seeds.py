# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What fuzzing begins with: the published vectors, each given to the harnesses that read such bytes."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["SAID", "TOKENS", "seeds", "tokens"]

TESTS = Path(__file__).resolve().parents[1]
SAID = TESTS / "enterprise/vectors"
"""Vectors of what documents say; not in every tree."""
FOLDERS = (TESTS / "core/licensing/vectors", SAID)
TOKENS = Path(__file__).parent / "tokens.dict"
LARGEST = 20_000
"""Bytes: larger ones make fuzzing slow and say nothing else."""


def _data(value: dict[str, Any]) -> bytes:
    if "parts" in value:
        return b"".join(part["text"].encode() * part["times"] for part in value["parts"])
    return value["text"].encode() if "text" in value else base64.b64decode(value["base64"])


@cache
def seeds(harness: str) -> tuple[bytes, ...]:
    """The documents, envelopes or payloads of the vectors, by what the harness reads; without the large ones."""
    texts, envelopes, payloads = [], [], []
    for file in (file for folder in FOLDERS if folder.is_dir() for file in sorted(folder.glob("*.json"))):
        for vector in json.loads(file.read_text())["vectors"]:
            document = _data(vector["document"])
            if len(document) > LARGEST:
                continue
            if vector.get("form") == "text":
                texts.append(document)
                continue
            envelopes.append(document)
            if harness in ("dearmor", "dearmor-all"):
                label = str(vector.get("kind", "root")).upper().replace("-", " ").encode()
                body = base64.encodebytes(document)
                texts.append(b"-----BEGIN TUNESMITH %b-----\n%b-----END TUNESMITH %b-----\n" % (label, body, label))
            payloads.append((vector.get("kind", "root"), _payload(document)))
    if harness in ("dearmor", "dearmor-all"):
        found = texts
    elif harness == "read-envelope":
        found = envelopes
    elif harness == "parse-json":
        found = [*envelopes, *(payload for _, payload in payloads)]
    else:
        found = [payload for kind, payload in payloads if f"parse-{kind}" == harness]
    return tuple(dict.fromkeys(item for item in found if item))


def _payload(envelope: bytes) -> bytes:
    try:
        return base64.b64decode(json.loads(envelope)["payload"])
    except (ValueError, KeyError, TypeError, RecursionError):  # a vector of something that is no envelope
        return b""


@cache
def tokens() -> tuple[bytes, ...]:
    """The words of the format, from the dictionary that libFuzzer reads as well."""
    lines = TOKENS.read_text(encoding="ascii").splitlines()
    return tuple(json.loads(line).encode("latin-1") for line in lines if line.startswith('"'))
