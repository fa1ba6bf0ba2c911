# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from tunesmith._plugins import Provided
from tunesmith._plugins.doctor import check_plugin_targets
from tunesmith.plugin import TaskSpec


def provided(*targets: str) -> list[Provided]:
    specs = [TaskSpec(name=f"t{number}", summary="A task", target=target) for number, target in enumerate(targets)]
    return [Provided(spec, "demo", "tunesmith-demo", "1.0") for spec in specs]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "good_one.py").write_text("print('noise')\nclass Task:\n    name = 'x'\n", "utf-8")
    (tmp_path / "bad_one.py").write_text("import a_module_that_is_not_there\n", "utf-8")
    (tmp_path / "exits.py").write_text(
        "import os, sys\nsys.stderr.write('last words')\nsys.stderr.flush()\nos._exit(7)\n", "utf-8"
    )
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(60)\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_each_target_has_its_own_result(package: Path) -> None:
    targets = provided("good_one:Task", "bad_one:Task", "good_one:Missing", "exits:Task", "good_one:Task.name")

    checks = check_plugin_targets(targets)

    assert [check.provided for check in checks] == targets
    assert [check.ok for check in checks] == [True, False, False, False, True]
    assert [check.reason for check in checks] == [
        "",
        "ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
        "AttributeError: module 'good_one' has no attribute 'Missing'",
        "the process ended with exit code 7 while importing it",
        "",
    ]
    assert "bad_one.py" in checks[1].traceback
    assert checks[3].traceback.endswith("last words")
    assert all(check.seconds >= 0 for check in checks)


def test_a_target_that_hangs_is_given_up_and_the_next_is_tried(package: Path) -> None:
    hung, good = check_plugin_targets(provided("hangs:Task", "good_one:Task"), timeout=2)

    assert hung.reason == "importing it was not done after 2 s"
    assert not hung.ok
    assert good.ok


def test_nothing_to_check() -> None:
    assert check_plugin_targets([]) == []
