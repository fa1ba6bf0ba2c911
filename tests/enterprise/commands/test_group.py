# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The commands as a whole: their tree is pinned, the reference names them, and the core's own command stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from desk import DAY, NOW
from typer.core import TyperGroup

from tunesmith_enterprise.commands.license import app
from tunesmith_enterprise.errors import LicenseError
from tunesmith_enterprise.routes import metrics_text

TREE = {
    "install": {"FILE", "--system", "--anyway", "--json"},
    "show": {"--json"},
    "status": {"--explain", "--json"},
    "check": {"FEATURE", "--processes", "--nodes", "--gpus", "--seats", "--json"},
    "features": {"--json"},
    "doctor": {"FILE", "--forget-clock", "--json"},
    "request": {"LICENSE_ID", "--out", "--label", "--json"},
    "activate": {"FILE", "--json"},
    "deactivate": {"LICENSE_ID", "--out", "--json"},
    "remove": {"ID", "--all", "--with-others", "--system", "--json"},
    "simulate-expiry": {"--at", "--days", "--json"},
    "usage export": {"--since", "--until", "--out", "--json"},
    "audit verify": {"--json"},
    "audit export": {"--out"},
}
LEASING = "lease"
"""Pinned beside its own tests."""


def tree() -> dict[str, set[str]]:
    found = {}
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        below = command.commands.items() if isinstance(command, TyperGroup) else [("", command)]
        if name != LEASING:
            found.update({f"{name} {child}".strip(): flags(each) for child, each in below})
    return found


def flags(command: Any) -> set[str]:
    names: set[str] = set()
    for param in command.params:
        if param.param_type_name == "argument":
            names.add(param.metavar or param.name)
        else:
            names.update(param.opts)
    return names


def test_the_command_tree_stays() -> None:
    assert tree() == TREE


@pytest.mark.parametrize("name", sorted(TREE))
def test_the_reference_names_every_command_and_flag(name: str, root: Path) -> None:
    page = (root / "docs" / "reference" / "license-commands.md").read_text(encoding="utf-8")
    assert f"## `tunesmith license {name}`\n" in page
    section = page.split(f"## `tunesmith license {name}`\n", 1)[1].split("\n## ", 1)[0]
    for flag in TREE[name]:
        assert flag in section, f"{flag} of tunesmith license {name} is not on the page"


def test_the_reference_has_every_exit_code(root: Path) -> None:
    page = (root / "docs" / "reference" / "license-commands.md").read_text(encoding="utf-8")
    for code, number in LicenseError.exit_codes.items():
        assert f"| {number} | `{code}` |" in page


def test_inspect_stays_the_cores(customer: Any) -> None:
    assert "kind license schema 1 license_id lic-1 product tunesmith-enterprise" in customer.ok(
        "inspect", customer.file("a.lic", customer.desk.license())
    )
    assert customer.run("--help") == 0
    for name in ("inspect", "install", "simulate-expiry", "usage", "audit"):
        assert f"  {name} " in customer.out


def test_the_start_of_the_program_imports_none_of_it() -> None:
    code = (
        "import sys\n"
        "from tunesmith_cli.main import main\n"
        "main(['--help'])\n"
        "print([name for name in sys.modules if name.startswith(('tunesmith_enterprise.', 'cryptography'))])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "['tunesmith_enterprise.plugin']"


def test_prometheus_learns_when_licenses_end(customer: Any) -> None:
    customer.ok("install", customer.file("a.lic", customer.desk.license()))
    customer.ok("install", customer.file("b.lic", customer.desk.license(license_id="lic-2", expires_at=None)))
    customer.ok("install", customer.file("c.lic", customer.desk.license(license_id="lic-3", expires_at=NOW - DAY)))
    text = metrics_text(customer.look())
    assert text.startswith("# HELP tunesmith_license_expires_in_seconds ")
    assert 'tunesmith_license_expires_in_seconds{license="lic-1"} 28944000\n' in text
    assert 'tunesmith_license_expires_in_seconds{license="lic-2"} +Inf\n' in text
    assert 'tunesmith_license_expires_in_seconds{license="lic-3"} -86400\n' in text


def test_a_server_answers_with_it(customer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    testclient = pytest.importorskip("fastapi.testclient", reason="needs the server's packages")
    from fastapi import FastAPI

    from tunesmith_enterprise import routes

    customer.ok("install", customer.file("a.lic", customer.desk.license()))
    monkeypatch.setattr(routes, "gather", customer.look)
    server = FastAPI()
    server.get("/metrics")(routes.license_metrics)
    answer = testclient.TestClient(server).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'license="lic-1"' in answer.text
