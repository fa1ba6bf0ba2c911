# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""A vendor's desk in a temporary folder: three root keys of which two have to sign, an issuer, a revoker, a root."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import pytest

from tunesmith_vendor import keys, roots
from tunesmith_vendor.commands import options
from tunesmith_vendor.desk import Desk
from tunesmith_vendor.drafts import Draft
from tunesmith_vendor.key_files import Cost
from tunesmith_vendor.main import main

PASSPHRASE = "six words that dice have drawn"
CHEAP = Cost(n=2, r=1, p=1)  # production's is pinned in test_key_files.py; here it would take half a second a key
EXPIRES = datetime(2040, 1, 1, tzinfo=timezone.utc)
ROOT_KEYS = ("root-1", "root-2", "root-3")


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a desk would be looked for, and kept, without ``--desk``."""
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture
def ask() -> Callable[[str], str]:
    """Answers for every passphrase of the desks here."""
    return lambda name: PASSPHRASE


@pytest.fixture(scope="session")
def _keys_made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = Desk(tmp_path_factory.mktemp("made") / "desk", CHEAP)
    for name in ROOT_KEYS:
        keys.make_key(desk, name, "root", lambda name: PASSPHRASE)
    keys.make_key(desk, "issuer-1", "issuer", lambda name: PASSPHRASE)
    keys.make_key(desk, "revoker-1", "revocation", lambda name: PASSPHRASE)
    return desk.folder


@pytest.fixture
def bare_desk(tmp_path: Path, _keys_made_once: Path) -> Desk:
    """A desk with keys and without a root."""
    shutil.copytree(_keys_made_once, tmp_path / "desk")
    return Desk(tmp_path / "desk", CHEAP)


@pytest.fixture
def first_draft(bare_desk: Desk) -> Draft:
    """Version 1, unsigned."""
    return make_first_draft(bare_desk)


@pytest.fixture
def desk(bare_desk: Desk, first_draft: Draft, ask: Callable[[str], str]) -> Desk:
    """A desk that can issue: its root is signed by the first two root keys."""
    roots.join(bare_desk, signed(bare_desk, first_draft, ROOT_KEYS[:2], ask))
    return bare_desk


def make_first_draft(desk: Desk, threshold: int = 2) -> Draft:
    return roots.first_draft(
        desk,
        {"root": ROOT_KEYS, "issuer": ["issuer-1"], "revocation": ["revoker-1"]},
        {"root": threshold, "issuer": 1, "revocation": 1},
        EXPIRES,
    )


def signed(desk: Desk, draft: Draft, names: tuple[str, ...], ask: Callable[[str], str]) -> Draft:
    """The draft with signatures of the desk's keys of these names."""
    for name in names:
        draft = draft.signed_with(desk.register().find(name).public, desk.signer(name, "root", ask))
    return draft


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str


@pytest.fixture
def passphrase_file(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n", encoding="utf-8")
    return file


@pytest.fixture
def program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Answer]:
    """``program("key", "status")`` runs the command in this process, at the desk of the tests."""
    monkeypatch.setattr(options, "Desk", partial(Desk, cost=CHEAP))
    monkeypatch.setenv("TUNESMITH_DESK", str(tmp_path / "desk"))
    monkeypatch.chdir(tmp_path)

    def run(*args: object) -> Answer:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run
