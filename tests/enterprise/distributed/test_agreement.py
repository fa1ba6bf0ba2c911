# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Processes with other versions or files are refused before anything begins, and the difference is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunesmith.errors import RunError
from tunesmith.recipe import parse_recipe
from tunesmith_enterprise.distributed import agreement
from tunesmith_enterprise.distributed.agreement import facts_of, refuse_differences


@pytest.fixture
def recipe(tmp_path: Path) -> Any:
    (tmp_path / "rows.csv").write_text("text,label\npear,fruit\n")
    job = {"task": "text-classification", "model": "tunesmith/tiny", "data": {"train": [str(tmp_path / "rows.csv")]}}
    return parse_recipe(job | {"output": str(tmp_path / "run")})


def test_the_same_everywhere_is_no_difference(recipe: Any) -> None:
    refuse_differences([facts_of(recipe), facts_of(recipe)])


def test_other_versions_are_named(recipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here, real = facts_of(recipe), agreement.environment()
    other = {**real, "python": "3.9.1", "packages": {**real["packages"], "torch": "2.11.0"}}
    monkeypatch.setattr(agreement, "environment", lambda: other)
    with pytest.raises(RunError, match="the processes of the job are not about to do the same") as caught:
        refuse_differences([here, here, facts_of(recipe)])
    given = str(caught.value.given)
    assert f"the version of python: {real['python']} in process 0, 3.9.1 in process 2" in given
    assert f"the version of torch: {real['packages']['torch']} in process 0, 2.11.0 in process 2" in given
    assert "install the same versions on them" in str(caught.value)


def test_other_rows_are_named_by_their_file(recipe: Any, tmp_path: Path) -> None:
    here = facts_of(recipe)
    (tmp_path / "rows.csv").write_text("text,label\nzinc,metal\n")
    with pytest.raises(RunError) as caught:
        refuse_differences([here, facts_of(recipe)])
    assert f"the file {tmp_path / 'rows.csv'}: sha256 " in str(caught.value.given)
