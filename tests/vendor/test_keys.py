# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Keys of a desk: made, taken in, registered, and used for what they are for."""

from __future__ import annotations

import json
import multiprocessing
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tunesmith.errors import SignedDocumentError
from tunesmith.licensing import PublicKey, dearmor_all, format_timestamp
from tunesmith.licensing.contents import License, Licensee, Revocations
from tunesmith_vendor import keys
from tunesmith_vendor.desk import Desk, default_folder, utc_now
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.key_files import Cost, new_private_key
from tunesmith_vendor.register import Register, read_register

Ask = Callable[[str], str]
CHEAP = Cost(n=2, r=1, p=1)


def a_license() -> bytes:
    return License(
        product="tunesmith-enterprise",
        license_id="lic-1",
        serial=1,
        licensee=Licensee("Example Ltd", "example"),
        edition="Enterprise",
        environment="production",
        features={"governance": {}},
        issued_at=utc_now(),
        starts_at=utc_now(),
        expires_at=None,
        grace_days=14,
    ).payload()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_private_things_are_for_this_account_alone(bare_desk: Desk) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(bare_desk.folder) == mode(bare_desk.key_folder) == 0o700
    assert mode(bare_desk.key_folder / "issuer-1.pem") == 0o600
    assert mode(bare_desk.folder / "keys.json") == 0o600
    assert mode(bare_desk.key_folder / "issuer-1.pub.pem") == 0o644


def test_nothing_in_a_desk_is_an_open_private_key(desk: Desk) -> None:
    for path in desk.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"BEGIN PRIVATE" not in content, path
            assert path.suffix != ".pem" or b"ENCRYPTED PRIVATE" in content or b"BEGIN PUBLIC" in content, path


def test_the_register_holds_names_and_public_halves_and_reads_back(bare_desk: Desk) -> None:
    register = bare_desk.register()
    assert [(entry.name, entry.role) for entry in register] == [
        ("root-1", "root"),
        ("root-2", "root"),
        ("root-3", "root"),
        ("issuer-1", "issuer"),
        ("revoker-1", "revocation"),
    ]
    content = (bare_desk.folder / "keys.json").read_bytes()
    assert read_register(content) == register
    assert b"PRIVATE" not in content


def test_a_name_is_taken_once(bare_desk: Desk, ask: Ask) -> None:
    before = (bare_desk.key_folder / "issuer-1.pem").read_bytes()
    with pytest.raises(VendorError, match="there is a key of that name already"):
        keys.make_key(bare_desk, "issuer-1", "issuer", ask)
    assert (bare_desk.key_folder / "issuer-1.pem").read_bytes() == before


def test_a_file_that_lies_where_the_key_should_go_is_never_written_over(tmp_path: Path, ask: Ask) -> None:
    desk = Desk(tmp_path / "desk", CHEAP)
    desk.key_folder.mkdir(parents=True)
    (desk.key_folder / "issuer-1.pem").write_text("left by a crash, perhaps the only copy")
    with pytest.raises(VendorError, match="there is a file of that name already, and it stays"):
        keys.make_key(desk, "issuer-1", "issuer", ask)
    assert desk.register() == Register()


@pytest.mark.parametrize("name", ["", "Upper", "../up", "a/b", "-x", "x" * 65, "ü"])
def test_a_name_that_is_none_is_refused_before_a_passphrase_is_asked_for(tmp_path: Path, name: str) -> None:
    def never(_: str) -> str:
        raise AssertionError("asked")

    with pytest.raises(VendorError, match="this cannot be the name of a key"):
        keys.make_key(Desk(tmp_path / "desk", CHEAP), name, "issuer", never)


def test_one_key_under_two_names_is_refused(bare_desk: Desk) -> None:
    public = bare_desk.register().find("root-1").public
    with pytest.raises(VendorError) as caught:
        keys.import_public(bare_desk, "another", "issuer", public)
    assert "known as root-1 of the role root" in str(caught.value)
    assert "every key once, in one role" in str(caught.value)


def test_a_private_key_is_taken_in_encrypted_and_its_file_stays(tmp_path: Path, bare_desk: Desk, ask: Ask) -> None:
    private = new_private_key()
    file = tmp_path / "plain.pem"
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    entry = keys.import_pem(bare_desk, "issuer-2", "issuer", file, ask, ask)
    assert entry.public == PublicKey.of(private)
    assert b"ENCRYPTED" in (bare_desk.key_folder / "issuer-2.pem").read_bytes()
    assert file.exists()
    signature = bare_desk.signer("issuer-2", "issuer", ask)(b"message")
    assert entry.public.fits(signature, b"message")


@pytest.mark.parametrize("form", ["pem", "base64"])
def test_a_public_half_can_be_named_and_does_not_sign(tmp_path: Path, bare_desk: Desk, ask: Ask, form: str) -> None:
    public = PublicKey.of(new_private_key())
    file = tmp_path / "key.pub"
    file.write_bytes(keys.public_pem(public) if form == "pem" else f"{public.text}\n".encode())
    keys.import_public(bare_desk, "root-4", "root", keys.read_public(file))
    assert bare_desk.register().find("root-4").public == public
    with pytest.raises(VendorError, match="the private half of the key root-4 is kept elsewhere"):
        bare_desk.signer("root-4", "root", ask)


def test_a_public_key_that_anybody_can_sign_for_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "low.pub"
    file.write_text("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    with pytest.raises(VendorError, match="belongs to no private key"):
        keys.read_public(file)


def test_public_keys_of_other_kinds_private_ones_and_junk_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    private = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(VendorError, match="this is a key of another kind"):
        keys.read_public(file)
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(VendorError, match="only its public half was asked for"):
        keys.read_public(file)
    file.write_bytes(b"\xff\xfe junk")
    with pytest.raises(VendorError, match="this file holds no public key that may be trusted"):
        keys.read_public(file)


def test_a_key_signs_in_its_role_and_in_no_other(desk: Desk, ask: Ask) -> None:
    with pytest.raises(VendorError, match="a key has one role, and this is not its role"):
        desk.signer("issuer-1", "revocation", ask)
    with pytest.raises(VendorError, match="the desk knows no key of that name"):
        desk.signer("issuer-9", "issuer", ask)


def test_a_wrong_passphrase_signs_nothing(desk: Desk) -> None:
    with pytest.raises(VendorError, match="the passphrase is wrong, or it is damaged"):
        desk.signer("issuer-1", "issuer", lambda _: "seven words")


def test_a_key_whose_file_is_gone_says_where_it_was(desk: Desk, ask: Ask) -> None:
    (desk.key_folder / "issuer-1.pem").unlink()
    with pytest.raises(VendorError, match="the file of a key cannot be read") as caught:
        desk.signer("issuer-1", "issuer", ask)
    assert "issuer-1.pem" in str(caught.value)


def test_a_file_with_another_key_under_the_name_is_noticed(desk: Desk, ask: Ask) -> None:
    (desk.key_folder / "issuer-1.pem").write_bytes((desk.key_folder / "root-1.pem").read_bytes())
    with pytest.raises(VendorError, match="the key issuer-1 could not be opened"):
        desk.signer("issuer-1", "issuer", ask)


def test_what_the_desk_issues_is_believed_with_its_root(desk: Desk, ask: Ask) -> None:
    payload = a_license()
    envelope = desk.issue_sealed(payload, "license", (), ask)
    assert desk.trust().verify(envelope, "license") == payload
    listed = Revocations("tunesmith-enterprise", 1, utc_now(), ()).payload()
    assert desk.trust().verify(desk.issue_sealed(listed, "revocations", ["revoker-1"], ask), "revocations") == listed


def test_a_key_that_is_not_in_the_root_issues_nothing(desk: Desk, ask: Ask) -> None:
    keys.make_key(desk, "issuer-2", "issuer", ask)
    with pytest.raises(VendorError, match="not in the newest root, so nobody would believe it"):
        desk.issue_sealed(a_license(), "license", ["issuer-2"], ask)
    assert [entry.name for entry in desk.signers_for("license")] == ["issuer-1"]


def test_without_a_root_nothing_is_issued(bare_desk: Desk, ask: Ask) -> None:
    with pytest.raises(VendorError, match="this desk has no root yet"):
        bare_desk.issue_sealed(a_license(), "license", (), ask)


def test_a_payload_that_no_reader_would_take_is_not_signed(desk: Desk, ask: Ask) -> None:
    with pytest.raises(SignedDocumentError, match="twice"):
        desk.issue_sealed(b'{"schema":1,"schema":1}', "license", (), ask)


def test_a_damaged_register_says_so_and_what_is_safe(bare_desk: Desk) -> None:
    path = bare_desk.folder / "keys.json"
    value = json.loads(path.read_text())
    value["keys"][0]["keyid"] = "0" * 64
    path.write_text(json.dumps(value))
    with pytest.raises(VendorError, match="the register contradicts itself"):
        bare_desk.register()
    path.write_text("{")
    with pytest.raises(VendorError, match=r"take keys\.json from a backup"):
        bare_desk.register()


def _take_in(folder: Path, numbers: range) -> None:
    for number in numbers:
        keys.import_public(Desk(folder), f"key-{number}", "root", PublicKey.of(new_private_key()))


@pytest.mark.skipif(sys.platform == "win32", reason="a desk on Windows is for one program at a time")
def test_two_programs_at_once_lose_no_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_take_in, args=(tmp_path, range(n, n + 20))) for n in (0, 100)]
    for other in others:
        other.start()
    for other in others:
        other.join(30)
    assert len(tuple(Desk(tmp_path).register())) == 40


def test_the_usual_place_follows_the_xdg_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_folder() == tmp_path / "data" / "tunesmith-vendor"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert default_folder() == tmp_path / ".local" / "share" / "tunesmith-vendor"


def test_the_chain_on_disk_is_armored_roots_and_nothing_else(desk: Desk) -> None:
    documents = dearmor_all((desk.folder / "root-chain.txt").read_bytes())
    assert [document.kind for document in documents] == ["root"]
    assert format_timestamp(desk.trust().root.expires) == "2040-01-01T00:00:00Z"
