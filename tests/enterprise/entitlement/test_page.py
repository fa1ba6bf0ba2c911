# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The page of states is what the table says."""

from __future__ import annotations

from pathlib import Path

from tunesmith_enterprise.entitlement.features import FEATURES, STATES
from tunesmith_enterprise.entitlement.page import page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "license-states.md"


def test_the_page_is_what_the_table_says():
    assert PAGE.read_text("utf-8") == page(), "run `python -m tunesmith_enterprise.entitlement.page` into the page"


def test_every_feature_has_a_row_for_every_state():
    lines = page().splitlines()
    for state in STATES:
        assert sum(line.startswith(f"| {state} |") for line in lines) == 1 + len(FEATURES)
