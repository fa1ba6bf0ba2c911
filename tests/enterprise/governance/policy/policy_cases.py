# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Actions, and what a policy says of them: for the tests of its rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tunesmith.plugin import Action
from tunesmith.registry import get_registry
from tunesmith_enterprise.governance.policy.judging import Finding, judge
from tunesmith_enterprise.governance.policy.schema import Policy
from tunesmith_enterprise.governance.who import Account

ANA = Account("ana", 1000, ("ml", "staff"))
HEAD = {"version": 1, "contact": "ml-platform@example.com", "default": "deny"}
ALL: dict[str, Any] = {part: {"allow": ["*"]} for part in ("tasks", "methods", "models", "data", "engines", "exports")}


def answers(action: Action, account: Account = ANA, **tables: Any) -> list[Finding]:
    return list(judge(Policy.model_validate({**HEAD, **tables}), action, account, get_registry()))


def refused(action: Action, **tables: Any) -> list[str]:
    """The rules that say no."""
    return [found.rule for found in answers(action, **tables) if not found.allowed]


def why(action: Action, rule: str, **tables: Any) -> str:
    return next(found.why for found in answers(action, **tables) if found.rule == rule)


def opened(name: str | Path, **details: Any) -> Action:
    return Action(name="open", subject=str(name), details=details)


def trained(**changes: Any) -> Action:
    data = {"train": ["dataset:tiny-chat#train"], "validation": [], "test": [], **changes.pop("data", {})}
    model = {"name": "tunesmith/tiny", "revision": None, "trust_remote_code": False, **changes.pop("model", {})}
    recipe = {"task": "chat", "model": model, "method": {"name": "lora"}, "data": data, **changes}
    return Action(name="train", subject="runs/1", details={"recipe": recipe, "resume": False, "allowed": {}})


def a_run(folder: Path, base: str, **manifest: Any) -> Path:
    folder.mkdir(parents=True)
    said = {"format": 1, "status": "finished", "model": {"name": base}, **manifest}
    (folder / "run.json").write_text(json.dumps(said))
    return folder
