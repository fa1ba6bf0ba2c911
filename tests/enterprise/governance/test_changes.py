# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What people change of the governance is in the audit log before it is done; where none is asked for, nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from licensed import Machine, a_machine

from tunesmith.errors import OutputError, SettingsError
from tunesmith_enterprise.governance.changes import write_change
from tunesmith_enterprise.governance.who import account


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return a_machine(tmp_path, monkeypatch)


def test_a_change_is_written_with_the_account_that_makes_it(machine: Machine) -> None:
    assert write_change("key-made", name="ci", scope="use") is True
    (record,) = machine.log.read()
    assert record.event == "key-made"
    fields = dict(record.fields)
    assert fields.pop("by")["user"] == account().name
    assert fields == {"name": "ci", "scope": "use"}
    assert machine.asked == []  # whoever changes something has asked for its license


def test_without_an_audit_log_nothing_is_written(machine: Machine) -> None:
    machine.settings("")
    assert write_change("key-made", name="ci") is False
    assert not machine.log.path.exists()


@pytest.mark.parametrize("trouble", ["foreign", "no folder"])
def test_what_cannot_be_written_must_not_be_done(machine: Machine, trouble: str) -> None:
    if trouble == "foreign":
        machine.log.path.write_text("something else\n")
        words = "does not end as a chained log does"
    else:
        machine.settings('[plugins.enterprise]\naudit_log = "/nowhere/at/all/audit.jsonl"\n')
        words = "the audit log /nowhere/at/all/audit.jsonl cannot be written, so key-made is not done"
    with pytest.raises(OutputError, match=words):
        write_change("key-made", name="ci")


def test_settings_with_an_unknown_key_stop_a_change_too(machine: Machine) -> None:
    machine.settings('[plugins.enterprise]\naudit-log = "/x"\n')
    with pytest.raises(SettingsError, match="a key that nobody reads"):
        write_change("key-made", name="ci")
