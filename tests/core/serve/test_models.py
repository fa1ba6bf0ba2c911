# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from pathlib import Path

import pytest
from echo import Echo

from tunesmith.errors import ModelError, NotFoundError, RequestError
from tunesmith.serve import AdapterSource, Limits
from tunesmith.serve.models import Models


@pytest.mark.parametrize("name", ["", "a:b", "../a", "/etc", "a b", "a\n", "é"])
def test_names_are_plain(name):
    with pytest.raises(RequestError, match="this is no name for a model"):
        Models({name: Echo()})
    with pytest.raises(RequestError, match="this is no name for an adapter"):
        Models({"echo": Echo()}, [AdapterSource(name, Path(), "echo")])


def test_names_of_the_hub_are_names():
    models = Models({"org/model-1.5_b": Echo()})
    assert models.find("org/model-1.5_b").adapter is None


def test_an_adapter_belongs_to_a_model_that_takes_it(tmp_path):
    with pytest.raises(NotFoundError, match=r"expected: one of echo[\s\S]*MODEL:NAME=PATH"):
        Models({"echo": Echo()}, [AdapterSource("a", tmp_path, "other")])
    with pytest.raises(RequestError, match="this model takes no adapters"):
        Models({"echo": Echo(features=frozenset())}, [AdapterSource("a", tmp_path, "echo")])
    twice = [AdapterSource("a", tmp_path, "echo")] * 2
    with pytest.raises(RequestError, match="a name is taken twice"):
        Models({"echo": Echo()}, twice)
    with pytest.raises(RequestError, match="a name is taken twice"):
        Models({"echo": Echo()}, [AdapterSource("echo", tmp_path, "echo")])


def test_an_adapter_that_does_not_fit_is_an_error_at_the_start(tmp_path):
    models = Models({"echo": Echo()}, [AdapterSource("a", tmp_path / "none", "echo")])
    with pytest.raises(ModelError):
        models.load_all()


def test_limits_are_more_than_nothing():
    with pytest.raises(RequestError, match=r"the limit choices is out of range[\s\S]*more than 0"):
        Limits(choices=0)
