# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""What the vendor's desk may know: the format and the errors of the MIT core, and nothing of what customers get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunesmith_vendor.main import app

ROOT = Path(__file__).resolve().parents[2]
DESK = ROOT / "enterprise" / "vendor" / "tunesmith_vendor"
ROOMS = ("tunesmith.licensing", "tunesmith.errors")


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield node.module or ""


@pytest.mark.parametrize("file", sorted(DESK.rglob("*.py")), ids=lambda file: str(file.relative_to(DESK)))
def test_the_desk_imports_the_format_and_the_errors_and_nothing_else_of_the_core(file: Path) -> None:
    for name in imported(file):
        top = name.partition(".")[0]
        assert top not in ("tunesmith_enterprise", "tunesmith_cli"), f"{name}: customers' side"
        if top == "tunesmith":
            assert any(name == room or name.startswith(f"{room}.") for room in ROOMS), name


def test_customers_packages_do_not_even_name_the_desk() -> None:
    for folder in (ROOT / "core", ROOT / "cli", ROOT / "plugins", ROOT / "enterprise" / "tunesmith_enterprise"):
        for file in folder.rglob("*.py"):
            assert b"tunesmith_vendor" not in file.read_bytes(), file


def test_no_private_key_lies_in_the_desk_or_its_tests() -> None:
    for folder in (DESK, ROOT / "tests" / "vendor"):
        for file in folder.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert b"PRIVATE KEY-----\n" not in file.read_bytes(), file
                assert file.suffix != ".pem", file


def test_the_licence_of_the_desk_is_that_of_the_enterprise_package() -> None:
    texts = {(ROOT / folder / "LICENSE-ENTERPRISE").read_bytes() for folder in (".", "enterprise", "enterprise/vendor")}
    assert len(texts) == 1


def test_no_option_takes_a_passphrase_and_none_reads_one_from_a_variable() -> None:
    import typer

    def options(command: object) -> Iterator[tuple[str, object]]:
        for inner in getattr(command, "commands", {}).values():
            yield from options(inner)
        for parameter in getattr(command, "params", ()):
            yield from ((name, parameter) for name in parameter.opts)

    found = dict(options(typer.main.get_command(app)))
    about = {name for name in found if "pass" in name or "pin" in name or "secret" in name}
    assert about == {"--passphrase-file", "--passphrase-fd", "--old-passphrase-file"}
    named = {getattr(parameter, "envvar", None) for parameter in found.values()}
    assert "TUNESMITH_DESK" in named
    assert not [name for name in named if name and ("PASS" in str(name) or "KEY" in str(name))]
