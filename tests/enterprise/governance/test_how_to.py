# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""docs/how-to/govern.md: every command on the page is run, in its order, on a machine of the tests with that policy."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from licensed import a_machine

from tunesmith_cli.main import main
from tunesmith_enterprise.governance.who import account

BLOCK = re.compile(r"^```(sh|toml|(?:\w+) title=(?P<title>\S+))\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"# exit code (\d+)$")


def test_what_the_page_says_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    machine = a_machine(tmp_path, monkeypatch)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TUNESMITH_CACHE", "off")
    page = (root / "docs" / "how-to" / "govern.md").read_text(encoding="utf-8")
    for folder in ("/etc/tunesmith", "/var/log/tunesmith", "/var/lib/tunesmith/usage", "/srv/data", "/srv/runs"):
        (tmp_path / folder[1:]).mkdir(parents=True)
    for top in ("/etc/", "/var/", "/srv/"):  # the page's folders, below the test's
        page = page.replace(top, f"{tmp_path}{top}")
    page = page.replace('"deploy"', f'"{account().name}"').replace("[roles.admin]\ngroups", "[roles.admin]\nusers")
    page = page.replace('users = ["ml-platform"]', f'users = ["{account().name}"]')
    (tmp_path / "srv/data/films.csv").write_text("text,label\n" + "a fine film,good\na dull film,bad\n" * 4)
    found = list(BLOCK.finditer(page))
    tables = [block["body"] for block in found if block[1] == "toml"]
    machine.settings(next(one for one in tables if one.startswith("required_plugins")).split("\n", 1)[1])
    for block in found:
        if block["title"]:
            (tmp_path / block["title"]).write_text(block["body"])
    parts = [(tmp_path / "policy.toml").read_text(), *(one for one in tables if "[r" in one.split("\n")[0])]
    assert len(parts) == 3
    (tmp_path / "etc/tunesmith/policy.toml").write_text("\n".join(parts))
    lines = [line for block in found if block[1] == "sh" for line in block["body"].splitlines()]
    assert len(lines) > 15
    said = {}
    for line in lines:
        program, *arguments = shlex.split(line.removeprefix("$ "), comments=True)
        assert program == "tunesmith"
        capsys.readouterr()
        expected = int(told[1]) if (told := EXIT.search(line)) else 0
        code = main(arguments)
        out, err = capsys.readouterr()
        assert code == expected, f"{line}\n{out}{err}"
        said[" ".join(arguments[:2])] = out + err
    assert "ask ml-platform@example.com" in said["policy check"] or "serve 0.0.0.0" in said["policy check"]
    assert re.search(r"other/base\s+\(models.allow\): allowed are", " ".join(_refused(machine.folder)))
    assert "refused" in said["audit export"]
    assert "shop" in said["license inspect"]  # the job is its tenant's
    assert not (tmp_path / "srv/runs/films").exists()


def _refused(folder: Path) -> list[str]:
    from tunesmith_enterprise.chained_log import ChainedLog

    log = ChainedLog(folder / "var/log/tunesmith/audit.jsonl")
    assert log.verify() is None
    return [record.fields["reason"] for record in log.read() if record.event == "refused"]
