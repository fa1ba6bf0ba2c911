# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Backups, checkpoints and exports."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from base64 import b64decode
from dataclasses import fields
from pathlib import Path

import pytest
from made_desk import ISSUE, Program, make_desk

from tunesmith_vendor.ledger.chain import Entry, broken


def test_a_backup_put_back_verifies_and_goes_on(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    assert "3 entries, and the copy is whole" in program.run("ledger", "backup", "copy.sqlite")
    assert Path("copy.sqlite").stat().st_mode & 0o777 == 0o600
    assert "it stays" in program.refused("ledger", "backup", "copy.sqlite")
    (program.desk / "ledger.sqlite").unlink()
    assert "there is no ledger here" in program.refused("ledger", "verify")
    assert "4 entries, this one among them" in program.run("ledger", "restore", "copy.sqlite")
    connection = sqlite3.connect(program.desk / "ledger.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):  # the triggers came with it
        connection.execute("DELETE FROM ledger_entries")
    connection.close()
    assert "whole: 4 entries" in program.run("ledger", "verify")
    assert program.json("renew", "lic-a", "--term", "1y")["serial"] == 2


def test_a_backup_that_lacks_entries_is_put_back_by_force_only_and_nothing_is_deleted(program: Program) -> None:
    program.run("ledger", "backup", "old.sqlite")
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    said = program.refused("ledger", "restore", "old.sqlite")
    assert "2 entries that the ledger in place has" in said
    assert "ledger add FILE" in said
    program.run("ledger", "restore", "old.sqlite", "--force")
    assert "knows no license" in program.refused("renew", "lic-a", "--term", "1y")
    (kept,) = program.desk.glob("ledger.sqlite.replaced-*")
    assert program.json("ledger", "verify", "--ledger", kept)["entries"] == 3


def test_what_was_lost_comes_back_from_the_documents_that_were_sent(program: Program) -> None:
    program.run("ledger", "backup", "old.sqlite")
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    program.run("revoke", "lic-a", "--up-to", "1", "--reason", "lost", "--out", "list.txt")
    program.run("ledger", "restore", "old.sqlite", "--force")
    assert program.json("ledger", "add", "lic-a-1.lic", "--reason", "after the fire")["added"] == [3]
    assert program.json("ledger", "add", "lic-a-1.lic") == {"added": [], "known": 1}
    program.run("ledger", "add", "list.txt")
    assert program.json("renew", "lic-a", "--term", "1y")["serial"] == 2
    again = program.json("revoke", "lic-a", "--up-to", "2", "--reason", "lost again")
    assert again["payload"]["number"] == 2  # customers who know list 1 take no other list 1
    assert "whole" in program.run("ledger", "verify")


def test_a_document_of_another_desk_is_not_added(program: Program, tmp_path: Path) -> None:
    other = make_desk(tmp_path / "other")
    program.run("ledger", "init", "--desk", other)
    program.run(*ISSUE, "--term", "1y", "--desk", other, "--out", "foreign.lic")
    assert "nobody who may sign a license" in program.refused("ledger", "add", "foreign.lic")


def test_a_damaged_backup_is_not_put_back(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    shutil.copy(program.desk / "ledger.sqlite", "copy.sqlite")
    connection = sqlite3.connect("copy.sqlite")
    connection.executescript("DROP TRIGGER ledger_no_delete; DELETE FROM ledger_entries WHERE seq = 2")
    connection.close()
    said = program.refused("ledger", "restore", "copy.sqlite", "--force")
    assert "this copy of the ledger is not whole" in said
    assert "entry 2: it is missing" in said
    assert "whole: 3 entries" in program.run("ledger", "verify")


def test_a_checkpoint_kept_elsewhere_tells_an_old_backup_and_a_rewritten_ledger(program: Program) -> None:
    program.run("ledger", "backup", "old.sqlite")
    shutil.copy(program.desk / "ledger.sqlite", "rewritten.sqlite")
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    made = program.json("ledger", "checkpoint", "check.json")
    assert (made["entries"], made["entry"]) == (3, 4)
    program.run(*ISSUE, "--term", "1y", "--id", "lic-b")
    assert "whole: 6 entries" in program.run("ledger", "verify", "--checkpoint", "check.json")

    (program.desk / "ledger.sqlite").unlink()  # the disk is gone, and somebody finds an old backup
    said = program.refused("ledger", "restore", "old.sqlite", "--checkpoint", "check.json")
    assert "2 entries are missing at the end: there were 3" in said
    said = program.refused("ledger", "verify", "--ledger", "old.sqlite", "--checkpoint", "check.json")
    assert "a backup from before was put back, or they were cut off" in said

    for name in ("lic-c", "lic-d"):  # written anew from there, with hashes that fit
        program.run(*ISSUE, "--term", "1y", "--id", name, "--ledger", "rewritten.sqlite")
    assert "whole: 5" in program.run("ledger", "verify", "--ledger", "rewritten.sqlite")
    said = program.refused("ledger", "verify", "--ledger", "rewritten.sqlite", "--checkpoint", "check.json")
    assert "it was written anew: entry 3 is not what it was" in said


def test_a_checkpoint_of_another_ledger_or_hand_says_nothing_here(program: Program, tmp_path: Path) -> None:
    program.run("ledger", "checkpoint", "check.json")
    program.run("ledger", "init", "--ledger", "second.sqlite")
    said = program.refused("ledger", "verify", "--ledger", "second.sqlite", "--checkpoint", "check.json")
    assert "the checkpoint is of another ledger" in said
    document = json.loads(Path("check.json").read_text())
    payload = json.loads(b64decode(document["payload"]))
    assert payload["entries"] == 1

    document["signatures"][0]["keyid"] = "0" * 64
    Path("stranger.json").write_text(json.dumps(document))
    assert "nobody who is known here" in program.refused("ledger", "verify", "--checkpoint", "stranger.json")
    changed = Path("check.json").read_text().replace(document["payload"], "e30=")
    Path("changed.json").write_text(changed)
    assert "changed after it was signed" in program.refused("ledger", "verify", "--checkpoint", "changed.json")
    Path("other.json").write_text('{"entries": 1}')
    assert "no checkpoint of a ledger" in program.refused("ledger", "verify", "--checkpoint", "other.json")


def test_a_ledger_that_is_broken_gets_no_checkpoint(program: Program) -> None:
    connection = sqlite3.connect(program.desk / "ledger.sqlite")
    connection.executescript("DROP TRIGGER ledger_no_update; UPDATE ledger_entries SET operator = 'eve'")
    connection.close()
    assert "a ledger that is broken gets no checkpoint" in program.refused("ledger", "checkpoint", "check.json")
    assert not Path("check.json").exists()


def test_an_export_of_json_lines_holds_all_that_the_hashes_are_made_of(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a", "--reason", "ordered by «mail»")
    assert "3 entries" in program.run("ledger", "export", "all.jsonl")
    read = []
    for line in Path("all.jsonl").read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        values["payload"] = values["payload"] and b64decode(values["payload"])
        read.append(Entry(**values))
    assert broken(read) is None
    assert read[1].reason == "ordered by «mail»"


def test_an_export_for_a_table_program_has_no_formulas(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a", "--reason", "=HYPERLINK(1)")
    program.run("ledger", "export", "all.csv")
    with open("all.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == [field.name for field in fields(Entry)]
    assert (rows[1]["reason"], rows[1]["subject"]) == ("'=HYPERLINK(1)", "lic-a")
    assert "in which form" in program.refused("ledger", "export", "all.xlsx")


def test_settings_are_shown_and_others_refused(program: Program) -> None:
    assert program.json("ledger", "settings") == {"four_eyes": False, "product": "tunesmith-enterprise"}
    assert "no such setting" in program.refused("ledger", "settings", "six_eyes=true")
    assert "set so already" in program.refused("ledger", "settings", "four_eyes=false")


@pytest.mark.parametrize("command", [("verify",), ("backup", "x.sqlite"), ("search",), ("export", "x.csv")])
def test_without_a_ledger_each_command_says_how_to_begin_one(program: Program, command: tuple[str, ...]) -> None:
    said = program.refused("ledger", *command, "--ledger", "nowhere.sqlite")
    assert "there is no ledger here" in said
    assert "tunesmith-vendor ledger init" in said
    assert not Path("nowhere.sqlite").exists()
