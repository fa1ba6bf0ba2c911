# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith launch`` as people type it."""

from __future__ import annotations

import json
from typing import Any


def test_two_processes_train_and_the_core_alone_uses_what_they_made(site: Any) -> None:
    recipe = site.recipe("launched.yaml", output="launched", train={"max_steps": 2, "save_every": 2})
    code, out, err = site.run("launch", "--nproc", "2", recipe)
    assert code == 0, err
    assert "launched" in out
    run = json.loads((site.folder / "launched" / "run.json").read_text())
    (grant,) = run["allowed"]["enterprise"]["grants"]
    assert (grant["feature"], grant["quantities"]["processes"]) == ("distributed", 2)
    (site.folder / "words.txt").write_text("a very fine pear\n")
    code, out, err = site.run("predict", "launched", "words.txt", TUNESMITH_PLUGINS="")
    assert code == 0, err
    assert "fruit" in out or "metal" in out


def test_what_cannot_be_launched_is_told_before_anything_starts(site: Any) -> None:
    code, _, err = site.run("launch", "--nproc", "2")
    assert code == 2
    assert "give a recipe file, or --resume RUN" in err
