# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The hooks. They return descriptions only."""

from __future__ import annotations

from collections.abc import Iterable

from tunesmith.plugin import CommandSpec, DatasetSpec, ReaderSpec, hookimpl


@hookimpl
def tunesmith_readers() -> Iterable[ReaderSpec]:
    """The two forms in which the collection is passed on. Both are asked for by name: their files end in `.txt`."""
    return [
        ReaderSpec(
            name="thucnews-titles",
            summary="THUCNews: a title and the number of its class a line, beside class.txt",
            target="tunesmith_thucnews.titles:read",
        ),
        ReaderSpec(
            name="thucnews-folder",
            summary="THUCNews: a folder a class, a file an article",
            target="tunesmith_thucnews.folders:read",
            folders=True,
        ),
    ]


@hookimpl
def tunesmith_datasets() -> Iterable[DatasetSpec]:
    """One dataset, in whichever form it lies on this machine."""
    return [
        DatasetSpec(
            name="thucnews",
            summary="Topics of Chinese news, from your own copy (TUNESMITH_THUCNEWS)",
            target="tunesmith_thucnews.dataset:thucnews",
            license="LicenseRef-THUCNews",
            splits=("train", "validation", "test"),
            task="text-classification",
        )
    ]


@hookimpl
def tunesmith_commands() -> Iterable[CommandSpec]:
    """One command with three parts."""
    return [
        CommandSpec(
            name="thucnews",
            summary="Terms of the THUCNews collection, and what a copy of it holds",
            target="tunesmith_thucnews.cli:app",
        )
    ]
