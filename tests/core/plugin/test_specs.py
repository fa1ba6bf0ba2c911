# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.plugin import CommandSpec, DatasetSpec, ModelSpec, ReaderSpec, TaskSpec

COMMON = {"name": "stance", "summary": "Agree or not", "target": "my_plugin.stance:Stance"}


@pytest.mark.parametrize("name", ["a", "text-classification", "gpt2", "v1.5_b", "0"])
def test_names_that_are_fine(name: str) -> None:
    assert TaskSpec(**{**COMMON, "name": name}).name == name


@pytest.mark.parametrize("name", ["", "Stance", "a b", "a/b", "-a", "a-", "a--b", "ä", "a\n", None, 3])
def test_a_name_of_the_wrong_form_is_refused(name: object) -> None:
    with pytest.raises(
        ValueError, match=r"TaskSpec\(.*the name must be lower-case letters.*, given " + re.escape(repr(name))
    ):
        TaskSpec(**{**COMMON, "name": name})


@pytest.mark.parametrize("summary", ["", "  ", "two\nlines", None])
def test_a_summary_is_one_line(summary: object) -> None:
    with pytest.raises(ValueError, match="summary must be one line of text"):
        TaskSpec(**{**COMMON, "summary": summary})


@pytest.mark.parametrize(
    "target", ["", "stance", "my.plugin:", ":Stance", "my-plugin:Stance", "a:b:c", "a:b()", "a.:b"]
)
def test_a_target_names_a_module_and_an_attribute(target: str) -> None:
    with pytest.raises(ValueError, match=r"must look like 'package.module:attribute'"):
        TaskSpec(**{**COMMON, "target": target})


@pytest.mark.parametrize("suffixes", [".xlsx", ["xlsx"], ("xlsx",), (".XLSX",), (".csv.gz",), (".gz",), (".",), (1,)])
def test_suffixes_of_the_wrong_form_are_refused(suffixes: object) -> None:
    with pytest.raises(ValueError, match=r"suffixes must be a tuple of lower-case endings"):
        ReaderSpec(**COMMON, suffixes=suffixes)  # type: ignore[arg-type]


def test_suffixes_may_have_several_parts() -> None:
    assert ReaderSpec(**COMMON, suffixes=(".conll", ".tar.xz")).suffixes == (".conll", ".tar.xz")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"license": ""}, "license must be the SPDX identifier"),
        ({"license": "MIT", "splits": "train"}, "splits must be a tuple"),
        ({"license": "MIT", "splits": ()}, "splits must be a tuple of at least one name"),
        ({"license": "MIT", "task": ""}, "task must be the name of a task"),
    ],
)
def test_a_dataset_says_its_licence_splits_and_task(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DatasetSpec(**COMMON, **fields)  # type: ignore[arg-type]


def test_a_model_is_weights_or_not() -> None:
    with pytest.raises(ValueError, match="weights must be True or False, given 'yes'"):
        ModelSpec(**COMMON, weights="yes")  # type: ignore[arg-type]


def test_a_model_by_address_has_weights() -> None:
    with pytest.raises(ValueError, match="addressed must be True or False, given 'yes'"):
        ModelSpec(**COMMON, weights=True, addressed="yes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="addressed is for models with weights"):
        ModelSpec(**COMMON, weights=False, addressed=True)


def test_a_reader_takes_folders_or_not_and_is_private_or_not() -> None:
    with pytest.raises(ValueError, match="folders must be True or False, given 'yes'"):
        ReaderSpec(**COMMON, folders="yes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="private must be True or False, given 'yes'"):
        ReaderSpec(**COMMON, private="yes")  # type: ignore[arg-type]


def test_a_panel_is_one_line() -> None:
    with pytest.raises(ValueError, match="panel must be one line"):
        CommandSpec(**COMMON, panel="")


def test_specs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TaskSpec(**COMMON).name = "other"  # type: ignore[misc]


@given(st.text(max_size=12))
def test_whatever_is_accepted_as_a_name_is_safe_to_type(name: str) -> None:
    try:
        TaskSpec(**{**COMMON, "name": name})
    except ValueError:
        return

    assert re.fullmatch(r"[a-z0-9._-]+", name)
    assert name == name.strip(".-_")
