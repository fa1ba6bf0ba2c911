# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import os
from pathlib import Path

import pytest

from tunesmith_cli.quickstart import free_folder, quickstart_recipe


def test_the_folder_is_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert free_folder("quickstart-run") == Path("quickstart-run")
    os.mkdir("quickstart-run")
    os.mkdir("quickstart-run-2")
    assert free_folder("quickstart-run") == Path("quickstart-run-3")


def test_the_recipe_uses_only_what_comes_with_the_package() -> None:
    recipe = quickstart_recipe(Path("here"))
    assert recipe.model.name == "tunesmith/tiny"
    assert [*recipe.data.train, *recipe.data.test] == [
        "dataset:tunesmith/support#train",
        "dataset:tunesmith/support#test",
    ]
    assert recipe.output == "here"
