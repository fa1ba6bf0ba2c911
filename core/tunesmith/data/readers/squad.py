# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""SQuAD's JSON: articles of paragraphs of questions, one row a question.

Rajpurkar et al. 2016 (arXiv:1606.05250); version 2 with questions that have no answer, Rajpurkar et al. 2018
(arXiv:1806.03822). XQuAD, MLQA and CMRC 2018 are written the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunesmith.data.readers import json_file
from tunesmith.data.readers.opened import read_text
from tunesmith.data.rows import Origin, Problem, ReadOptions, Row

__all__ = ["read"]

_SHAPE = '{"data": [{"paragraphs": [{"context": …, "qas": [{"question": …, "answers": […]}]}]}]}'
_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:\n]', re.DOTALL)


def read(path: Path, options: ReadOptions) -> Iterator[Row | Problem]:
    """Questions as ``{"question", "context", "answers", "id", "title"}``; an origin's line is that of the question.

    ``answers`` is the file's list of ``{"text", "answer_start"}``, empty where ``is_impossible`` says so; it is not
    there where the file has none, as in questions to be answered. ``id`` and ``title`` are ``None`` where they are
    missing.

    Raises:
        DataError: as the reader ``json``: not JSON, wrong encoding, no list of articles.
    """
    lines = iter(_question_lines(read_text(path, options.encoding)))
    for article in json_file.read(path, options):
        if isinstance(article, Problem):
            yield article
            return  # its questions cannot be told from those of the next article, so the lines would be wrong
        yield from _questions(article, lines)


def _questions(article: Row, lines: Iterator[int]) -> Iterator[Row | Problem]:
    paragraphs = article.values.get("paragraphs")
    if not isinstance(paragraphs, list):
        yield Problem(article.origin, f"an article without paragraphs; expected {_SHAPE}")
        return
    for paragraph in paragraphs:
        context = paragraph.get("context") if isinstance(paragraph, Mapping) else None
        asked = paragraph.get("qas") if isinstance(paragraph, Mapping) else None
        if not isinstance(asked, list):
            yield Problem(article.origin, f"a paragraph without qas; expected {_SHAPE}")
            continue
        for question in asked:
            if not isinstance(question, Mapping):
                yield Problem(article.origin, f"qas holds {question!r:.40}; expected objects with a question")
                continue
            origin = Origin(article.origin.file, next(lines, article.origin.line))
            yield Row(_values(question, context, article.values.get("title")), origin)


def _values(question: Mapping[str, Any], context: object, title: object) -> dict[str, Any]:
    values = {"question": question.get("question"), "context": context}
    if question.get("is_impossible") is True:  # what SQuAD 2 calls plausible_answers is wrong by definition
        values["answers"] = []
    elif "answers" in question:
        values["answers"] = question["answers"]
    return {**values, "id": question.get("id"), "title": title}


def _question_lines(text: str) -> Iterator[int]:
    """The line on which each object of a list called ``qas`` begins: Python's decoder does not tell places.

    The file is read as JSON besides, so this may look at its marks alone.
    """
    line, name, last = 1, "", ""
    inside: list[str] = []  # the open lists and objects; a list by its name
    for part in _PARTS.finditer(text):
        mark = part.group()
        if mark == "\n":
            line += 1
            continue
        if mark == "[":
            inside.append(name if last == ":" else "")
        elif mark == "{":
            if inside and inside[-1] == "qas":
                yield line
            inside.append("{")
        elif mark in "]}":
            if inside:
                inside.pop()
        elif mark != ":":
            name = mark[1:-1]
            line += mark.count("\n")
        last = mark
