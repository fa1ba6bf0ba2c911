# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""``tunesmith seal`` and ``unseal``: what they print, what they ask for; and every command of docs/how-to/seal.md."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import DAY, NOW
from licensed import Machine, a_machine

import tunesmith_enterprise
from tunesmith.data import cache
from tunesmith_cli.main import main
from tunesmith_enterprise.governance.sealing.keys import create_key_file

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = a_machine(tmp_path, monkeypatch)
    monkeypatch.setattr(cache, "_keeps", True)  # sealed rows end that, for the whole process
    made.settings(f'[plugins.enterprise]\nseal_keys = ["{(tmp_path / "seal.key").as_posix()}"]\n')
    return made


@pytest.fixture
def run(machine: Machine, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command: its exit code, output and errors, each in one line."""

    def one(*args: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*map(str, args)])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, " ".join(said.out.split()), " ".join(said.err.split())

    return one


def told(run: Run, *args: object, code: int = 0) -> Any:
    found, out, err = run(*args, "--json")
    assert found == code, err
    return json.loads(out)


@pytest.fixture
def rows(machine: Machine) -> Path:
    create_key_file(machine.folder / "seal.key")
    path = machine.folder / "rows.jsonl"
    path.write_text('{"text": "a"}\n')
    return path


def test_sealing_asks_for_the_license_once_and_opening_does_not(
    rows: Path, machine: Machine, run: Run, folder: Path
) -> None:
    assert told(run, "seal", "folder", folder) == {"path": str(folder), "sealed": 3}
    assert told(run, "seal", "file", rows) == {"path": str(rows), "sealed": 1}
    assert machine.asked == ["governance", "governance"]
    machine.delete()
    code, _, said = run("seal", "folder", folder)
    assert code == 22  # no license
    assert "governance needs a license" in said
    for args in (
        ["unseal", folder, "--out", "opened"],
        ["seal", "verify", folder],
        ["seal", "show", f"{rows}.sealed"],
        ["seal", "rewrap", folder],
        ["seal", "key", "create", "another.key"],
    ):
        assert run(*args)[0] == 0, args
    assert machine.asked == ["governance"] * 3
    assert (machine.folder / "opened" / "config.json").read_text() == '{"a": 1}'


def test_a_refusal_leaves_every_file_as_it_is(machine: Machine, run: Run, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, _, said = run("seal", "folder", folder)  # the settings name a key that is not there
    assert code == 41
    assert "there is no key to seal with" in said
    machine.delete()
    create_key_file(machine.folder / "seal.key")
    assert run("seal", "folder", folder)[0] == 22
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("governed", [True, False])
def test_that_the_license_ends_soon_is_told_once(rows: Path, machine: Machine, run: Run, governed: bool) -> None:
    key = (machine.folder / "seal.key").as_posix()
    log = f'audit_log = "{machine.log.path.as_posix()}"\n' if governed else ""
    machine.settings(f'[plugins.enterprise]\n{log}seal_keys = ["{key}"]\n')
    machine.now = NOW + 330 * DAY  # five days before it ends
    (note,) = tunesmith_enterprise.require("governance").notes
    code, _, said = run("seal", "file", rows)
    assert code == 0, said
    assert said.count(note) == 1


def test_verify_names_what_is_wrong_and_the_exit_code_says_so(rows: Path, run: Run, folder: Path) -> None:
    run("seal", "folder", folder)
    path = folder / "deep" / "weights.bin.sealed"
    path.write_bytes(path.read_bytes()[:-1])
    found = told(run, "seal", "verify", folder, code=1)
    assert found["sound"] == 2
    assert list(found["wrong"]) == ["deep/weights.bin.sealed"]
    assert "is truncated" in found["wrong"]["deep/weights.bin.sealed"]
    code, said, _ = run("seal", "verify", folder)
    assert code == 1
    assert "whole 2 files" in said
    assert run("unseal", folder, "--out", "opened")[0] == 40
    assert not Path("opened").exists()


def test_what_is_done_stands_in_the_audit_log_before_it_is_done(
    rows: Path, machine: Machine, run: Run, folder: Path
) -> None:
    key = (machine.folder / "seal.key").as_posix()
    machine.settings(f'[plugins.enterprise]\naudit_log = "{machine.log.path.as_posix()}"\nseal_keys = ["{key}"]\n')
    run("seal", "folder", folder)
    run("unseal", folder, "--out", "opened")
    run("seal", "rewrap", folder)
    assert machine.events == ["seal", "unseal-copy", "rewrap"]
    secret = json.loads((machine.folder / "seal.key").read_text())["key"]
    assert secret not in machine.log.path.read_text()
    shutil.rmtree(machine.folder / "opened")
    machine.settings(f'[plugins.enterprise]\naudit_log = "/dev/null/log"\nseal_keys = ["{key}"]\n')
    for args in (["unseal", folder, "--out", "opened"], ["seal", "file", rows], ["seal", "rewrap", folder]):
        code, _, said = run(*args)
        assert code != 0
        assert "the audit log /dev/null/log cannot be written" in said
    assert rows.exists()
    assert not Path("opened").exists()


# ---- the pages -------------------------------------------------------------------------------------------------

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_what_the_how_to_says_works(machine: Machine, run: Run, root: Path, trained: Path) -> None:
    shutil.copytree(trained / "run", machine.folder / "runs" / "one")
    for name in ("rows.csv", "more.csv"):
        Path(name).write_text(
            "text,label\n" + "\n".join(f"word {n},{('fruit', 'metal')[n % 2]}" for n in range(8)) + "\n"
        )
    page = (root / "docs" / "how-to" / "seal.md").read_text(encoding="utf-8")
    lines = [line for block in BLOCK.findall(page) for line in block.splitlines() if line.startswith("$ ")]
    assert len(lines) > 10
    for line in lines:
        program, *args = shlex.split(line[2:])
        assert program == "tunesmith"
        code, out, err = run(*args)
        assert code == 0, f"{line}\n{out}\n{err}"
    assert run("predict", "runs/opened", "more.csv.sealed") == run("predict", trained / "run", "rows.csv")
    settings = re.search(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert settings is not None
    machine.settings(settings[1])
    assert run("seal", "verify", "runs/one")[0] == 1  # the settings of the page are taken, and there is no such key


@pytest.fixture
def program(root: Path, tmp_path: Path) -> Path:
    """What docs/reference/sealed-files.md has for those without Tunesmith."""
    page = (root / "docs" / "reference" / "sealed-files.md").read_text(encoding="utf-8")
    found = re.search(r"^```py title=open_sealed.py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert len(found[1].splitlines()) < 80
    assert set(re.findall(r"^(?:import|from) (\w+)", found[1], re.MULTILINE)) <= {
        *sys.stdlib_module_names,
        "cryptography",
    }
    path = tmp_path / "open_sealed.py"
    path.write_text(found[1])
    return path


def test_without_tunesmith_a_page_opens_what_was_sealed(program: Path, rows: Path, run: Run, machine: Machine) -> None:
    content = bytes(range(256)) * 5000  # two chunks
    rows.write_bytes(content)
    run("seal", "file", rows)

    def opened(key: str, out: str) -> tuple[int, str]:
        command = [sys.executable, "-I", str(program), key, f"{rows}.sealed", out]
        done = subprocess.run(command, cwd=machine.folder, capture_output=True, text=True)
        return done.returncode, done.stderr

    assert opened("seal.key", "out") == (0, "")
    assert (machine.folder / "out").read_bytes() == content
    other = create_key_file(machine.folder / "other.key")
    code, said = opened("other.key", "none")
    assert code == 1
    assert f"the key {other.id} does not open this file; it needs" in said
    run("seal", "rewrap", f"{rows}.sealed", "--key", "other.key")
    assert opened("other.key", "again") == (0, "")
    sealed = Path(f"{rows}.sealed")
    sealed.write_bytes(sealed.read_bytes()[:-20] + bytes(20))
    assert opened("other.key", "damaged") == (1, "damaged: throw away what was written\n")
