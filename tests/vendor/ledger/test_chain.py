# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The chain: whatever is changed, dropped, added or moved in the ledger is found, at the first entry it concerns."""

from __future__ import annotations

import sqlite3
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_desk import ISSUE, Program

from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.ledger.chain import START, Entry, broken, digest, hash_of
from tunesmith_vendor.ledger.store import Ledger, Operator

TEXT = st.one_of(st.none(), st.text(max_size=8))


def chain(length: int) -> list[Entry]:
    """A ledger in memory: its beginning, and acts with payloads."""
    made: list[Entry] = []
    for seq in range(1, length + 1):
        payload = None if seq == 1 else b'{"number":%d}' % seq
        entry = Entry(
            seq=seq,
            at="2026-11-26T12:00:00Z",
            operator="ada",
            account="desk",
            action="begin" if seq == 1 else "issue",
            subject=None if seq == 1 else f"lic-{seq}",
            payload=payload,
            payload_sha256=payload and digest(payload),
            prev_hash=made[-1].hash if made else START,
        )
        made.append(replace(entry, hash=hash_of(entry)))
    return made


CHAIN = chain(6)


def test_a_chain_that_nobody_touched_is_whole() -> None:
    assert broken(CHAIN) is None
    assert str(broken([])) == "entry 1: there is no entry at all"


@given(st.integers(0, 5), st.sampled_from([field.name for field in fields(Entry)]), st.data())
@settings(max_examples=150, deadline=None)
def test_a_change_of_any_column_of_any_entry_is_found_there_or_at_the_next(
    at: int, name: str, data: st.DataObject
) -> None:
    old = getattr(CHAIN[at], name)
    kinds: dict[type, st.SearchStrategy[Any]] = {int: st.integers(1, 99), bytes: st.binary(max_size=8)}
    new = data.draw(kinds.get(type(old), TEXT).filter(lambda value: value != old))
    found = broken([*CHAIN[:at], replace(CHAIN[at], **{name: new}), *CHAIN[at + 1 :]])
    assert found is not None
    assert found.seq == at + 1


@given(st.integers(0, 5), st.sampled_from(["operator", "reason", "payload"]), st.text(min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_an_entry_that_was_changed_with_its_hash_no_longer_fits_the_next(at: int, name: str, text: str) -> None:
    changed = replace(CHAIN[at], **{name: text.encode() + b"!" if name == "payload" else text + "!"})
    if name == "payload":
        changed = replace(changed, payload_sha256=digest(changed.payload or b""))
    changed = replace(changed, hash=hash_of(changed))
    found = broken([*CHAIN[:at], changed, *CHAIN[at + 1 :]])
    if at == 5:
        assert found is None  # the last one: nothing inside tells, and a checkpoint does
    else:
        assert found is not None
        assert (found.seq, "does not follow" in found.why) == (at + 2, True)


@given(st.permutations(range(6)), st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_entries_that_are_dropped_or_moved_are_missed(order: list[int], count: int) -> None:
    kept = [CHAIN[index] for index in order[:count]]
    found = broken(kept)
    if order[:count] == list(range(count)):
        assert found is None  # cut off at the end: nothing inside tells, and a checkpoint does
    else:
        assert found is not None


def with_next(*made: Entry, **values: Any) -> list[Entry]:
    entry = Entry(
        seq=len(made) + 1,
        at="2026-11-26T12:00:00Z",
        account="desk",
        prev_hash=made[-1].hash,
        **{"operator": "ada", **values},
    )
    return [*made, replace(entry, hash=hash_of(entry))]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"action": "begin"}, "has it once"),
        ({"action": "approve", "refers_to": 2}, "approved by the one who proposed it"),
        ({"action": "reject", "refers_to": 9}, "which is not before it"),
        (
            {"action": "sign", "refers_to": 2, "payload_sha256": digest(b"{}")},
            "what was signed is not what entry 2 says",
        ),
        ({"action": "issue", "payload": b"{}", "payload_sha256": digest(b"[]")}, "not the one whose hash it names"),
        ({"action": "issue", "details": "{"}, "it cannot be read"),
        ({"action": "issue", "documents": "-----BEGIN"}, "it cannot be read"),
        ({"action": "issue", "at": "yesterday"}, "it cannot be read"),
    ],
)
def test_an_entry_whose_hash_fits_and_that_breaks_a_rule_is_found(values: dict[str, Any], words: str) -> None:
    if values["action"] == "issue" and "at" in values:
        entry = replace(with_next(*CHAIN, action="issue")[-1], at=values["at"])
        made = [*CHAIN, replace(entry, hash=hash_of(entry))]
    else:
        made = with_next(*CHAIN, **values)
    found = broken(made)
    assert found is not None
    assert found.seq == 7
    assert words in found.why


@pytest.mark.parametrize("statement", ["UPDATE ledger_entries SET operator = 'eve'", "DELETE FROM ledger_entries"])
def test_the_database_refuses_to_change_entries(ledger: Ledger, statement: str) -> None:
    assert ledger.file is not None
    with sqlite3.connect(ledger.file) as connection, pytest.raises(sqlite3.IntegrityError, match="never changed"):
        connection.execute(statement)
    connection.close()


def test_a_row_that_was_changed_past_the_triggers_is_named(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    connection = sqlite3.connect(program.desk / "ledger.sqlite")
    connection.executescript(
        "DROP TRIGGER ledger_no_update; UPDATE ledger_entries SET reason = 'nothing' WHERE seq = 2;"
    )
    connection.close()
    said = program.refused("ledger", "verify")
    assert "entry 2: its hash is not that of what it says: it was changed" in said
    code, out, _ = program("ledger", "verify", "--json")
    assert code == 2
    assert '"broken": 2' in out


def test_nothing_is_added_to_a_last_entry_that_was_changed(program: Program) -> None:
    connection = sqlite3.connect(program.desk / "ledger.sqlite")
    connection.executescript("DROP TRIGGER ledger_no_update; UPDATE ledger_entries SET account = 'eve'")
    connection.close()
    assert "the last entry of the ledger was changed" in program.refused(*ISSUE, "--term", "1y")


def test_an_entry_that_cannot_be_read_and_a_newer_ledger_are_told_without_a_traceback(program: Program) -> None:
    for details, words in (("{", "an entry of the ledger cannot be read"), ('{"schema":2}', "a newer program writes")):
        connection = sqlite3.connect(program.desk / "ledger.sqlite")
        connection.execute("DROP TRIGGER IF EXISTS ledger_no_update")
        with connection:
            connection.execute("UPDATE ledger_entries SET details = ?", [details])
        connection.close()
        assert words in program.refused("ledger", "settings")


def test_a_ledger_whose_beginning_is_gone_is_told_by_verify(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y")
    connection = sqlite3.connect(program.desk / "ledger.sqlite")
    connection.executescript("DROP TRIGGER ledger_no_delete; DELETE FROM ledger_entries WHERE seq = 1")
    connection.close()
    assert "entry 1: it is missing" in program.refused("ledger", "verify")
    connection = sqlite3.connect(program.desk / "ledger.sqlite")
    connection.executescript("DELETE FROM ledger_entries")
    connection.close()
    assert "entry 1: there is no entry at all" in program.refused("ledger", "verify")


def test_a_ledger_is_begun_once_and_never_in_passing(tmp_path: Path, operator: Operator) -> None:
    place = tmp_path / "new" / "ledger.sqlite"
    with pytest.raises(VendorError, match="there is no ledger here"):
        Ledger.open(place)
    assert not place.parent.exists()
    Ledger.begin(place, operator, product="p")
    assert place.stat().st_mode & 0o777 == 0o600
    with pytest.raises(VendorError, match="there is a ledger already"):
        Ledger.begin(place, operator, product="p")


def test_a_file_that_is_no_ledger_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database at all, and long enough to be looked at" * 20)
    with pytest.raises(VendorError, match="file is not a database"):
        Ledger.open(file)


@pytest.mark.skipif(find_spec("psycopg") is None, reason="the driver psycopg is not installed")
def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(VendorError) as caught:
        Ledger.open("postgresql://ada:secret-word@127.0.0.1:1/desk?connect_timeout=1")
    assert "secret-word" not in str(caught.value)
    assert "the database of the ledger refuses" in str(caught.value)
    with pytest.raises(VendorError, match="a file or in PostgreSQL"):
        Ledger.open("mysql://host/desk")
