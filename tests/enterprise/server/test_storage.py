# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The database and its log: full, damaged, changed, lost. A seat is never given without being written down."""

import asyncio
import json
import os
import sqlite3
import stat

import pytest
from desk import NOW
from lending import Site

from tunesmith_enterprise.server.audit import BEGINNING, Broken, Verified, entries, verify
from tunesmith_enterprise.server.refusals import StorageError
from tunesmith_enterprise.server.storage import open_storage


def fails(call, *arguments, **named):
    with pytest.raises(StorageError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def sql(site, *statements):
    """Somebody else's hand in the database."""
    with sqlite3.connect(site.folder / "seats.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def look(site):
    with site.service._storage.transaction() as transaction:
        return verify(transaction.connection)


def test_the_file_is_for_its_owner_only(site):
    site.claim()
    assert stat.S_IMODE((site.folder / "seats.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((site.folder / "server.key").stat().st_mode) == 0o600


def test_a_full_disk_gives_no_seat_and_says_why(site):
    site.claim()
    storage = site.service._storage

    def fill(connection, _record, _proxy):
        connection.execute("PRAGMA max_page_count=1")  # SQLite raises it to what there is: not one page more

    import sqlalchemy

    storage._engine.dispose()
    sqlalchemy.event.listen(storage._engine, "checkout", fill)

    async def until_it_is_full():
        return await asyncio.gather(*(claim(site, number) for number in range(300)), return_exceptions=True)

    answers = asyncio.run(until_it_is_full())
    trouble = [answer for answer in answers if isinstance(answer, StorageError)]
    assert trouble
    assert "database or disk is full" in str(trouble[0])
    given = [answer for answer in answers if not isinstance(answer, Exception)]
    storage._engine.dispose()
    sqlalchemy.event.remove(storage._engine, "checkout", fill)
    assert site.in_use == 1 + len(given)
    assert isinstance(look(site), Verified)


async def claim(site, number):
    from tunesmith_enterprise.server.seats import Claim

    return await site.service.claim(Claim(f"node-{number}", "x" * 60, {"distributed": {}}))


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "site")
    site.pool(seats=1000)
    yield site
    site.close()


def test_a_file_that_is_no_database_is_called_that(site):
    (site.folder / "seats.db").write_bytes(b"not a database at all" * 100)
    words = fails(site.start)
    assert "file is not a database" in words
    assert "no seat was given" in words


def test_a_damaged_page_is_trouble_of_the_server_and_gives_no_seat(site):
    for _ in range(50):
        site.claim()
    site.service.close()
    site.opened.clear()
    site._service = None
    path = site.folder / "seats.db"
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 6] = os.urandom(4096 * 5)
    path.write_bytes(content)
    assert "the license server's database cannot be used" in fails(lambda: site.claim())


def test_a_lost_count_of_leases_is_not_begun_anew(site):
    site.claim()
    sql(site, "DELETE FROM kept WHERE name = 'serial'")
    words = fails(site.claim)
    assert "lost its count of leases" in words
    assert "a new server key" in words


def test_a_database_of_another_release_is_left_alone(site):
    site.claim()
    sql(site, "UPDATE kept SET value = '2' WHERE name = 'schema'")
    assert "schema 2" in fails(site.start)
    sql(site, "DELETE FROM kept WHERE name = 'schema'")
    assert "another release, or damaged" in fails(site.start)


def test_a_mistake_in_one_operation_costs_the_others_of_its_transaction_nothing(site):
    async def three():
        def wrong(_transaction):
            raise ZeroDivisionError("a mistake")

        return await asyncio.gather(
            claim(site, 1), site.service._writer.run(wrong), claim(site, 2), return_exceptions=True
        )

    first, wrong, second = asyncio.run(three())
    assert isinstance(wrong, ZeroDivisionError)
    assert {first.node, second.node} == {"node-1", "node-2"}
    assert site.in_use == 2


@pytest.mark.parametrize(
    ("database", "words"),
    [
        ("mysql://user:hunter2@host/db", "does not know this kind of database"),
        ("hunter2", "no address of a database"),
        ("sqlite:////no/such/folder/file.db", "cannot be opened"),
    ],
)
def test_an_address_that_is_wrong_is_told_without_its_password(database, words):
    told = fails(open_storage, database)
    assert words in told
    assert "hunter2" not in told


def test_postgresql_that_does_not_answer_is_trouble_and_not_a_traceback():
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    told = fails(open_storage, "postgresql://user:hunter2@127.0.0.1:9/none")
    assert "database cannot be used" in told
    assert "hunter2" not in told


def test_the_log_is_whole_from_the_first_row_on(site):
    for number in range(5):
        site.claim(f"node-{number}")
    found = look(site)
    assert found == Verified(6, site.log()[-1].hash)
    assert site.log()[0].prev == BEGINNING


@pytest.mark.parametrize(
    ("change", "row", "why"),
    [
        ("UPDATE audit SET details = replace(details, 'node-2', 'node-9') WHERE seq = 4", 4, "it was changed"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 3", 3, "it was changed"),
        ("UPDATE audit SET event = 'returned' WHERE seq = 2", 2, "it was changed"),
        ("DELETE FROM audit WHERE seq = 3", 3, "row 3 is missing"),
        ("DELETE FROM audit WHERE seq = 1", 1, "row 1 is missing"),
        ("UPDATE audit SET prev = '00', hash = '11' WHERE seq = 5", 5, "does not follow"),
        ("INSERT INTO audit SELECT 0, at, event, details, prev, hash FROM audit WHERE seq = 1", 1, "row 1 is missing"),
    ],
)
def test_the_first_row_that_is_not_as_it_was_written_is_named(site, change, row, why):
    for number in range(5):
        site.claim(f"node-{number}")
    sql(site, change)
    found = look(site)
    assert isinstance(found, Broken)
    assert (found.seq, why in found.why) == (row, True), found


def test_a_log_of_thousands_of_rows_is_read_in_pieces(site):
    with site.service._storage.transaction() as transaction:
        for number in range(2500):
            transaction.audit.record("taken", int(NOW.timestamp()), number=number)
    with site.service._storage.transaction() as transaction:
        assert sum(1 for _ in entries(transaction.connection)) == 2501
        assert isinstance(verify(transaction.connection), Verified)


def test_an_exported_row_is_plain_json(site):
    site.claim("node-a")
    row = json.loads(json.dumps(site.log()[-1].to_json()))
    assert (row["event"], row["at"], row["details"]["node"]) == ("taken", "2026-11-26T12:00:00Z", "node-a")
