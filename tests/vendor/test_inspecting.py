# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the desk makes of documents: those that it signed, those that customers signed, and those under another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from tunesmith.licensing import Document, PublicKey, read_envelope, sign
from tunesmith.licensing.contents import (
    ActivationRequest,
    ActivationResponse,
    Binding,
    Lease,
    License,
    Licensee,
    Pool,
    SubIssuer,
    UsageReport,
)
from tunesmith_vendor.desk import Desk
from tunesmith_vendor.inspecting import look
from tunesmith_vendor.key_files import new_private_key

Ask = Callable[[str], str]
NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
PRODUCT = "tunesmith-enterprise"


def a_license(**changes: object) -> License:
    fields: dict[str, object] = {
        "product": PRODUCT,
        "license_id": "lic-1",
        "serial": 1,
        "licensee": Licensee("Example Ltd", "example"),
        "edition": "Enterprise",
        "environment": "production",
        "features": {"governance": {}, "distributed": {}},
        "issued_at": NOW,
        "starts_at": NOW,
        "expires_at": NOW + timedelta(days=365),
        "grace_days": 14,
    }
    return License(**(fields | changes))  # type: ignore[arg-type]


def looked(desk: Desk | None, *envelopes: bytes) -> list[tuple[str, bool | None, str]]:
    documents = [Document(read_envelope(envelope).kind, envelope) for envelope in envelopes]
    return [(item.kind, item.good, item.verdict) for item in look(documents, desk.trust() if desk else None)]


def test_what_the_desk_signed_is_believed_and_without_a_root_nobody_says(desk: Desk, ask: Ask) -> None:
    envelope = desk.issue_sealed(a_license().payload(), "license", (), ask)
    assert looked(desk, envelope) == [("license", True, "signed as version 1 of the root demands")]
    assert looked(None, envelope) == [("license", None, "not verified: this desk has no root")]


def test_a_license_with_a_field_out_of_range_is_refused_although_it_is_signed(desk: Desk, ask: Ask) -> None:
    payload = a_license().payload().replace(b'"grace_days":14', b'"grace_days":-1')
    ((_, good, verdict),) = looked(desk, desk.issue_sealed(payload, "license", (), ask))
    assert (good, verdict) == (False, "refused: the days of grace is out of range")


def test_a_sub_issuers_license_is_believed_with_the_license_that_lets_it_and_within_it(desk: Desk, ask: Ask) -> None:
    seller = new_private_key()
    right = SubIssuer("product-x", (PublicKey.of(seller),), ("governance",))
    granting = desk.issue_sealed(a_license(license_id="oem-1", oem=right).payload(), "license", (), ask)
    within = a_license(
        license_id="sub-1", under="oem-1", binding=Binding("oem", ("product-x",)), features={"governance": {}}
    )
    issued = sign(within.payload(), "license", [seller])
    assert looked(desk, granting, issued)[1] == ("license", True, "signed by the sub-issuer of the license oem-1")
    assert looked(desk, issued, granting)[0][1], "in any order"
    ((_, good, verdict),) = looked(desk, issued)
    assert (good, verdict) == (False, "refused: a license was issued under another one, which is not there")
    beyond = a_license(
        license_id="sub-2", under="oem-1", binding=Binding("oem", ("product-x",)), features={"distributed": {}}
    )
    _, (_, good, verdict) = looked(desk, granting, sign(beyond.payload(), "license", [seller]))
    assert (good, verdict) == (False, "refused: the license sub-2 says more than its issuer may say")
    _, (_, good, _) = looked(desk, granting, sign(within.payload(), "license", [new_private_key()]))
    assert good is False


def test_a_lease_is_believed_with_the_pool_that_names_its_server(desk: Desk, ask: Ask) -> None:
    server = new_private_key()

    def pool(name: str, key: PublicKey) -> bytes:
        described = Pool(
            product=PRODUCT,
            pool_id=name,
            serial=1,
            licensee=Licensee("Example Ltd", "example"),
            edition="Enterprise",
            environment="production",
            features={"governance": {}},
            server_key=key,
            seats=3,
            lease_seconds=60,
            offline_hours=24,
            borrow_days=0,
            issued_at=NOW,
            starts_at=NOW,
            expires_at=NOW + timedelta(days=365),
        )
        return desk.issue_sealed(described.payload(), "pool", (), ask)

    lease = Lease(
        pool_id="pool-1",
        lease_id="lease-1",
        serial=1,
        node="node-1",
        nonce="nonce-1",
        features={"governance": {}},
        granted_at=NOW,
        expires_at=NOW + timedelta(seconds=60),
        open_until=NOW + timedelta(hours=24),
    )
    signed = sign(lease.payload(), "lease", [server])
    mine, other = pool("pool-1", PublicKey.of(server)), pool("pool-2", PublicKey.of(new_private_key()))
    assert looked(desk, other, mine, signed)[2] == ("lease", True, "signed by the server of the pool pool-1")
    assert looked(desk, other, signed)[1] == ("lease", None, "not verified: give the file that holds its pool too")
    stranger = sign(lease.payload(), "lease", [new_private_key()])
    assert looked(desk, mine, stranger)[1][1] is False


def test_what_customers_sign_is_checked_with_the_key_that_stands_in_it(desk: Desk) -> None:
    key = new_private_key()
    request = ActivationRequest(
        asks="activate",
        product=PRODUCT,
        license_id="lic-1",
        install_id="install-1",
        key=PublicKey.of(key),
        nonce="nonce-1",
        made_at=NOW,
    )
    good = sign(request.payload(), "activation-request", [key])
    assert looked(None, good)[0][1:] == (True, "signed by the installation that asks, with the key that stands in it")
    assert looked(desk, sign(request.payload(), "activation-request", [new_private_key()]))[0][1] is False


def test_an_answer_to_a_request_is_the_issuers(desk: Desk, ask: Ask) -> None:
    answer = ActivationResponse(
        product=PRODUCT,
        install_id="install-1",
        nonce="nonce-1",
        license_id="lic-1",
        serial=1,
        license_sha256="0" * 64,
        made_at=NOW,
    )
    assert looked(desk, desk.issue_sealed(answer.payload(), "activation-response", (), ask))[0][1] is True
    assert looked(desk, sign(answer.payload(), "activation-response", [new_private_key()]))[0][1] is False


def test_a_usage_report_is_signed_by_the_installation(desk: Desk) -> None:
    key = new_private_key()
    report = UsageReport(
        product=PRODUCT,
        install_id="install-1",
        key=PublicKey.of(key),
        since=NOW,
        until=NOW + timedelta(days=30),
        made_at=NOW + timedelta(days=30),
        used=(),
        journal_entries=0,
        journal_head="0" * 64,
    )
    ((_, good, verdict),) = looked(desk, sign(report.payload(), "usage-report", [key]))
    assert (good, verdict) == (True, "signed by the installation that reports, with the key that stands in it")
    assert looked(desk, sign(report.payload(), "usage-report", [new_private_key()]))[0][1] is False
