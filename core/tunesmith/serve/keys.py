# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Who may ask: keys, kept as digests, each with a scope."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, cast

from tunesmith.errors import RequestError

__all__ = ["ADMIN_VARIABLE", "USE_VARIABLE", "Caller", "Keys", "Scope"]

Scope: TypeAlias = Literal["use", "admin"]

USE_VARIABLE = "TUNESMITH_SERVE_KEY"
ADMIN_VARIABLE = "TUNESMITH_SERVE_ADMIN_KEY"

_SHORTEST = 16
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: ``line 3`` of the key file, or the variable; what a plugin's access calls them. It stands in the log and
            the figures, so it must not help to find the key.
        scope: ``admin`` includes ``use``.
        tenant: whom the caller belongs to; "": nobody says.
        classes: of requests that the caller may name; none: nobody says.
        models: that the caller may ask: names as served, each with all its adapters, or ``model:adapter``; none: all.
    """

    name: str
    scope: Scope
    tenant: str = ""
    classes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def may_ask(self, model: str, adapter: str | None = None) -> bool:
        """Whether ``models`` lets the caller ask this one."""
        return not self.models or model in self.models or f"{model}:{adapter}" in self.models


class Keys:
    """The keys a server knows. It keeps their SHA-256 and nothing else."""

    def __init__(self, digests: Iterable[tuple[bytes, Caller]] = ()) -> None:
        self._digests = tuple(digests)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def __repr__(self) -> str:
        return f"Keys({', '.join(f'{caller.name}: {caller.scope}' for _, caller in self._digests)})"

    def find(self, key: str) -> Caller | None:
        """Whose key this is. It takes as long for a wrong key as for a right one: all digests are compared, whole."""
        digest = hashlib.sha256(key.encode("utf-8", errors="surrogateescape")).digest()
        found: Caller | None = None
        for known, caller in self._digests:
            if hmac.compare_digest(known, digest):
                found = caller
        return found

    @classmethod
    def read(cls, file: Path | None, environment: Mapping[str, str] = os.environ) -> Keys:
        """Keys of a file and of the variables ``TUNESMITH_SERVE_KEY`` and ``TUNESMITH_SERVE_ADMIN_KEY``.

        A line of the file is ``use KEY`` or ``admin KEY``, where KEY is the key or ``sha256:`` and the hexadecimal
        digest of it; empty lines and such that begin with ``#`` do not count.

        Raises:
            RequestError: the file cannot be read, or a line of it is something else; or a key is shorter than 16
                characters. No message shows a key.
        """
        digests: list[tuple[bytes, Caller]] = []
        for variable, scope in ((USE_VARIABLE, "use"), (ADMIN_VARIABLE, "admin")):
            if key := environment.get(variable, ""):
                digests.append((_digest(key, variable), Caller(variable, cast(Scope, scope))))
        for number, line in enumerate(_lines(file), start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 2 or words[0] not in ("use", "admin"):
                raise RequestError(
                    "a line of the key file is not understood",
                    parameter="key-file",
                    given=f"line {number} of {file} (not shown: it may hold a key)",
                    expected="a scope (use or admin), a space, and a key or its sha256:… digest",
                    fix="python -c 'import secrets; print(\"use\", secrets.token_urlsafe(32))' makes such a line",
                )
            digests.append((_digest(words[1], f"line {number}"), Caller(f"line {number}", cast(Scope, words[0]))))
        if file is not None and not digests:
            raise RequestError(
                "the key file holds no keys",
                parameter="key-file",
                given=file,
                expected="at least one line such as: use KEY",
                fix="python -c 'import secrets; print(\"use\", secrets.token_urlsafe(32))' makes such a line",
            )
        return cls(digests)


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RequestError(
            f"the key file cannot be read: {reason}", parameter="key-file", given=file, fix="check --key-file"
        ) from None


def _digest(key: str, where: str) -> bytes:
    if _DIGEST.match(key):
        return bytes.fromhex(key.removeprefix("sha256:"))
    if key.startswith("sha256:") or len(key) < _SHORTEST:
        raise RequestError(
            "a key is too short to be safe, or a digest is not whole",
            parameter="key-file",
            given=f"{where}: {len(key)} characters",
            expected=f"at least {_SHORTEST} characters, or sha256: and 64 hexadecimal digits",
            fix="python -c 'import secrets; print(secrets.token_urlsafe(32))' makes a good key",
        )
    return hashlib.sha256(key.encode()).digest()
