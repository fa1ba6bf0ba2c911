# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunesmith_cli import diagnosis
from tunesmith_cli.diagnosis import Finding, diagnose
from tunesmith_cli.main import main


def test_this_machine_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    found = {finding["name"]: finding["value"] for finding in report["findings"]}
    for name in (
        "python",
        "platform",
        "cores",
        "memory",
        "disk",
        "writing",
        "torch",
        "cuda",
        "cpu precision",
        "cache",
        "hub cache",
    ):
        assert found[name]


def test_a_check_that_fails_hides_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def _torch() -> Iterator[Finding]:
        yield Finding("threads", "2")
        raise ImportError("libgomp is missing")

    def _after() -> Iterator[Finding]:
        yield Finding("after", "here", "a hint only")

    monkeypatch.setattr(diagnosis, "CHECKS", (_torch, _after))
    assert [finding.name for finding in diagnose()] == ["threads", "torch", "after"]
    assert main(["doctor"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert "         ! ImportError: libgomp is missing" in lines
    assert "         ! a hint only" in lines
    assert lines[-1] == "broken: torch"


def test_a_missing_package_is_broken_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "PACKAGES", ("no-such-package",))
    monkeypatch.setattr(diagnosis, "CHECKS", (diagnosis._packages,))
    missing = next(finding for finding in diagnose() if finding.name == "no-such-package")
    assert (missing.broken, missing.problem) == (True, "pip install no-such-package")


def test_a_folder_that_cannot_be_written_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(diagnosis.tempfile, "NamedTemporaryFile", refuse)
    monkeypatch.setattr(diagnosis, "CHECKS", (diagnosis._disk,))
    writing = next(finding for finding in diagnose() if finding.name == "writing")
    assert (writing.value, writing.broken) == ("not here: Permission denied", False)
    assert "--out FOLDER" in writing.problem
