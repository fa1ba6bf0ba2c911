# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""The surface of the package, pinned: a name more or less is a decision, not an accident."""

import subprocess
import sys

import pytest

import tunesmith


def test_the_public_names():
    assert tunesmith.__all__ == [
        "Model",
        "Recipe",
        "Run",
        "TunesmithError",
        "cross_validate",
        "export_model",
        "load",
        "parse_recipe",
        "plan",
        "read_recipe",
        "search",
        "train",
    ]
    assert set(tunesmith.__all__) <= set(dir(tunesmith))
    assert all(getattr(tunesmith, name).__module__.startswith("tunesmith.") for name in tunesmith.__all__)


@pytest.mark.parametrize(
    "package",
    [
        "tunesmith",
        "tunesmith.engine",
        "tunesmith.evaluate",
        "tunesmith.export",
        "tunesmith.planning",
        "tunesmith.testing",
    ],
)
def test_importing_costs_nothing_and_every_name_is_there(package):
    code = f"""
import importlib, sys
package = importlib.import_module({package!r})
heavy = {{"torch", "transformers", "peft", "pyarrow", "jinja2"}} & set(sys.modules)
assert not heavy, heavy
for name in package.__all__:
    getattr(package, name)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'tunesmith' has no attribute 'tarin'"):
        tunesmith.tarin  # noqa: B018
