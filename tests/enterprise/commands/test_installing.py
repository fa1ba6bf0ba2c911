# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith license install|remove``."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from desk import DAY, NOW, Desk, Revocation, new_key

from tunesmith.licensing import PublicKey, armor, armor_line
from tunesmith.licensing.contents import Binding, SubIssuer
from tunesmith_enterprise.commands import keeping


def test_a_license_is_checked_and_kept_for_its_owner_only(customer: Any) -> None:
    file = customer.file("from-mail.txt", customer.desk.license())

    text = customer.ok("install", file)

    assert "installed: " in text
    assert "lic-1, serial 1, for Example Ltd: valid, ends on 2027-10-27 12:00 UTC" in text
    assert "next: `tunesmith license status`" in customer.err
    assert customer.kept() == ["lic-1.lic"]
    path = customer.places.user / "lic-1.lic"
    assert path.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert customer.journal() == ["license-installed"]


def test_a_pipe_is_as_good_as_a_file(customer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = armor_line(customer.desk.license()).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    customer.ok("install", "-")
    assert customer.kept() == ["lic-1.lic"]


def test_the_shape_of_json_is_pinned(customer: Any) -> None:
    found = customer.json("install", customer.file("a.lic", customer.desk.root(), customer.desk.license()))
    assert set(found) == {"installed", "path", "documents", "licenses", "notes"}
    assert (found["installed"], found["documents"]) == (True, ["root", "license"])
    assert (customer.places.user / "lic-1.lic").read_text().count("BEGIN") == 2  # the file stays whole


def test_for_the_whole_machine_everybody_can_read_it(customer: Any) -> None:
    customer.ok("install", customer.file("a.lic", customer.desk.license()), "--system")
    path = customer.places.system / "lic-1.lic"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert customer.kept() == []


def test_a_reissue_replaces_the_file_and_an_older_one_does_not(customer: Any) -> None:
    old, new = customer.desk.license(), customer.desk.license(serial=2)
    customer.ok("install", customer.file("old.lic", old))
    customer.ok("install", customer.file("new.lic", new))
    found = customer.json("install", customer.folder / "old.lic")
    assert (found["installed"], found["notes"]) == (
        False,
        ["a newer issue of lic-1 is here already; nothing was changed"],
    )
    assert (customer.places.user / "lic-1.lic").read_text() == armor(new)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda desk: armor(desk.license(signer=new_key())), "nobody who may sign a license has signed this one"),
        (lambda desk: armor(desk.license(product="another-product")), "another-product"),
        (lambda desk: armor(desk.license()).replace("-----END", "-----EMD"), "the BEGIN or the END line is damaged"),
        (lambda desk: "https://vendor.example/download?license=7", "this is an address and not a document"),
        (lambda desk: armor_line(desk.license()).rstrip("=")[:-3], "part of the document is missing"),
        (lambda desk: armor(desk.pool(new_key())), "this is a pool of seats, which a license server lends"),
        (lambda desk: "“" + armor_line(desk.license()) + "”", "a word processor or a chat program has changed"),
    ],
)
def test_what_does_not_verify_is_refused_and_nothing_is_left(customer: Any, made: Any, words: str) -> None:
    file = customer.folder / "a.lic"
    file.write_text(made(customer.desk), encoding="utf-8")
    assert customer.run("install", file) == 2
    assert words in customer.err
    assert str(file) in customer.err
    assert "to do:" in customer.err
    assert customer.kept() == []
    assert customer.journal() == []


def test_keys_that_a_newer_build_will_know_can_wait(customer: Any) -> None:
    file = customer.file("a.lic", Desk().license())
    assert customer.run("install", file) == 2
    customer.ok("install", file, "--anyway")
    assert "it is kept, but counts only when a newer build or root knows its keys" in customer.err
    assert customer.kept() == ["lic-1.lic"]
    assert customer.run("check", "governance") == 23  # invalid: nothing is granted by it


def test_a_changed_license_is_kept_in_no_case(customer: Any) -> None:
    whole = armor(customer.desk.license())
    middle = len(whole) // 2
    file = customer.folder / "a.lic"
    file.write_text(whole[:middle] + ("A" if whole[middle] != "A" else "B") + whole[middle + 1 :])
    assert customer.run("install", file, "--anyway") == 2
    assert customer.kept() == []


def test_a_build_without_a_root_says_so(customer: Any) -> None:
    from tunesmith_enterprise.entitlement.build import Build

    customer.build = Build()
    assert customer.run("install", customer.file("a.lic", customer.desk.license())) == 21
    assert "this build holds no root of trust" in customer.err


def test_a_list_of_revocations_is_installed_too(customer: Any) -> None:
    customer.ok("install", customer.file("a.lic", customer.desk.license()))
    revoked = customer.desk.revocations(Revocation("license", "lic-1", None, NOW - DAY, "sold twice"))
    customer.ok("install", customer.file("r.txt", revoked))
    assert customer.kept() == ["lic-1.lic", "revocations.lic"]
    assert customer.json("status")["state"] == "revoked"


def test_a_license_of_a_sub_issuer_is_kept_with_the_one_above_it(customer: Any) -> None:
    maker = new_key()
    right = SubIssuer("helpdesk", (PublicKey.of(maker),), ("governance",))
    above = customer.desk.license(oem=right, license_id="maker")
    below = customer.desk.license(
        signer=maker,
        license_id="lic-7",
        under="maker",
        features={"governance": {}},
        binding=Binding("oem", ("helpdesk",)),
    )
    assert customer.run("install", customer.file("below.txt", below)) == 2
    assert "maker" in customer.err
    found = customer.json("install", customer.file("both.txt", above, below))
    assert {one["id"]: one["under"] for one in found["licenses"]} == {"maker": None, "lic-7": "maker"}
    assert customer.kept() == ["lic-7+maker.lic"]


def test_a_chain_of_roots_that_comes_with_a_license_is_followed(customer: Any) -> None:
    newer = Desk(roots=customer.desk.roots)
    text = [customer.desk.root(), newer.root(2), newer.license()]
    assert customer.json("install", customer.file("a.lic", *text))["licenses"][0]["state"] == "valid"
    assert customer.json("status")["root"]["version"] == 2


def test_a_kill_or_a_full_disk_leaves_what_was_there(customer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    customer.ok("install", customer.file("a.lic", customer.desk.license()))
    before = (customer.places.user / "lic-1.lic").read_bytes()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping.os, "fsync", full)
    assert customer.run("install", customer.file("b.lic", customer.desk.license(serial=2))) == 2
    assert "the license cannot be written" in customer.err
    assert "No space left on device" in customer.err
    monkeypatch.setattr(keeping.os, "fsync", lambda number: (_ for _ in ()).throw(KeyboardInterrupt))
    assert customer.run("install", customer.folder / "b.lic") == 130
    assert (customer.places.user / "lic-1.lic").read_bytes() == before
    assert customer.kept() == ["lic-1.lic"]


def test_what_a_kill_left_is_not_read(customer: Any) -> None:
    customer.places.user.mkdir(parents=True)
    (customer.places.user / ".lic-1.lic-abc.new").write_text(armor(customer.desk.license()))
    assert customer.json("status")["state"] == "none"


def test_a_journal_that_cannot_be_written_is_a_note(customer: Any) -> None:
    customer.places.state.parent.mkdir(parents=True, exist_ok=True)
    customer.places.state.write_text("a file where a folder should be")
    customer.ok("install", customer.file("a.lic", customer.desk.license()))
    assert "note: the journal of licenses cannot be written" in customer.err


def test_a_license_is_removed_by_its_id(customer: Any) -> None:
    customer.ok("install", customer.file("a.lic", customer.desk.license()))
    customer.ok("install", customer.file("b.lic", customer.desk.license(license_id="lic-2")))
    assert customer.run("remove", "lic-3") == 2
    assert "lic-1, lic-2" in customer.err
    found = customer.json("remove", "lic-1")
    assert [one["ids"] for one in found["removed"]] == [["lic-1"]]
    assert customer.kept() == ["lic-2.lic"]
    assert customer.run("remove") == 2
    assert "give the ID of a license, or --all" in customer.err
    customer.ok("remove", "--all")
    assert customer.kept() == []
    assert customer.journal()[-1] == "license-removed"


def test_a_file_with_others_goes_only_when_that_is_said(customer: Any) -> None:
    customer.ok("install", customer.file("a.lic", customer.desk.license(), customer.desk.license(license_id="lic-2")))
    assert customer.kept() == ["lic-1+lic-2.lic"]
    assert customer.run("remove", "lic-1") == 2
    assert "also lic-2" in customer.err
    customer.ok("remove", "lic-1", "--with-others")
    assert customer.kept() == []


def test_many_ids_still_make_a_name_that_a_disk_takes(customer: Any) -> None:
    ids = [f"license-with-a-long-id-{number:03}" for number in range(20)]
    name = keeping.file_name(ids, [])
    assert len(os.fsencode(name)) <= 110
    assert name == keeping.file_name(ids[::-1], [])
    assert name != keeping.file_name(ids[1:], [])
    assert Path(name).name == name
