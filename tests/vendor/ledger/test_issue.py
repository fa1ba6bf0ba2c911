# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Licenses and pools: issued, renewed, issued anew, upgraded."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from made_desk import ISSUE, Program, license_in, opened, replace_issuer

from tunesmith.licensing import PublicKey
from tunesmith.licensing.contents import parse_pool


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=timezone.utc)


def entries(program: Program) -> int:
    with program.ledger.reading() as reading:
        return reading.head().seq


def test_a_license_is_issued_entered_and_written_behind_all_roots(program: Program) -> None:
    done = program.json(*ISSUE, "--term", "1y", "--order", "PO 17", "--out", "example.lic", "--starts", "2026-12-01")
    assert done["progress"] == "signed"
    issued = license_in("example.lic")
    assert issued.license_id == done["id"]
    assert issued.serial == 1
    assert issued.licensee.name == "Example Ltd"
    assert issued.features == {"distributed": {"nodes": 4, "gpus": 32}, "governance": {}}
    assert issued.expires_at == at(2027, 12, 1)
    assert issued.order == "PO 17"
    assert "Example Ltd" in program.run("show", done["id"])
    assert "whole: 3 entries" in program.run("ledger", "verify")


def test_without_out_the_file_is_named_by_the_id_and_is_for_its_owner_only(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    assert license_in("lic-a-1.lic").license_id == "lic-a"
    assert os.stat("lic-a-1.lic").st_mode & 0o777 == 0o600


def test_an_order_comes_from_a_plan_a_file_and_options_and_the_later_ones_win(program: Program) -> None:
    (program.desk / "plans.toml").write_text(
        '[team]\nedition = "Team"\nenvironment = "production"\nterm = "1y"\ngrace_days = 30\nmaintenance = "2y"\n'
        "[team.features.distributed]\nnodes = 2\n[team.features.governance]\n"
    )
    Path("order.toml").write_text(
        'plan = "team"\ncustomer = "example"\ncustomer_name = "Example Ltd"\norder = "PO 1"\nstarts = 2027-01-01\n'
        "grace_days = 7\n[binding]\nkind = 'domain'\nvalues = ['example.com']\n"
    )
    program.run("issue", "--order-file", "order.toml", "--expires", "2027-06-30", "--out", "a.lic")
    issued = license_in("a.lic")
    assert (issued.edition, issued.order, issued.grace_days) == ("Team", "PO 1", 7)
    assert issued.features == {"distributed": {"nodes": 2}, "governance": {}}
    assert issued.expires_at == at(2027, 6, 30)  # an option takes the place of the plan's term
    assert issued.maintenance_until == at(2029, 1, 1)
    assert (issued.binding.kind, issued.binding.values) == ("domain", ("example.com",))


def test_an_order_may_be_json_and_a_customer_that_is_known_needs_no_name(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y")
    order = {
        "customer": "example",
        "edition": "CI",
        "environment": "ci",
        "perpetual": True,
        "features": {"priority": {}},
        "maintenance_until": "2028-01-01T12:00:00Z",
    }
    Path("order.json").write_text(json.dumps(order))
    program.run("issue", "--order-file", "order.json", "--out", "b.lic")
    issued = license_in("b.lic")
    assert issued.licensee.name == "Example Ltd"
    assert issued.expires_at is None
    assert issued.maintenance_until == datetime(2028, 1, 1, 12, tzinfo=timezone.utc)


def test_the_right_to_issue_names_keys_and_features(program: Program) -> None:
    partner = PublicKey.of(Ed25519PrivateKey.generate())
    Path("partner.pub").write_text(partner.text)
    oem = ("--oem-product", "acme-studio", "--oem-key", "partner.pub", "--oem-feature", "governance")
    program.run(*ISSUE, "--term", "1y", "--out", "oem.lic", *oem)
    right = license_in("oem.lic").oem
    assert right is not None
    assert (right.product, right.keys, right.features) == ("acme-studio", (partner,), ("governance",))


def test_nobody_may_pass_on_a_feature_that_they_do_not_have(program: Program) -> None:
    Path("partner.pub").write_text(PublicKey.of(Ed25519PrivateKey.generate()).text)
    oem = ("--oem-product", "acme-studio", "--oem-key", "partner.pub", "--oem-feature", "priority")
    assert "a feature that it does not have itself" in program.refused(*ISSUE, "--term", "1y", *oem)


def test_a_document_whose_key_was_replaced_is_not_sent_again(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    replace_issuer(program.desk, "spare")
    said = program.refused("show", "lic-a", "--out", "again.lic")
    assert "customers would not believe this document any more" in said
    program.run("reissue", "lic-a", "--reason", "the key was replaced")
    program.run("show", "lic-a", "--out", "again.lic")
    assert license_in("again.lic", root=3).serial == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the order has to say once when it ends"),
        (("--term", "1y", "--perpetual"), "term and perpetual"),
        (("--term", "1 year"), "term is no length of time"),
        (("--expires", "31.12.2027"), "expires is no day and no time"),
        (("--expires", "2020-01-01"), "ends before it begins"),
        (("--term", "9999y"), "before the year 10000"),
        (("--term", "1y", "--environment", "prod"), "the environment is not one of those"),
        (("--perpetual", "--environment", "trial"), "a trial has no end"),
        (("--term", "1y", "--plan", "team"), "no plan of this name"),
        (("--term", "1y", "--binding", "mac=00:11"), "binding of the order is not as it has to be"),
        (("--term", "1y", "--feature", "distributed:nodes=many"), "no feature with its limits"),
        (("--term", "1y", "--feature", "distributed:nodes=0"), "out of range"),
        (("--term", "1y", "--activations", "65"), "the number of activations is out of range"),
        (("--term", "1y", "--activations", "1", "--binding", "domain=example.com"), "bound to the installations"),
        (("--term", "1y", "--customer-name", "Ex\x1b[31mample"), "a character that is not for showing"),
        (("--term", "1y", "--customer-name", "Ex\u202eample"), "a character that is not for showing"),
        (("--term", "1y", "--reason", "red\x1b[31m"), "the reason holds a character that is not for showing"),
        (("--term", "1y", "--customer", "Example Ltd"), "no name for programs"),
        (("--term", "1y", "--key", "spare"), "this key is not in the newest root"),
        (("--term", "1y", "--key", "revoker"), "revoker"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_nothing_is_entered(
    program: Program, arguments: tuple[str, ...], words: str
) -> None:
    assert words in program.refused(*ISSUE, *arguments)
    assert entries(program) == 1
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("expire = 2027-01-01", "a key that nobody reads"),
        ("this is no TOML", "this file is no TOML"),
        ("seats = 5", "seats says nothing in a license"),
        ("grace_days = true", "grace_days of the order is not as it has to be"),
        ("features = ['distributed']", "features of the order is not as it has to be"),
        ("starts = 2027-01-01T10:00:00", "starts is no day and no time"),
    ],
)
def test_an_order_file_that_makes_no_sense_is_refused(program: Program, order: str, words: str) -> None:
    Path("order.toml").write_text(order)
    features = () if order.startswith("features") else ISSUE[9:]
    assert words in program.refused(*ISSUE[:9], *features, "--term", "1y", "--order-file", "order.toml")
    assert entries(program) == 1


def test_a_name_twice_in_json_is_refused(program: Program) -> None:
    Path("order.json").write_text('{"term": "1y", "term": "9y"}')
    assert "a name comes twice" in program.refused(*ISSUE, "--order-file", "order.json")


def test_a_dry_run_shows_what_would_be_signed_and_writes_nothing(program: Program) -> None:
    shown = program.json(*ISSUE, "--term", "1y", "--id", "lic-a", "--dry-run")
    assert (shown["progress"], shown["entry"], shown["file"]) == ("dry-run", None, None)
    assert shown["payload"]["features"] == {"distributed": {"nodes": 4, "gpus": 32}, "governance": {}}
    assert entries(program) == 1
    assert os.listdir() == []


def test_a_file_that_is_there_stays_and_nothing_is_signed_for_it(program: Program) -> None:
    Path("a.lic").write_text("mine")
    assert "use --force" in program.refused(*ISSUE, "--term", "1y", "--out", "a.lic")
    assert (Path("a.lic").read_text(), entries(program)) == ("mine", 1)
    program.run(*ISSUE, "--term", "1y", "--out", "a.lic", "--force")
    assert license_in("a.lic").serial == 1


def test_a_document_that_could_not_be_written_is_written_later(program: Program) -> None:
    said = program.refused(*ISSUE, "--term", "1y", "--id", "lic-a", "--out", "no/such/folder/a.lic")
    assert "signed and in the ledger, and could not be written" in said
    assert "tunesmith-vendor show 2 --out FILE" in said
    program.run("show", "lic-a", "--out", "a.lic")
    assert license_in("a.lic").license_id == "lic-a"


def test_on_standard_output_there_is_the_document_and_nothing_else(program: Program) -> None:
    code, out, err = program(*ISSUE, "--term", "1y", "--out", "-")
    assert code == 0
    Path("piped.lic").write_text(out)
    assert license_in("piped.lic").serial == 1
    assert "Example Ltd: signed" in err


def test_no_text_of_a_license_is_in_json(program: Program) -> None:
    printed = program.run(*ISSUE, "--term", "1y", "--json") + program.run("ledger", "search", "--json")
    assert "BEGIN" not in printed
    assert "eyJwYXlsb2FkIjoi" not in printed


def test_an_id_is_given_once(program: Program) -> None:
    program.run(*ISSUE, "--term", "1y", "--id", "lic-a")
    assert "this id is taken" in program.refused(*ISSUE, "--term", "1y", "--id", "lic-a", "--out", "b.lic")
    ids = {program.json(*ISSUE, "--term", "1y")["id"] for _ in range(3)}
    assert len(ids) == 3


def test_a_renewal_goes_on_where_the_old_term_ends(program: Program) -> None:
    program.run(*ISSUE, "--id", "lic-a", "--expires", "2040-03-01", "--maintenance-until", "2040-03-01")
    program.run("renew", "lic-a", "--term", "1y", "--order", "PO 18", "--out", "2.lic")
    old, new = license_in("lic-a-1.lic"), license_in("2.lic")
    assert (new.license_id, new.serial, new.order) == ("lic-a", 2, "PO 18")
    assert new.starts_at == old.starts_at  # it counts at once, also if the customer installs it early
    assert new.expires_at == at(2041, 3, 1)
    assert new.maintenance_until == at(2041, 3, 1)  # bought together, renewed together
    assert "the new term ends no later than the old one" in program.refused("renew", "lic-a", "--expires", "2040-06-01")


def test_a_renewal_that_comes_late_counts_from_now(program: Program) -> None:
    program.run(*ISSUE, "--id", "lic-a", "--starts", "2020-01-01", "--expires", "2021-01-01")
    program.run("renew", "lic-a", "--term", "1y", "--out", "2.lic")
    expires = license_in("2.lic").expires_at
    assert expires is not None
    assert expires > datetime.now(timezone.utc)


def test_a_license_is_issued_anew_with_another_binding(program: Program) -> None:
    program.run(*ISSUE, "--id", "lic-a", "--term", "1y", "--binding", "domain=old.example.com")
    program.run("reissue", "lic-a", "--reason", "moved", "--binding", "domain=new.example.com,b.example.com")
    moved = license_in("lic-a-2.lic")
    assert moved.binding.values == ("new.example.com", "b.example.com")
    program.run("reissue", "lic-a", "--reason", "lost", "--binding", "none")
    assert license_in("lic-a-3.lic").binding.kind == "none"


def test_an_upgrade_adds_features_changes_limits_and_drops_what_is_named(program: Program) -> None:
    program.run(*ISSUE, "--id", "lic-a", "--term", "1y")
    more = ("--feature", "distributed:nodes=8", "--feature", "priority", "--drop-feature", "governance")
    program.run("upgrade", "lic-a", *more, "--edition", "Enterprise Plus")
    issued = license_in("lic-a-2.lic")
    assert issued.features == {"distributed": {"nodes": 8}, "priority": {}}
    assert issued.edition == "Enterprise Plus"
    assert "does not have this feature" in program.refused("upgrade", "lic-a", "--drop-feature", "governance")


def test_a_license_that_the_ledger_does_not_know_is_not_renewed(program: Program) -> None:
    assert "knows no license or pool of this id" in program.refused("renew", "lic-x", "--term", "1y")


def test_a_pool_is_signed_for_a_servers_key_and_issued_again(program: Program) -> None:
    server = PublicKey.of(Ed25519PrivateKey.generate())
    Path("server.pub").write_text(server.text)
    order = (*ISSUE[1:], "--term", "1y", "--server-key", "server.pub", "--id", "pool-a")
    program.run("pool", "issue", *order, "--seats", "5", "--borrow-days", "7")
    pool = parse_pool(opened("pool-a-1.lic", "pool"))
    assert (pool.server_key, pool.seats, pool.lease_seconds, pool.borrow_days) == (server, 5, 300, 7)
    assert "this id is taken" in program.refused("pool", "issue", *order, "--seats", "9")
    program.run("pool", "issue", *order, "--seats", "9", "--again")
    assert parse_pool(opened("pool-a-2.lic", "pool")).seats == 9
    assert "a license is needed" in program.refused("renew", "pool-a", "--term", "1y")


def test_a_private_key_is_not_taken_for_a_servers(program: Program) -> None:
    Path("server.pem").write_text("-----BEGIN PRIVATE KEY-----\n…")
    said = program.refused("pool", "issue", *ISSUE[1:], "--term", "1y", "--server-key", "server.pem", "--seats", "1")
    assert "holds a private key" in said


def test_a_wrong_passphrase_leaves_nothing_behind(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunesmith_vendor.passphrases.Passphrases.__call__", lambda self, name: "another passphrase")
    assert "passphrase" in program.refused(*ISSUE, "--term", "1y")
    assert entries(program) == 1
