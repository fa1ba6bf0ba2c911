# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Makes ``asked.py`` findable; a machine with a license."""

import sys
from pathlib import Path

import pytest
from licensed import Machine, a_machine

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return a_machine(tmp_path, monkeypatch)
