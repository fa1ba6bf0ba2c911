# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The terms of the collection: shown before it is read for the first time, and accepted once."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

from tunesmith.errors import DataError, SettingsError
from tunesmith.runs import atomic_write, writing
from tunesmith.settings import config_folder

__all__ = ["ACCEPTED", "HOME", "TERMS", "VARIABLE", "accept", "accepted_on", "record_file", "require_terms"]

HOME = "http://thuctc.thunlp.org"
"""Where the authors offer the collection and say what it may be used for."""

VARIABLE, ACCEPTED = "TUNESMITH_THUCNEWS_TERMS", "accepted"
"""For machines where nobody types: the variable with this value says that the terms are accepted."""

_VERSION = 1
"""Of the text below. When what it says changes, it has to be accepted anew."""

TERMS = f"""\
THUCNews is a collection of about 740,000 Chinese news articles in 14 classes. The natural language processing group of
Tsinghua University (THUNLP) made it from the RSS feeds of Sina News, 2005 to 2011, and publishes it with its text
classifier THUCTC:

    {HOME}

What its authors say there, in short; their own page is what counts:

  1. Universities, research institutes, companies and persons of any country may use it free of charge for research.
  2. Whoever means to use it commercially first agrees on a licence with the authors, by e-mail. The page has the
     address (thunlp@gmail.com when this was written; it has changed before).
  3. Whoever publishes results states that THUCTC of Tsinghua University was used, and cites:
     Maosong Sun, Jingyang Li, Zhipeng Guo, Yu Zhao, Yabin Zheng, Xiance Si, Zhiyuan Liu.
     THUCTC: An Efficient Chinese Text Classifier. 2016.

The rights to the articles themselves are with those who wrote and published them. The files of 10 classes with titles
alone are excerpts that others made of the collection; the same terms hold. Tunesmith passes none of it on: you get your
copy from the authors, and it stays on your machine. A model that you train on it is yours to answer for.
"""


def record_file() -> Path:
    """Where it is noted that the terms were accepted."""
    return config_folder() / "thucnews-terms.json"


def accepted_on() -> str | None:
    """The day on which this person accepted the terms as they stand above, e.g. ``2026-11-26``; ``None``: not yet.

    Raises:
        SettingsError: the note cannot be read.
    """
    file = record_file()
    try:
        noted = json.loads(file.read_bytes())
        return str(noted["accepted"]) if noted["version"] == _VERSION else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{file}: the note that the terms of THUCNews were accepted cannot be read",
            given=f"{type(error).__name__}: {error}",
            expected="the file that `tunesmith thucnews accept` writes",
            fix="remove it, and run `tunesmith thucnews accept` again",
        ) from error


def accept() -> Path:
    """Note that the person at this machine accepts the terms.

    Returns:
        The file with the note.

    Raises:
        OutputError: it cannot be written.
    """
    file = record_file()
    with writing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    today = dt.datetime.now(dt.timezone.utc).date().isoformat()
    atomic_write(file, json.dumps({"accepted": today, "version": _VERSION}) + "\n")
    return file


def require_terms() -> None:
    """Nothing, if the terms are accepted.

    Raises:
        DataError: they are not; it says by which command they are read and accepted.
        SettingsError: as :func:`accepted_on`.
    """
    said = os.environ.get(VARIABLE)
    if said == ACCEPTED or accepted_on() is not None:
        return
    raise DataError(
        "the terms of THUCNews have not been accepted on this machine: free for research; commercial use needs a"
        " licence of its authors",
        given=f"{VARIABLE}={said}" if said else None,
        expected="that they are read and accepted, once",
        fix=[
            "tunesmith thucnews terms    # read them",
            "tunesmith thucnews accept   # accept them",
            f"on a server: set {VARIABLE}={ACCEPTED}",
        ],
    )
