# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A run says that its license ends: once, on the process that asked, and on the days that matter."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import DAY, NOW
from licensed import Machine, a_machine

from tunesmith.plugin import Action
from tunesmith_enterprise import plugin

TRAIN = Action(name="train", subject="runs/1", details={"recipe": {}, "resume": False, "allowed": {}})
END = NOW + 335 * DAY


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return a_machine(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (61, None),
        (60, "the license lic-1 ends in 60 days, on 2027-10-27"),
        (30, "the license lic-1 ends in 30 days, on 2027-10-27"),
        (14, "the license lic-1 ends in 14 days, on 2027-10-27; it is time to ask for a new one"),
        (7, "the license lic-1 ends in 7 days, on 2027-10-27; ask for a new one now"),
        (1, "the license lic-1 ends within a day, on 2027-10-27; ask for a new one now"),
        (-1, "the license lic-1 has ended; everything goes on until 2027-11-10, and then new jobs are refused"),
    ],
)
def test_a_run_says_once_when_its_license_ends(
    machine: Machine, caplog: pytest.LogCaptureFixture, left: int, words: str | None
) -> None:
    machine.now = END - left * DAY
    plugin.tunesmith_authorize(TRAIN)
    plugin.tunesmith_authorize(Action(name="open", subject="runs/1", details={"engine": "native"}))
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == ([] if words is None else [words])
