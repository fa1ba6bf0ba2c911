# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What others rely on: names, reasons, the page of the format, and that importing costs nothing."""

import pickle
import re
import subprocess
import sys
from typing import get_args

from signed import PRIVATE, root_document

import tunesmith.licensing
from tunesmith.licensing import KINDS, REASONS, SignedDocumentError, Trust, armor, refusal, sign
from tunesmith.licensing.reasons import Reason


def test_the_public_names():
    assert tunesmith.licensing.__all__ == [
        "KINDS",
        "REASONS",
        "ROLES",
        "ROLE_OF",
        "Document",
        "Envelope",
        "Kind",
        "PublicKey",
        "Reason",
        "Role",
        "Root",
        "SignedDocumentError",
        "Trust",
        "armor",
        "armor_line",
        "dearmor",
        "dearmor_all",
        "format_timestamp",
        "integer",
        "items",
        "members",
        "pae",
        "parse_json",
        "parse_root",
        "parse_timestamp",
        "read_document",
        "read_envelope",
        "refusal",
        "seal",
        "sign",
        "signed_bytes",
        "text",
        "verify",
    ]
    assert all(hasattr(tunesmith.licensing, name) for name in tunesmith.licensing.__all__)


def test_importing_loads_no_cryptography():
    code = """
import sys
import tunesmith.licensing
heavy = {"cryptography", "torch", "pydantic", "pluggy", "numpy", "yaml", "asyncio"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_reason_is_raised_somewhere_and_explained_on_the_page(root):
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in (root / "core/tunesmith/licensing").rglob("*.py")
        if path.name != "reasons.py"
    )
    assert [reason for reason in REASONS if f'"{reason}"' not in code] == []
    page = (root / "docs/reference/signed-documents.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", page.split("## Reasons")[1], re.MULTILINE) == list(REASONS)
    assert get_args(Reason) == REASONS


def test_the_page_names_every_kind(root):
    page = (root / "docs/reference/signed-documents.md").read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"| `{kind}` | `TUNESMITH {kind.upper().replace('-', ' ')}` |" in page


def test_an_error_crosses_processes_with_its_reason():
    error = pickle.loads(pickle.dumps(refusal("truncated", "part is missing", given="3 characters")))
    assert type(error) is SignedDocumentError
    assert (error.reason, error.given) == ("truncated", "3 characters")


def test_row_20_the_first_line_names_the_kind():
    for kind in KINDS:
        first = armor(sign(b"{}", kind, PRIVATE[:1])).splitlines()[0]
        assert first == f"-----BEGIN TUNESMITH {kind.upper().replace('-', ' ')}-----"


def test_a_trust_crosses_processes():
    trust = Trust.start(root_document())
    assert pickle.loads(pickle.dumps(trust)) == trust
