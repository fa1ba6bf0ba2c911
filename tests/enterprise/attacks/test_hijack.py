# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Row 27: somebody else's files and packages do not come in under our names."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from fake_plugins import install

SPOOF = "raise SystemExit('a stranger was imported')\n"


def command(here, *arguments, **environ):
    """The installed command, run in a folder."""
    program = Path(sysconfig.get_path("scripts")) / "tunesmith"
    if not program.exists():
        pytest.skip("the command tunesmith is not installed")
    return subprocess.run(
        [program, *arguments],
        cwd=here,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(here / "home"), "TUNESMITH_CACHE": "off", **environ},
        timeout=120,
    )


def test_row_27_modules_of_our_names_in_the_working_folder_are_not_imported(tmp_path):
    for name in ("enterprise", "tunesmith_enterprise", "tunesmith", "cryptography", "license", "plugin"):
        (tmp_path / f"{name}.py").write_text(SPOOF)
    (tmp_path / "sitecustomize.py").write_text(SPOOF)
    ran = command(tmp_path, "license", "features", "--json")
    assert "stranger" not in ran.stdout + ran.stderr
    assert ran.returncode == 0
    assert '"governance"' in ran.stdout


def test_row_27_a_package_that_calls_its_plugin_enterprise_is_a_conflict_that_is_told(tmp_path):
    """Neither is loaded: nothing is licensed by a stranger, and nobody is left to wonder which of them ran."""
    install(tmp_path / "site", "spoof", entry="enterprise", plugin=SPOOF)
    ran = command(tmp_path, "plugins", "list", "--json", PYTHONPATH=str(tmp_path / "site"))
    assert "stranger" not in ran.stdout + ran.stderr
    assert ran.returncode == 0, ran.stderr
    found = {one["distribution"]: one["status"] for one in json.loads(ran.stdout) if one["name"] == "enterprise"}
    assert found == {"tunesmith-enterprise": "conflict", "tunesmith-spoof": "conflict"}
