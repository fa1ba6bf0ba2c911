# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import importlib
from functools import reduce

import pytest
import typer

from tunesmith._plugins.kinds import KINDS
from tunesmith._plugins.target_sorts import SORTS, wrong_sort
from tunesmith.tasks import Task


def test_every_kind_has_its_sort() -> None:
    assert set(SORTS) == set(KINDS)


@pytest.mark.parametrize("kind", [kind for kind, sort in SORTS.items() if sort.base])
def test_every_base_class_is_there(kind: str) -> None:
    module, _, path = SORTS[kind].base.partition(":")
    assert isinstance(reduce(getattr, path.split("."), importlib.import_module(module)), type)


def test_what_is_of_the_right_sort_passes() -> None:
    class Mine(Task):
        pass

    assert wrong_sort("task", Mine) == ""
    assert wrong_sort("command", typer.Typer()) == ""
    assert wrong_sort("reader", len) == ""
    assert wrong_sort("exporter", Mine) == ""


@pytest.mark.parametrize(
    ("kind", "found", "words"),
    [
        ("task", int, "it is the class int; expected a subclass of tunesmith.tasks.Task"),
        ("task", 3, "it is 3, a int; expected a subclass of tunesmith.tasks.Task"),
        ("command", typer.Typer, "it is the class Typer; expected a typer.Typer"),
        ("reader", "x", "it is 'x', a str; expected a function"),
        ("strategy", len, "expected a class"),
    ],
)
def test_what_is_not_is_told_in_words(kind: str, found: object, words: str) -> None:
    assert words in wrong_sort(kind, found)


def test_an_object_that_cannot_be_shown_is_no_reason_to_fail() -> None:
    assert wrong_sort("a kind of tomorrow", 3) == ""
