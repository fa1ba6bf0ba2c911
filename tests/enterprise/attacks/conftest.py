# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the tests of attacks share: the sources of the packages, and one vendor."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from desk import Desk

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="session")
def enterprise(root: Path) -> dict[str, ast.Module]:
    """The syntax trees of the commercial package, by their paths within it."""
    folder = root / "enterprise" / "tunesmith_enterprise"
    return {str(file.relative_to(folder)): ast.parse(file.read_text("utf-8")) for file in sorted(folder.rglob("*.py"))}


@pytest.fixture(scope="session")
def format_room(root: Path) -> dict[str, ast.Module]:
    """The syntax trees of ``tunesmith.licensing``."""
    folder = root / "core" / "tunesmith" / "licensing"
    return {str(file.relative_to(folder)): ast.parse(file.read_text("utf-8")) for file in sorted(folder.rglob("*.py"))}
