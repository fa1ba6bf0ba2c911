# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The page about the root with three holders: its commands, run in order as by people who answer the prompts."""

from __future__ import annotations

import getpass
import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from tunesmith.licensing import Trust
from tunesmith_vendor.desk import ALWAYS, Desk

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "root-ceremony.md"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_commands_of_the_page_make_a_root_and_rotate_it(
    program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def confirmed(text: str, **_: object) -> bool:
        asked.append(text)
        return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "six words that dice have drawn")
    monkeypatch.setattr(typer, "confirm", confirmed)
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    assert len(lines) == 18
    for line in lines:
        prompt, name, *args = shlex.split(line)
        assert (prompt, name) == ("$", "tunesmith-vendor"), line
        answer = program(*args)
        assert answer.code == 0, f"{line}\n{answer.out}{answer.err}"
    assert len(asked) == 4, "every holder is asked whether this is what they sign"

    office = Desk(tmp_path / "office")
    assert [entry.name for entry in office.signers_for("license")] == ["issuer-2028"]
    first, second = office.chain()
    assert Trust.start(first).follow([first, second], now=ALWAYS).root.version == 2
    private = {path.stem for path in office.key_folder.glob("*.pem") if b"ENCRYPTED" in path.read_bytes()}
    assert private == {"issuer-2026", "revocation-2026", "issuer-2028"}, "no holder's key ever came to the office"
