# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""`tunesmith license inspect`, which comes with the core and needs nobody's root."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tunesmith.licensing import PublicKey, armor, armor_line, format_timestamp, sign
from tunesmith.licensing.contents import ActivationRequest
from tunesmith_cli.main import main

KEY = Ed25519PrivateKey.from_private_bytes(b"7" * 32)
KEYID = PublicKey.of(KEY).keyid


def license_of(**fields: object) -> bytes:
    """Of some vendor who has a schema of their own."""
    return sign(json.dumps({"schema": 1, "licensee": "Example Ltd", **fields}).encode(), "license", [KEY])


def root_of(threshold: int, signers: int) -> bytes:
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 6)]
    texts = [PublicKey.of(key).text for key in keys]
    roles = {
        "root": {"threshold": threshold, "keys": texts[:3]},
        "issuer": {"threshold": 1, "keys": texts[3:4]},
        "revocation": {"threshold": 1, "keys": texts[4:]},
    }
    payload = {"schema": 1, "version": 1, "expires": "2046-01-01T00:00:00Z", "roles": roles}
    return sign(json.dumps(payload).encode(), "root", keys[:signers])


def shown(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["license", "inspect", *args]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_every_field_is_shown_with_dates_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends = datetime.now(timezone.utc) + timedelta(days=12, hours=1)
    file = tmp_path / "customer.lic"
    file.write_text(
        armor(license_of(expires_at=format_timestamp(ends), seats=5000, features={"a": {}, "b": {"gpus": 4}}))
    )

    text = shown(capsys, str(file))

    assert f"expires_at {ends:%Y-%m-%d %H:%M} UTC, in 12 days" in text
    for words in ("kind license", "licensee Example Ltd", "seats 5,000", "features a: no limits b: gpus 4"):
        assert words in text
    assert f"signed by key {KEYID}" in text
    assert "signatures not checked: there is no vendor's root in the core" in text


def test_one_line_comes_through_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(armor_line(license_of()).encode())))

    assert "licensee Example Ltd" in shown(capsys, "-")


def test_json_is_pinned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "customer.lic"
    file.write_text(armor(root_of(2, 2)) + armor(license_of(note="\u202eevil")))

    assert main(["license", "inspect", str(file), "--json"]) == 0
    said = capsys.readouterr().out
    found = json.loads(said)

    assert said.isascii()
    assert found["file"] == str(file)
    root, license_ = found["documents"]
    assert set(root) == set(license_) == {"kind", "fields", "signed_by", "checked", "signatures", "sha256"}
    assert (root["kind"], root["checked"], root["signatures"]) == (
        "root",
        True,
        "enough of its own keys signed it (2 have to)",
    )
    assert (license_["checked"], license_["signed_by"], license_["fields"]["note"]) == (False, [KEYID], "\u202eevil")


def test_a_terminal_obeys_nothing_that_a_document_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "customer.lic"
    strange = {"note": "a\x1b[2Jb\u202ec\r\nd\x9b", "in\x1bside": {"x\u2066": ["\x07"]}}
    file.write_text(armor(license_of(**strange)))

    assert main(["license", "inspect", str(file)]) == 0
    said = capsys.readouterr().out

    assert not set(said) & set("\x1b\u202e\r\x9b\u2066\x07")
    assert "a\\u001b[2Jb\\u202ec\\u000d\\u000ad\\u009b" in said
    assert "in\\u001bside" in said


def test_a_root_that_too_few_have_signed_yet_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "root.txt"
    file.write_text(armor(root_of(2, 1)))

    text = shown(capsys, str(file))

    assert "signatures too few of its own root keys signed this root" in text
    assert "root: 2 of 3 have to sign key " in text


def test_a_request_is_checked_with_the_key_that_it_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = ActivationRequest(
        asks="activate",
        product="some-product",
        license_id="lic-1",
        install_id="install-1",
        key=PublicKey.of(KEY),
        nonce="nonce-1",
        made_at=datetime(2026, 11, 26, tzinfo=timezone.utc),
    ).payload()
    file = tmp_path / "request.txt"
    file.write_text(armor(sign(request, "activation-request", [KEY])))
    assert f"key key {KEYID}" in (text := shown(capsys, str(file)))
    assert "signatures the key that it names signed it" in text

    other = Ed25519PrivateKey.generate()
    file.write_text(armor(sign(request, "activation-request", [other])))
    assert main(["license", "inspect", str(file)]) == 2
    assert "nobody who may sign a activation-request has signed this one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no document: the text is empty"),
        ("https://example.com/license?id=7", "this is an address and not a document"),
        ("/home/me/customer.lic", "this is the name of a file and not what is in it"),
        (armor(license_of()).replace("-----BEGIN", "—BEGIN"), "a word processor or a chat program has changed"),
        (armor(license_of())[:-200], "the end of the document is missing"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "keep private keys to yourself"),
    ],
)
def test_what_is_no_document_is_told_by_its_name(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "customer.lic"
    file.write_text(text, encoding="utf-8")

    assert main(["license", "inspect", str(file)]) == 2
    said = capsys.readouterr().err

    assert words in said
    assert "Traceback" not in said


def test_no_file_no_license(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["license", "inspect", str(tmp_path / "gone.lic")]) == 2
    assert "there is no such file" in capsys.readouterr().err
