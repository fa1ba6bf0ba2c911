# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``require`` as a feature calls it, and licenses inside of other companies' products."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from desk import DAY, NOW, Desk, a_license, new_key

import tunesmith_enterprise
from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import PublicKey, armor, sign
from tunesmith.licensing.contents import Binding, Revocation, SubIssuer
from tunesmith_enterprise import LicenseError, activate, require
from tunesmith_enterprise.chained_log import ChainedLog
from tunesmith_enterprise.entitlement import embedding, gathering
from tunesmith_enterprise.entitlement.places import Places

DESK = Desk()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An account with nothing in it, and the build of a vendor."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("TUNESMITH_LICENSE", "TUNESMITH_LICENSE_FILE", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        Places, "of", classmethod(lambda cls, environ: cls(tmp_path / "user", None, None, tmp_path / "state"))
    )
    build = DESK.build()
    monkeypatch.setattr(gathering, "this_build", lambda: build)
    monkeypatch.setattr(embedding, "this_build", lambda: build)
    (tmp_path / "user").mkdir()
    return tmp_path


def install(home: Path, envelope: bytes, name: str = "a") -> None:
    (home / "user" / f"{name}.lic").write_text(armor(envelope))


def journal(home: Path) -> list[tuple[str, dict[str, object]]]:
    return [(one.event, dict(one.fields)) for one in ChainedLog(home / "state" / "journal.jsonl").read()]


def current(**changes):
    """A license for the real clock."""
    from datetime import datetime, timezone

    now = datetime.now(timezone.utc).replace(microsecond=0)
    return {"issued_at": now - DAY, "starts_at": now - DAY, "expires_at": now + 300 * DAY} | changes


def test_the_public_names():
    assert tunesmith_enterprise.__all__ == ["Activation", "Grant", "LicenseError", "activate", "require"]
    assert set(tunesmith_enterprise.__all__) <= set(dir(tunesmith_enterprise))
    with pytest.raises(AttributeError, match="no attribute 'requires'"):
        tunesmith_enterprise.requires  # noqa: B018


def test_what_is_installed_grants_and_the_journal_has_it(home):
    with pytest.raises(LicenseError, match="needs a license, and none was found"):
        require("distributed", processes=2)
    install(home, DESK.license(features={"distributed": {"processes": 4}}, **current()))
    grant = require("distributed", processes=4)
    assert (grant.state, dict(grant.limits)) == ("valid", {"processes": 4})
    with pytest.raises(LicenseError, match="does not allow that much"):
        require("distributed", processes=5)
    events = journal(home)
    assert [event for event, _ in events] == ["refused", "granted", "refused"]
    assert events[0][1] == {"feature": "distributed", "quantities": {"processes": 2}, "code": "no-license"}
    assert events[1][1] == grant.to_json()
    assert events[2][1]["code"] == "limit"


def test_an_argument_counts_beside_what_is_installed(home):
    text = armor(DESK.license(**current()))
    for argument in (text, text.encode(), home / "elsewhere.lic"):
        if isinstance(argument, Path):
            argument.write_text(text)
        assert require("governance", license=argument).state == "valid"
    with pytest.raises(LicenseError):
        require("governance")


def test_a_disk_that_takes_nothing_is_a_note_and_no_refusal(home, monkeypatch):
    install(home, DESK.license(**current()))
    monkeypatch.setattr(
        Places, "of", classmethod(lambda cls, environ: cls(home / "user", None, None, Path("/proc/nowhere")))
    )
    grant = require("governance")
    assert any("the journal of licenses cannot be written" in note for note in grant.notes)


def test_no_socket_is_opened(home, monkeypatch):
    install(home, DESK.license(**current()))

    def refuse(*args, **kwargs):
        raise AssertionError("a decision opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert require("governance").effect == "full"


def test_warm_it_takes_about_a_millisecond(home):
    """The bound is wide, as machines differ; benchmarks/license_decision.py measures."""
    install(home, DESK.license(**current()))
    require("governance")
    turns = []
    for _ in range(20):
        begin = time.perf_counter()
        require("governance")
        turns.append(time.perf_counter() - begin)
    assert min(turns) < 0.005


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, tunesmith_enterprise; tunesmith_enterprise.require; "
        "heavy = {'torch', 'typer', 'httpx', 'sqlalchemy', 'fastapi', 'pydantic', 'cryptography'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# ---- inside of a product -----------------------------------------------------------------------------------------


def test_a_product_brings_its_license_and_asks_it_alone(home, capsys):
    install(home, DESK.license(license_id="of-the-machine", features={"distributed": {}}, **current()))
    text = armor(DESK.license(features={"governance": {}}, binding=Binding("oem", ("helpdesk",)), **current()))
    activation = activate(text.encode(), product="helpdesk")
    assert activation.require("governance").basis[0].id == "lic-1"
    with pytest.raises(LicenseError, match="does not include the feature distributed"):
        activation.require("distributed")
    standing = activation.standing()
    assert (standing.state, standing.features["governance"], standing.features["distributed"]) == (
        "valid",
        ("valid", "full"),
        ("none", "off"),
    )
    assert standing.messages == ()
    assert not (home / "state").exists()
    assert capsys.readouterr() == ("", "")
    assert repr(activation) == "Activation(product='helpdesk')"
    assert activate(text.encode(), product="another").standing().state == "invalid"


def test_messages_are_data_for_the_product_to_word(home):
    soon = DESK.license(**current(expires_at=current()["starts_at"] + 6 * DAY))
    (message,) = activate(armor(soon).encode(), product="helpdesk").standing().messages
    assert (message.code, message.values["license"]) == ("ends", "lic-1")
    assert message.text.startswith("the license lic-1 ends in ")
    over = DESK.license(**current(starts_at=NOW - 90 * DAY, expires_at=NOW - 60 * DAY))
    (message,) = activate(armor(over).encode(), product="helpdesk").standing().messages
    assert (message.code, message.values["reason"]) == ("refused", "expired")


@pytest.mark.parametrize("text", [b"", b"https://example.org/key", b"\x00" * 40])
def test_what_could_never_be_a_license_is_an_error_at_once(home, text):
    with pytest.raises(SignedDocumentError):
        activate(text, product="helpdesk")
    with pytest.raises(TypeError, match="has to be bytes, not str"):
        activate("a text", product="helpdesk")


def test_a_sub_issuer_issues_within_its_bounds_and_falls_with_its_own_license(home):
    maker = new_key()
    right = SubIssuer("helpdesk", (PublicKey.of(maker),), ("governance",))
    granting = {"license_id": "maker", "binding": Binding("oem", ("helpdesk",)), "oem": right}
    above = DESK.license(**current(**granting))

    def customer(**changes):
        fields = {"license_id": "customer", "under": "maker", "binding": Binding("oem", ("helpdesk",))}
        payload = a_license(**current(**fields, features={"governance": {"seats": 5}}) | changes).payload()
        return armor(above) + armor(sign(payload, "license", [maker]))

    def basis(text):
        return [one.id for one in activate(text.encode(), product="helpdesk").require("governance", seats=3).basis]

    assert basis(customer()) == ["customer"]
    with pytest.raises(LicenseError, match="lets its holder issue licenses, and gives nothing itself"):
        activate(customer().encode(), product="helpdesk").require("distributed")
    beyond = activate(customer(features={"distributed": {}}).encode(), product="helpdesk")
    with pytest.raises(LicenseError):
        activate(customer(features={"distributed": {}}).encode(), product="another").require("distributed")
    assert any("says more than its issuer may say" in one.text for one in beyond.standing().messages)
    gone = armor(DESK.revocations(Revocation("license", "maker", None, NOW - DAY, "unpaid")))
    fallen = activate((customer() + gone).encode(), product="helpdesk")
    with pytest.raises(LicenseError, match="unpaid"):
        fallen.require("governance")
