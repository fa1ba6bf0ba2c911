# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A desk with keys and a root, copied for each test, and the program in this process."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_desk import PASSPHRASE, PRODUCT, Program, make_desk

from tunesmith_vendor.desk import Desk
from tunesmith_vendor.ledger.store import Ledger, Operator


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_desk(tmp_path_factory.mktemp("made") / "desk")
    Ledger.begin(folder / "ledger.sqlite", Operator("ada", "desk-account"), product=PRODUCT)
    return folder


@pytest.fixture
def desk(_made: Path, tmp_path: Path) -> Desk:
    return Desk(Path(shutil.copytree(_made, tmp_path / "desk")))


@pytest.fixture
def operator() -> Operator:
    return Operator("ada", "desk-account")


@pytest.fixture
def ledger(tmp_path: Path, operator: Operator) -> Ledger:
    return Ledger.begin(tmp_path / "a-ledger.sqlite", operator, product=PRODUCT)


@pytest.fixture
def program(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """The program with a ledger that was begun, in a folder of its own; nobody is asked for a passphrase."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TUNESMITH_DESK", str(desk.folder))
    monkeypatch.delenv("TUNESMITH_LEDGER", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("tunesmith_vendor.passphrases.Passphrases.__call__", lambda self, name: PASSPHRASE)
    return Program(desk.folder, capsys)
