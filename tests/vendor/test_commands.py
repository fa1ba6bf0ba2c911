# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The program ``tunesmith-vendor``: keys, roots, documents and builds from its command line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.licensing import PublicKey, armor, sign
from tunesmith_vendor import __version__, building
from tunesmith_vendor.desk import CHAIN, Desk, utc_now
from tunesmith_vendor.key_files import new_private_key

Program = Callable[..., Any]
ROLES = ("--root-key", "root-1", "--root-key", "root-2", "--root-key", "root-3")
OTHERS = ("--issuer-key", "issuer-1", "--revocation-key", "revoker-1")


def revocations_payload() -> bytes:
    from tunesmith.licensing.contents import Revocation, Revocations

    entry = Revocation("license", "lic-7", 2, utc_now(), "a reason \u202e that turns")
    return Revocations("tunesmith-enterprise", 1, utc_now(), (entry,)).payload().replace("\u202e".encode(), b"")


def test_the_program_says_its_version_and_lists_its_commands(program: Program) -> None:
    assert program("--version").out == f"tunesmith-vendor {__version__}\n"
    listed = program("--help").out
    for command in ("key", "root", "inspect", "verify", "build"):
        assert f"\n  {command} " in listed, command
    without = program()
    assert (without.code, without.out) == (2, "")
    assert "Usage" in without.err or "usage" in without.err


def test_a_wrong_command_says_where_help_is(program: Program) -> None:
    answer = program("key", "forge")
    assert answer.code == 2
    assert "see `tunesmith-vendor key --help`" in answer.err


def test_a_key_is_made_and_listed(program: Program, passphrase_file: Path) -> None:
    made = program("key", "new", "issuer-1", "--role", "issuer", "--passphrase-file", passphrase_file, "--json")
    assert made.code == 0, made.err
    assert "nobody can make this key again" in made.err
    entry = json.loads(made.out)
    assert entry["uri"] == "pkcs8:keys/issuer-1.pem"
    status = json.loads(program("key", "status", "--json").out)
    assert [(key["name"], key["role"], key["keyid"]) for key in status["keys"]] == [
        ("issuer-1", "issuer", entry["keyid"])
    ]
    assert status["root"] is None
    shown = program("key", "status").out
    assert "issuer-1  issuer, not in the newest root" in shown
    assert entry["public_key"] in shown


def test_a_weak_passphrase_gets_a_word_and_a_short_one_no_key(program: Program, tmp_path: Path) -> None:
    weak = tmp_path / "weak"
    weak.write_text("twelve chars\n")
    made = program("key", "new", "a", "--role", "issuer", "--passphrase-file", weak)
    assert made.code == 0
    assert "a weak passphrase: 12 characters" in made.err
    weak.write_text("short\n")
    refused = program("key", "new", "b", "--role", "issuer", "--passphrase-file", weak)
    assert refused.code == 2
    assert "the passphrase is too short" in refused.err
    assert "short\n" not in refused.out + refused.err.replace("too short\n", "")


def test_without_a_terminal_or_a_file_no_key_is_made(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/null", encoding="ascii") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        answer = program("key", "new", "a", "--role", "root")
    assert answer.code == 2
    assert "--passphrase-file FILE" in answer.err
    assert not list((tmp_path / "desk").rglob("*.pem"))


def test_what_is_to_be_taken_in_has_to_be_said_once(program: Program, bare_desk: Desk, tmp_path: Path) -> None:
    answer = program("key", "import", "x", "--role", "root")
    assert (answer.code, "it is not clear what is to be taken in" in answer.err) == (2, True)
    pem = bare_desk.key_folder / "root-1.pem"
    answer = program("key", "import", "x", "--role", "root", "--pem", pem, "--uri", "hv:a/1")
    assert "--pem --uri" in answer.err
    public = bare_desk.key_folder / "root-1.pub.pem"
    other = tmp_path / "other"
    taken = program("key", "import", "holder-1", "--role", "root", "--public", public, "--desk", other)
    assert taken.code == 0, taken.err
    assert "elsewhere: only its public half is known here" in taken.out


def test_a_private_key_is_taken_in_with_its_old_passphrase(
    program: Program, bare_desk: Desk, tmp_path: Path, passphrase_file: Path
) -> None:
    new = tmp_path / "new"
    new.write_text("another six words that dice drew\n")
    taken = program(
        *("key", "import", "root-1", "--role", "root", "--desk", tmp_path / "other"),
        *("--pem", bare_desk.key_folder / "root-1.pem", "--old-passphrase-file", passphrase_file),
        *("--passphrase-file", new, "--json"),
    )
    assert taken.code == 0, taken.err
    assert json.loads(taken.out)["keyid"] == bare_desk.register().find("root-1").public.keyid


def test_a_root_from_its_draft_to_its_chain_and_on(program: Program, bare_desk: Desk, passphrase_file: Path) -> None:
    secret = ("--passphrase-file", passphrase_file)
    drafted = program("root", "init", *ROLES, *OTHERS, "--expires", "2040-01-01")
    assert drafted.code == 0, drafted.err
    assert "carry it to the holders" in drafted.out
    draft = Path("root-1.draft.json")
    assert program("root", "init", *ROLES, *OTHERS).code == 2, "the draft is there, and stays"

    shown = json.loads(program("root", "show", draft, "--json").out)
    assert (shown["complete"], shown["needs"][0]["missing"]) == (False, 2)
    first = program("root", "sign", draft, "--key", "root-3", "--yes", *secret)
    assert "1 of 2 of its own root keys; 1 more of root-1" in first.out
    assert "carry root-1.draft.json to the next holder" in first.out
    assert "counts once" in program("root", "sign", draft, "--key", "root-3", "--yes", *secret).err
    assert "a key has one role" in program("root", "sign", draft, "--key", "issuer-1", "--yes", *secret).err
    assert "1 of its own root keys" in program("root", "finish", draft).err
    second = program("root", "sign", draft, "--key", "root-1", "--yes", *secret)
    assert "version 1 is signed by enough and joins" in second.out
    assert (bare_desk.folder / CHAIN).read_text().startswith("-----BEGIN TUNESMITH ROOT-----\n")
    assert "is in" in program("root", "finish", draft).out, "once more does no harm"
    root = json.loads(program("root", "show", "--json").out)
    assert [key["name"] for key in root["roles"]["issuer"]["keys"]] == ["issuer-1"]

    assert program("key", "new", "issuer-2", "--role", "issuer", *secret).code == 0
    rotated = program("root", "rotate", "--replace", "issuer-1=issuer-2", "--out", "next.json")
    assert "issuer: takes in issuer-2" in rotated.out
    assert "issuer: drops issuer-1" in rotated.out
    for name in ("root-1", "root-2"):
        done = json.loads(program("root", "sign", "next.json", "--key", name, "--yes", *secret, "--json").out)
    assert (done["complete"], done["joined"], done["version"]) == (True, True, 2)
    assert "issuer-1  issuer, not in the newest root" in program("key", "status").out


def test_copies_signed_apart_are_put_together(program: Program, bare_desk: Desk, passphrase_file: Path) -> None:
    program("root", "init", *ROLES, *OTHERS)
    content = Path("root-1.draft.json").read_bytes()
    for number in (1, 2):
        Path(f"copy-{number}").write_bytes(content)
        program(
            "root", "sign", f"copy-{number}", "--key", f"root-{number}", "--yes", "--passphrase-file", passphrase_file
        )
    assert not bare_desk.chain()
    assert program("root", "finish", "copy-1", "copy-2").code == 0
    assert len(bare_desk.chain()) == 1


def test_nobody_signs_without_having_been_asked(program: Program, bare_desk: Desk, passphrase_file: Path) -> None:
    program("root", "init", *ROLES, *OTHERS)
    answer = program("root", "sign", "root-1.draft.json", "--key", "root-1", "--passphrase-file", passphrase_file)
    assert answer.code == 2
    assert "sign it with --yes" in answer.err
    assert json.loads(Path("root-1.draft.json").read_text())["signatures"] == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--threshold", "4"), "impossible threshold"),
        (("--threshold", "0"), "impossible threshold"),
        (("--expires", "2020-01-01"), "would have expired before it is signed"),
        (("--expires", "soon"), "no point in time"),
        (("--root-key", "issuer-1"), "a key has one role"),
        (("--root-key", "nobody"), "the desk knows no key of that name"),
    ],
)
def test_a_root_that_cannot_be_is_not_drafted(
    program: Program, bare_desk: Desk, options: tuple[str, ...], words: str
) -> None:
    answer = program("root", "init", *ROLES, *OTHERS, *options)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert not Path("root-1.draft.json").exists()


def test_one_root_key_alone_gets_a_word(program: Program, bare_desk: Desk) -> None:
    assert "2 of 3 is the usual choice" in program("root", "init", *ROLES, *OTHERS, "--threshold", "1").err


def test_a_document_is_shown_with_who_signed_it_and_what_follows(
    program: Program, desk: Desk, ask: Callable[[str], str], tmp_path: Path
) -> None:
    envelope = desk.issue_sealed(revocations_payload(), "revocations", (), ask)
    file = tmp_path / "revocations.txt"
    file.write_text(armor(envelope))
    shown = program("inspect", file)
    assert "revoked.1.id" in shown.out
    assert "revoker-1 (" in shown.out
    assert "signed as version 1 of the root demands" in shown.out
    assert program("verify", file).code == 0
    said = json.loads(program("inspect", file, "--json").out)["documents"][0]
    assert (said["kind"], said["believed"], said["signed_by"][0]["name"]) == ("revocations", True, "revoker-1")


def test_a_document_by_a_stranger_is_shown_and_does_not_pass(program: Program, desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "forged.txt"
    file.write_text(armor(sign(revocations_payload(), "revocations", [new_private_key()])))
    assert "refused: nobody who may sign a revocations" in program("inspect", file).out
    answer = program("verify", file)
    assert answer.code == 2
    assert "1 of 1 documents in this file would not be believed" in answer.err
    assert (program("verify", file, "--json").code, json.loads(program("verify", file, "--json").out)["verified"]) == (
        2,
        False,
    )


def test_what_a_terminal_would_obey_is_not_shown(program: Program, desk: Desk, tmp_path: Path) -> None:
    payload = json.dumps({"schema": 1, "note": "\x1b]0;title\x07 and \u202e", "a\x1b[2J": {}}).encode()
    file = tmp_path / "strange.txt"
    file.write_text(armor(sign(payload, "license", [new_private_key()])))
    out = program("inspect", file).out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\N{REPLACEMENT CHARACTER}" in out


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"no JSON", b"[1, 2]", b'{"a":1,"a":2}', b"{" * 100])
def test_an_envelope_around_anything_at_all_is_shown_and_refused(
    program: Program, desk: Desk, tmp_path: Path, payload: bytes
) -> None:
    key = new_private_key()
    forged = json.dumps(
        {
            "payload": b64encode(payload).decode(),
            "payloadType": "application/vnd.tunesmith.license.v1+json",
            "signatures": [
                {"keyid": PublicKey.of(key).keyid, "sig": b64encode(key.sign(payload)).decode()},
            ],
        },
        separators=(",", ":"),
    )
    file = tmp_path / "forged.txt"
    file.write_bytes(b64encode(forged.encode()))
    answer = program("inspect", file)
    assert answer.code == 0, answer.err
    assert "refused: " in answer.out
    assert program("verify", file).code == 2


def test_roots_are_compared_with_those_of_the_desk(
    program: Program, desk: Desk, bare_desk: Desk, tmp_path: Path
) -> None:
    chain = desk.folder / CHAIN
    assert "the desk's newest root" in program("verify", chain).out
    elsewhere = program("inspect", chain, "--desk", tmp_path / "other").out
    assert "this desk has no root to compare it with" in elsewhere


def test_the_wheel_is_built_by_command(
    program: Program, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the options mean; what is built is tested in test_building.py."""
    seen: dict[str, Any] = {}

    def noted(source: Path, out: Path, chain: Any, **more: Any) -> building.Built:
        seen.update(source=source, out=out, chain=chain, **more)
        return building.Built(out / "a.whl", "00", "0.1.0", more["built_at"], len(chain), None)

    monkeypatch.setattr("tunesmith_vendor.commands.build.build_wheel", noted)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795694400")
    said = program("build", "--enterprise", "e", "--out", "dist", "--json", "--watermark", "Example Ltd")
    assert said.code == 0, said.err
    assert json.loads(said.out)["built_at"] == "2026-11-26T12:00:00Z"
    assert (seen["chain"], seen["watermark"], seen["source"]) == (desk.chain(), "Example Ltd", Path("e"))
    named = json.loads(
        program("build", "--enterprise", "e", "--out", "d", "--built-at", "2026-01-02T03:04:05Z", "--json").out
    )
    assert named["built_at"] == "2026-01-02T03:04:05Z"
    assert "brings no list of revocations" in program("build", "--enterprise", "e", "--out", "d").err
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert "SOURCE_DATE_EPOCH is no time" in program("build", "--enterprise", "e", "--out", "d").err
    other = program("build", "--enterprise", "e", "--out", "d", "--desk", tmp_path / "other")
    assert "this desk has no root yet" in other.err


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tunesmith_vendor", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"tunesmith-vendor {__version__}\n")


def test_whoever_says_no_has_not_signed(
    program: Program, bare_desk: Desk, passphrase_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    program("root", "init", *ROLES, *OTHERS)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    answer = program("root", "sign", "root-1.draft.json", "--key", "root-1", "--passphrase-file", passphrase_file)
    assert (answer.code, "the draft was not signed, as you said" in answer.err) == (2, True)
    assert "Compare the ids of the keys" in answer.out + answer.err
    assert json.loads(Path("root-1.draft.json").read_text())["signatures"] == {}
