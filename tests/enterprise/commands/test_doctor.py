# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license doctor``: each accident that has cost somebody a day is told by its name, with the next step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import DAY, NOW, Desk, Revocation, new_key

from tunesmith.licensing import armor, armor_line
from tunesmith.licensing.contents import Binding
from tunesmith_enterprise.entitlement.build import Build


def findings(customer: Any, *args: object, code: int = 1) -> dict[str, Any]:
    found = customer.json("doctor", *args, code=code)
    assert set(found) == {"ok", "findings"}
    assert found["ok"] is (code == 0)
    assert all(set(one) == {"code", "problem", "where", "cause", "to_do"} for one in found["findings"])
    for one in found["findings"]:
        assert one["where"], one
        assert one["cause"], one
    return {one["code"]: one for one in found["findings"]}


def test_where_all_is_well_it_says_so(customer: Any) -> None:
    customer.ok("install", customer.file("lic.txt", customer.desk.license()))
    assert customer.ok("doctor") == "all is well"


def test_people_read_where_why_and_what_to_do(customer: Any) -> None:
    assert customer.run("doctor") == 1
    text = " ".join(customer.out.split())
    assert "! all places that are searched cause no license was found anywhere" in text
    assert "to do `tunesmith license install FILE`" in text
    assert text.endswith("1 thing to do")


def lines_of(desk: Desk) -> str:
    return armor(desk.license())


ACCIDENTS: dict[str, tuple[Callable[[Desk], str | bytes], str]] = {
    "address": (lambda desk: "https://vendor.example/licenses/7", "open the address, save what is there"),
    "padding": (
        lambda desk: armor_line(desk.license(edition="Enterpris")).rstrip("="),
        "some mail programs and shells",
    ),
    "typography": (lambda desk: "“" + armor_line(desk.license()) + "”", "copy the document once more"),
    "mail-quote": (lambda desk: "".join("> " + line for line in lines_of(desk).splitlines(True)), "take every > out"),
    "truncated": (lambda desk: lines_of(desk)[:300], "copy the document once more"),
    "web-page": (lambda desk: "<html><title>Log in</title>", "download the document in a browser"),
    "other-pem": (lambda desk: "-----BEGIN CERTIFICATE-----\nAAAA", "look for the file that the vendor sent"),
    "byte-order-mark": (lambda desk: lines_of(desk).encode("utf-16"), "save it anew as UTF-8"),
    "text-around": (lambda desk: f"Dear customer,\n{lines_of(desk)}", "delete the rest"),
    "compressed": (lambda desk: b"PK\x03\x04zip", "unpack it first"),
    "empty": (lambda desk: "\n", "look whether the variable or the file was filled"),
    "unrecognized": (lambda desk: "ABCDE-12345-FGHIJ-67890", "paste the document itself"),
    "other-product": (lambda desk: armor(desk.license(product="another-product")), "give it to another-product"),
    "untrusted": (lambda desk: armor(desk.license(signer=new_key())), "update tunesmith-enterprise"),
    "other-key": (lambda desk: armor(desk.license(signer=desk.revoker)), "update tunesmith-enterprise"),
    "path": (lambda desk: "/home/me/customer.lic", "give the name where a file is asked for"),
}


@pytest.mark.parametrize("code", ACCIDENTS)
def test_an_accident_is_told_by_its_name(customer: Any, code: str) -> None:
    make, step = ACCIDENTS[code]
    content = make(customer.desk)
    customer.places.user.mkdir(parents=True)
    path = customer.places.user / "mine.lic"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    found = findings(customer)

    assert found[code]["where"] == str(path)
    assert step in " ".join(found[code]["to_do"])
    # The same of a file that is not installed yet.
    there = customer.folder / "from-mail.txt"
    path.rename(there)
    assert findings(customer, there)[code]["where"] == str(there)


def test_what_does_no_harm_is_no_finding(customer: Any) -> None:
    customer.places.user.mkdir(parents=True)
    path = customer.places.user / "mine.lic"
    for text in (
        lines_of(customer.desk).replace("\n", "\r\n"),
        '"' + lines_of(customer.desk).replace("\n", "\\n") + '"',
        armor_line(customer.desk.license()),
    ):
        path.write_bytes(text.encode())
        assert customer.ok("doctor") == "all is well"


def test_a_variable_that_holds_the_name_of_a_file(customer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_LICENSE", "/home/me/customer.lic")
    found = findings(customer)["path"]
    assert found["where"] == "TUNESMITH_LICENSE"
    assert found["to_do"][0].startswith("put the name into TUNESMITH_LICENSE_FILE")


def test_a_variable_that_holds_a_document_where_a_name_has_to_be(
    customer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_LICENSE_FILE", lines_of(customer.desk))
    found = findings(customer)["path"]
    assert (found["where"], found["to_do"]) == ("TUNESMITH_LICENSE_FILE", ["put it into TUNESMITH_LICENSE instead"])


def test_an_unset_secret_and_a_missing_file(customer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_LICENSE", "")
    assert "is set and empty" in findings(customer)["note"]["cause"]
    monkeypatch.setenv("TUNESMITH_LICENSE_FILE", str(customer.folder / "gone.lic"))
    assert findings(customer)["no-file"]["where"] == str(customer.folder / "gone.lic")


def test_a_license_in_the_working_folder_is_not_read_and_that_is_said(customer: Any) -> None:
    customer.file("mine.lic", customer.desk.license())
    found = findings(customer)
    assert found["working-folder"]["to_do"] == ["`tunesmith license install mine.lic`"]
    assert found["working-folder"]["problem"] is False
    customer.ok("install", "mine.lic")
    assert findings(customer, code=0) == {}


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_a_file_that_cannot_be_opened(customer: Any) -> None:
    customer.places.user.mkdir(parents=True)
    loop = customer.places.user / "mine.lic"
    loop.symlink_to(loop)
    assert findings(customer)["unreadable"]["to_do"] == ["look at its owner and its permissions"]


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_permissions_that_are_too_many(customer: Any) -> None:
    customer.ok("install", customer.file("lic.txt", customer.desk.license()))
    path = customer.places.user / "lic-1.lic"
    path.chmod(0o666)
    assert f"everybody on this machine may change {path}: chmod o-w it" in findings(customer)["note"]["cause"]
    path.chmod(0o600)
    customer.ok("request", "lic-1")
    key = customer.places.state / "install.key"
    key.chmod(0o644)
    assert findings(customer)["key-open"]["to_do"] == [f"`chmod 600 {key}`"]


def test_a_state_folder_that_cannot_be_written(customer: Any) -> None:
    customer.ok("install", customer.file("lic.txt", customer.desk.license()))
    for path in customer.places.state.iterdir():
        path.unlink()
    customer.places.state.rmdir()
    customer.places.state.write_text("a file where a folder should be")
    found = findings(customer)
    assert found["state"]["where"] == str(customer.places.state)
    assert "nothing can be kept in" in found["state"]["cause"]
    assert "set XDG_STATE_HOME to one that is and stays" in found["state"]["to_do"][0]
    assert "note" not in found  # it is told once


def test_a_clock_that_was_turned_back_and_the_way_out(customer: Any) -> None:
    customer.ok("install", customer.file("lic.txt", customer.desk.license()))
    customer.now = NOW + 3 * DAY
    customer.ok("status")
    customer.now = NOW
    found = findings(customer)["clock"]
    assert "which is before an earlier start on this machine (2026-11-29T12:00:00Z)" in found["cause"]
    assert "`tunesmith license doctor --forget-clock`" in found["to_do"][1]
    assert customer.ok("doctor", "--forget-clock") == "all is well"
    assert "the mark of the clock was forgotten" in customer.err
    assert customer.journal()[-1] == "clock-forgotten"


def test_a_build_without_a_root(customer: Any) -> None:
    customer.build = Build()
    assert "install tunesmith-enterprise from the vendor's package index" in findings(customer)["no-root"]["to_do"][0]


@pytest.mark.parametrize(
    ("changes", "days", "code", "step"),
    [
        ({}, 360, "expired", "ask the vendor for a renewal"),
        ({}, 340, "grace", "ask the vendor for a renewal"),
        ({"expires_at": None, "maintenance_until": NOW - 60 * DAY}, 0, "newer-build", "a build from before the end"),
        ({"starts_at": NOW + 9 * DAY, "expires_at": NOW + 99 * DAY}, 0, "upcoming", "whether the clock is right"),
        ({"binding": Binding("install-id", ("other",))}, 0, "binding", "`tunesmith license request lic-1"),
        ({"environment": "ci"}, 0, "environment", "CI=true"),
    ],
)
def test_a_license_that_gives_nothing_here_and_now(
    customer: Any, changes: Any, days: int, code: str, step: str
) -> None:
    customer.ok("install", customer.file("lic.txt", customer.desk.license(**changes)))
    customer.now = NOW + days * DAY
    found = findings(customer)[code]
    assert "lic-1, serial 1" in found["where"]
    assert step in " ".join(found["to_do"])


def test_one_that_ends_soon_is_good_to_know_and_no_problem(customer: Any) -> None:
    customer.ok("install", customer.file("lic.txt", customer.desk.license()))
    customer.now = NOW + 310 * DAY
    assert findings(customer, code=0)["expiring"]["cause"].startswith("the license lic-1 ends in 25 days")


def test_a_revoked_one_beside_a_good_one_is_no_problem(customer: Any) -> None:
    revoked = customer.desk.revocations(Revocation("license", "lic-1", None, NOW - DAY, "sold twice"))
    customer.ok("install", customer.file("lic.txt", customer.desk.license(), revoked))
    assert "it was revoked since 2026-11-25: sold twice" in findings(customer)["revoked"]["cause"]
    customer.ok("install", customer.file("b.txt", customer.desk.license(license_id="lic-2")))
    assert "others cover it" in findings(customer, code=0)["revoked"]["cause"]


def test_a_root_that_is_too_old_for_the_license(customer: Any) -> None:
    old = customer.desk
    newer = Desk(roots=old.roots)
    third = newer.root(3)
    customer.places.user.mkdir(parents=True)
    (customer.places.user / "mine.lic").write_text(armor(third) + armor(newer.license()))
    found = findings(customer)["root-gap"]
    assert "this license is signed with keys of a newer root" in found["cause"]
    assert "ask the vendor for the whole chain of roots" in found["to_do"]


def test_a_journal_that_somebody_changed(customer: Any) -> None:
    customer.ok("install", customer.file("lic.txt", customer.desk.license()))
    path = Path(customer.places.state / "journal.jsonl")
    path.write_text(path.read_text().replace("lic-1", "lic-2"))
    assert "the journal was changed: line 1" in findings(customer)["journal"]["cause"]


def test_nothing_of_a_license_gets_out(customer: Any) -> None:
    whole = armor(customer.desk.license())
    path = customer.folder / "a.txt"
    path.write_text(whole[:500])
    customer.run("doctor", path)
    assert not [line for line in whole.splitlines()[1:-1] if line in customer.out + customer.err]
