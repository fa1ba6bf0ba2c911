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


PACKAGES = ["tunesmith", *(f"tunesmith.{room}" for room in ("engine", "evaluate", "export", "planning", "testing"))]


def test_importing_costs_nothing():
    code = f"""
import importlib, sys
for package in {PACKAGES}:
    importlib.import_module(package)
    heavy = {{"torch", "transformers", "peft", "pyarrow", "jinja2"}} & set(sys.modules)
    assert not heavy, (package, heavy)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_is_there_whatever_is_imported_first(forge):
    """Other people's packages are imported once, ours anew for each."""
    code = f"""
import importlib, os, sys
for package in {PACKAGES}:
    child = os.fork()
    if not child:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tunesmith"]:
            del sys.modules[name]
        module = importlib.import_module(package)
        for name in module.__all__:
            getattr(module, name)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, package
"""
    done = forge.python("-c", code)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'tunesmith' has no attribute 'tarin'"):
        tunesmith.tarin  # noqa: B018
