# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""People with a token take seats: one each a month, with the keys together, over restarts, whoever races."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from access_site import Issuer, Site, ask, sign

from tunesmith.serve import AccessError, Application
from tunesmith_enterprise.entitlement.state import StateFolder
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.governance.access.people import FILE, People, people_of
from tunesmith_enterprise.governance.access.serving import open_access

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)


def people(folder: Path, most: int | None = 2, keys: int = 0, now: datetime = NOW) -> People:
    return People(StateFolder(folder), most, lambda: keys, lambda: now)


def come(to: People, *names: str) -> list[str]:
    """Those who are let in; all come at once."""

    async def every() -> list[BaseException | None]:
        return await asyncio.gather(*(to.admit(name) for name in names), return_exceptions=True)

    found = asyncio.run(every())
    refused = [error for error in found if error is not None]
    assert all(isinstance(error, AccessError) and (error.status, error.code) == (403, "seats") for error in refused)
    return [name for name, error in zip(names, found, strict=True) if error is None]


def test_each_person_takes_one_seat_and_one_too_many_is_refused(tmp_path: Path) -> None:
    server = people(tmp_path)
    assert come(server, "ana", "ana", "bob") == ["ana", "ana", "bob"]
    with pytest.raises(AccessError) as caught:
        asyncio.run(server.admit("eve"))
    assert "the license of this server does not allow that many people" in str(caught.value)
    assert "one more than the 2 who have a seat this month" in str(caught.value)
    assert "at most 2 seats, of people and of keys" in str(caught.value)
    assert "wait for the next month" in str(caught.value)
    assert come(server, "bob") == ["bob"]  # who has one keeps it


def test_of_many_who_come_at_once_no_more_get_in_than_there_are_seats(tmp_path: Path) -> None:
    one, other = people(tmp_path, most=5), people(tmp_path, most=5)  # two servers of one account
    for server in (one, other):
        come(server, *(f"{number}" for number in range(id(server) % 7, 40)))
    assert people_of(StateFolder(tmp_path), NOW) == 5


def test_a_restart_frees_no_seat_and_a_new_month_frees_all(tmp_path: Path) -> None:
    assert come(people(tmp_path), "ana", "bob") == ["ana", "bob"]
    assert come(people(tmp_path), "eve", "ana") == ["ana"]
    later = people(tmp_path, now=NOW + timedelta(days=5))
    assert come(later, "eve") == ["eve"]
    assert people_of(StateFolder(tmp_path), NOW + timedelta(days=5)) == 1


def test_keys_take_seats_too(tmp_path: Path) -> None:
    assert come(people(tmp_path, most=3, keys=2), "ana", "bob") == ["ana"]


def test_without_a_limit_nobody_is_counted(tmp_path: Path) -> None:
    assert len(come(people(tmp_path, most=None), *"abcdef")) == 6
    assert not (tmp_path / FILE).exists()


def test_the_file_has_no_name_and_is_for_its_owner(tmp_path: Path) -> None:
    come(people(tmp_path), "oidc:ana@example.org")
    assert "ana" not in (tmp_path / FILE).read_text()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"\xff", b"[1]", b'{"people": ["ana"]}', b"[" * 100_000])
def test_a_garbled_file_is_told_and_counted_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / FILE).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert come(people(tmp_path), "ana") == ["ana"]
    assert "who has a seat cannot be read: " in caplog.text
    assert people_of(StateFolder(tmp_path), NOW) == 1


def test_without_a_place_to_keep_it_it_is_counted_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    server = People(StateFolder(None), 1, lambda: 0, lambda: NOW)
    with caplog.at_level(logging.WARNING):
        assert come(server, "ana") == ["ana"]
        assert come(server, "bob", "ana") == ["ana"]
    assert "it is counted until this server ends" in caplog.text


def test_a_server_counts_keys_and_people_and_goes_on_without_a_license(site: Site, issuer: Issuer) -> None:
    site.machine.install(features={"governance": {"seats": 2}})
    site.settings(issuer.table())
    key = site.key()
    app = Application({}, access=open_access())
    site.machine.delete()
    tokens = {name: sign(issuer.claims(sub=name)) for name in ("ana", "bob")}
    assert ask(app, "GET", "/v1/models", tokens["ana"]).status_code == 200
    refused = ask(app, "GET", "/v1/models", tokens["bob"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "seats")
    for token in (key, tokens["ana"]):
        assert ask(app, "GET", "/v1/models", token).status_code == 200
    site.machine.install(features={"governance": {"seats": 2}})
    with pytest.raises(LicenseError, match="does not allow that much of the feature governance"):
        site.key()  # ana has the other seat
