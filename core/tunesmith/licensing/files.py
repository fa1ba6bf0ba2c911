# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""Reading a document from a file: once, whole, and never more than a document can have."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing.armor import TEXT, dearmor
from tunesmith.licensing.envelope import Kind
from tunesmith.licensing.reasons import refusal

__all__ = ["read_document", "read_text_file"]


def read_document(path: str | Path, kind: Kind) -> bytes:
    """The envelope in a file that holds one document of one kind.

    The file is opened once and looked at through that opening, so nobody can put another one in its place between
    the look and the reading. Links are followed: secret stores mount files as links.

    Raises:
        SignedDocumentError: ``no-file``; ``not-a-file``: a folder, pipe or device; ``unreadable``; ``too-large``; or
            what ``dearmor`` says.
    """
    return dearmor(read_text_file(path), kind)


def read_text_file(path: str | Path) -> bytes:
    """The text of a file that may hold several documents, for ``dearmor_all``; read as by ``read_document``.

    Raises:
        SignedDocumentError: ``no-file``, ``not-a-file``, ``unreadable`` or ``too-large``.
    """
    # Without O_NONBLOCK opening a pipe waits for somebody to write to it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        number = os.open(path, flags)
    except FileNotFoundError:
        raise refusal(
            "no-file", "there is no such file", given=path, fix="look for typing errors, and whether it was mounted"
        ) from None
    except IsADirectoryError:
        raise _no_file(path) from None
    except (OSError, ValueError) as error:  # ValueError: a zero character in the name
        raise refusal(
            "unreadable",
            "the file cannot be opened",
            given=f"{path}: {getattr(error, 'strerror', None) or error}",
            fix="look at its owner and its permissions",
        ) from None
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise _no_file(path)
        if status.st_size > TEXT:
            raise _too_large(path, status.st_size)
        with os.fdopen(number, "rb", closefd=False) as file:
            content = file.read(status.st_size + 1)
            if len(content) > status.st_size:  # it has grown
                content += file.read(TEXT + 1 - len(content))
    except OSError as error:
        raise refusal("unreadable", "the file cannot be read", given=f"{path}: {error.strerror}") from None
    finally:
        os.close(number)
    if len(content) > TEXT:
        raise _too_large(path, len(content))
    return content


def _no_file(path: str | Path) -> SignedDocumentError:
    return refusal("not-a-file", "this is no file", given=path, expected="a regular file, not a folder, pipe or device")


def _too_large(path: str | Path, size: int) -> SignedDocumentError:
    return refusal(
        "too-large",
        "this file is too large for a document",
        given=f"{path}: {size:,} bytes",
        expected=f"at most {TEXT:,}",
    )
