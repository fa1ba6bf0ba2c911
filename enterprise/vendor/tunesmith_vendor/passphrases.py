# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Where passphrases and PINs come from: a prompt, a file, an open file descriptor.

Never from an argument, which every account of the machine can read while the command runs and the shell remembers; and
never from a variable, which every program started from there inherits.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tunesmith_vendor.errors import VendorError

__all__ = ["SHORTEST", "Ask", "Passphrases", "refuse_weak", "weakness"]

Ask = Callable[[str], str]
"""From the name of a key to its passphrase, or the PIN of the token it is kept in."""

SHORTEST: Final = 12
"""Characters of a new passphrase, at least."""
_GOOD: Final = 20
_LONGEST: Final = 1024


class Passphrases:
    """Answers for one command, each asked for once.

    Args:
        files: ``FILE`` for all keys, or ``NAME=FILE`` for one; the first line counts.
        descriptor: number of an open file to read, for all keys that no file is named for; None: none.
        prompt: what a person is asked, before the name of the key.
    """

    def __init__(
        self, files: Sequence[str] = (), descriptor: int | None = None, *, prompt: str = "Passphrase or PIN of"
    ) -> None:
        self._prompt = prompt
        self._for_all: Path | None = None
        self._by_name: dict[str, Path] = {}
        self._descriptor = descriptor
        self._known: dict[str, str] = {}
        self._from_descriptor: str | None = None
        for item in files:
            name, equals, file = item.partition("=")
            if not equals or os.path.sep in name:  # a path may hold "=" too
                self._for_all = Path(item)
            else:
                self._by_name[name] = Path(file)

    def __call__(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = self._find(name, self._prompt)
        return self._known[name]

    def new(self, name: str) -> str:
        """A passphrase for a key that is about to be made; a person types it twice.

        Raises:
            VendorError: it is too short, or the two differ.
        """
        asked = not (name in self._by_name or self._for_all or self._descriptor is not None)
        passphrase = self._known[name] = self._find(name, "New passphrase of")
        refuse_weak(passphrase)
        if asked and getpass.getpass(f"Once more, the new passphrase of {name}: ") != passphrase:
            raise VendorError("the two passphrases differ", fix="nothing was made; start again")
        return passphrase

    def _find(self, name: str, prompt: str) -> str:
        file = self._by_name.get(name, self._for_all)
        if file is not None:
            try:
                with file.open("rb") as opened:
                    content = opened.read(_LONGEST + 2)
            except OSError as error:
                raise VendorError(
                    "the file with the passphrase cannot be read", given=f"{file}: {error.strerror}"
                ) from None
            return _first_line(content, f"the file {file}")
        if self._descriptor is not None:
            if self._from_descriptor is None:
                try:
                    with os.fdopen(self._descriptor, "rb") as opened:
                        content = opened.read(_LONGEST + 2)
                except OSError as error:
                    raise VendorError(
                        "the passphrase cannot be read from the file descriptor",
                        given=f"{self._descriptor}: {error.strerror}",
                        expected="one that is open, e.g. --passphrase-fd 3 3< FILE",
                    ) from None
                self._from_descriptor = _first_line(content, f"the file descriptor {self._descriptor}")
            return self._from_descriptor
        if not sys.stdin.isatty():  # getpass would read, and show, what stands on standard input
            raise VendorError(
                f"the passphrase of the key {name} is needed, and there is nobody to ask",
                given="no terminal",
                fix=f"give --passphrase-file FILE, or {name}=FILE for this key alone",
            )
        passphrase = getpass.getpass(f"{prompt} {name}: ")
        if not passphrase:
            raise VendorError("no passphrase was typed", fix="nothing was done; start again")
        return passphrase


def _first_line(content: bytes, where: str) -> str:
    line = content.split(b"\n", 1)[0].removesuffix(b"\r")
    try:
        passphrase = line.decode("utf-8")
    except UnicodeDecodeError:
        raise VendorError("a passphrase is no text", given=where, expected="UTF-8") from None
    if not passphrase or len(line) > _LONGEST:
        raise VendorError("there is no passphrase", given=where, expected=f"a first line of 1 to {_LONGEST:,} bytes")
    return passphrase


def weakness(passphrase: str) -> str | None:
    """What is to be said against a passphrase; None: nothing that could be told by looking.

    No table of words: length decides, and whether it repeats itself. Who copies the file tries offline.
    """
    if len(passphrase) < _GOOD or len(set(passphrase)) < 8:
        return (
            f"{len(passphrase)} characters, {len(set(passphrase))} different ones: whoever copies the file can try on "
            f"their own machines; six words drawn by dice, or {_GOOD} characters by a password manager, hold"
        )
    return None


def refuse_weak(passphrase: str) -> None:
    """The least that is asked of a new passphrase.

    Raises:
        VendorError: it is shorter than :data:`SHORTEST`.
    """
    if len(passphrase) < SHORTEST:
        raise VendorError(
            "the passphrase is too short",
            given=f"{len(passphrase)} characters",
            expected=f"at least {SHORTEST}; better six words drawn by dice",
        )
