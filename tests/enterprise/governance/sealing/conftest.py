# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Keys, and files that hold a little of everything."""

from __future__ import annotations

from pathlib import Path

import pytest
from sealing_runs import a_trained_run

from tunesmith_enterprise.governance.sealing.keys import FileKey
from tunesmith_enterprise.governance.sealing.ring import KeyRing


@pytest.fixture
def ring() -> KeyRing:
    """One key: 32 bytes of the same number."""
    return KeyRing((FileKey(b"\x01" * 32),))


@pytest.fixture
def other() -> KeyRing:
    """Another."""
    return KeyRing((FileKey(b"\x02" * 32),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files in it, one of them empty."""
    made = tmp_path / "model"
    (made / "deep").mkdir(parents=True)
    (made / "config.json").write_text('{"a": 1}')
    (made / "deep" / "weights.bin").write_bytes(bytes(range(256)) * 40)
    (made / "empty").touch()
    return made


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, its rows and its model: to copy from."""
    return a_trained_run(tmp_path_factory.mktemp("trained"))
