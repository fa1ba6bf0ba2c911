# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""docs/reference/vendor-desk.md names every command, and every key of an order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tunesmith_vendor.issuing.orders import KEYS, read_plans
from tunesmith_vendor.main import app

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "vendor-desk.md").read_text(encoding="utf-8")


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, one in below.items():
        yield from commands(one, f"{path} {name}")


def test_the_page_names_every_command_and_each_prints_json() -> None:
    found = dict(commands(typer.main.get_command(app), "tunesmith-vendor"))
    assert len(found) > 25
    missing = [path for path in found if path not in PAGE]
    assert missing == []
    without = [path for path, one in found.items() if not any("--json" in option.opts for option in one.params)]
    assert without == []


def test_the_page_names_every_key_of_an_order() -> None:
    assert [key for key in KEYS if f"`{key}`" not in PAGE] == []


def test_the_plan_on_the_page_is_one(tmp_path: Path) -> None:
    example = PAGE.split("```toml\n", 1)[1].split("```", 1)[0]
    (tmp_path / "plans.toml").write_text(example, encoding="utf-8")
    assert read_plans(tmp_path)["team"]["features"] == {"distributed": {"nodes": 4, "gpus": 32}, "governance": {}}
