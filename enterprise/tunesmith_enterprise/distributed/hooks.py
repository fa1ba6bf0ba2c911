# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the hooks do, in reach of every start of the program: nothing, unless this process is one of several."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tunesmith.plugin import Action, Allow, Deny, RunStarted

if TYPE_CHECKING:
    from tunesmith_enterprise.distributed.group import Group

__all__ = ["FEATURE", "STRATEGIES", "authorize", "run_started"]

FEATURE = "distributed"
_NAMES = ("ddp", "fsdp", "hsdp", "tp")
STRATEGIES = (*_NAMES, *(f"enterprise/{name}" for name in _NAMES))


def authorize(action: Action) -> Allow | Deny | None:
    """Ask the license for the processes of a job, once; a run that is resumed brings the grant of its start.

    None: the job does not ask for several processes, or this process is not one of several. Then the strategy itself
    refuses: it takes its processes from the group, and there is none.
    """
    group = _group()
    if action.name != "train" or group is None:
        return None
    recipe = action.details.get("recipe") or {}
    if (recipe.get("train") or {}).get("strategy") not in STRATEGIES:
        return None
    from tunesmith.errors import TunesmithError
    from tunesmith_enterprise import require
    from tunesmith_enterprise.recorded import denied, grants_of, recorded

    if not group.is_main:
        return Deny(reason="only the main process of a job trains", fix="start the processes with `tunesmith launch`")
    earlier = recorded(action)
    for grant in grants_of(earlier):
        if grant.covers(FEATURE, group.quantities):
            group.grant = grant
            return Allow(record={"grants": earlier, "job": group.job})
    try:
        group.grant = require(FEATURE, license=None, **group.quantities)
    except TunesmithError as error:
        group.refused = error.exit_code
        return denied(error)
    return Allow(record={"grants": [*earlier, group.grant.to_json()], "job": group.job})


def run_started(event: RunStarted) -> None:
    """Tell the others where the run is, and which step comes first."""
    group = _group()
    if group is not None and group.is_main and group.grant is not None:
        if group.started is not None:
            group.started.write_text(event.run, encoding="utf-8")
        if group.pulse is not None:
            group.pulse.begin_at(event.first_step)
        group.say("begin", run=event.run, step=event.first_step)
        if event.first_step:
            from tunesmith.runs import Run
            from tunesmith.training.checkpoint import checkpoint_path
            from tunesmith_enterprise.distributed.sending import meet_at_checkpoint

            meet_at_checkpoint(group, checkpoint_path(Run(Path(event.run)).checkpoint_folder, event.first_step))


def _group() -> Group | None:
    # Whoever has a group has imported its module; nobody else imports torch because of a hook.
    module = sys.modules.get("tunesmith_enterprise.distributed.group")
    return None if module is None else module.current()
