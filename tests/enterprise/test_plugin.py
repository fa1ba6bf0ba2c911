# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""The enterprise package comes in through the plugin host, and the core does without it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest

from tunesmith import __version__
from tunesmith._plugins import get_host

ENTERPRISE = Path(__file__).resolve().parents[2] / "enterprise"

pytestmark = pytest.mark.skipif(not ENTERPRISE.is_dir(), reason="this tree comes without the enterprise package")


def test_the_host_loads_it() -> None:
    (record,) = [record for record in get_host().records if record.name == "enterprise"]
    assert (record.status, record.reason) == ("ok", "")
    assert (record.distribution, record.target) == ("tunesmith-enterprise", "tunesmith_enterprise.plugin")


def test_it_asks_for_this_tunesmith() -> None:
    needed = [one for one in requires("tunesmith-enterprise") or [] if "extra ==" not in one]
    assert needed == ["tunesmith<0.2,>=0.1"]
    assert __version__.startswith("0.1.")


def test_its_licence_is_the_commercial_one_and_travels_with_it() -> None:
    fields = metadata("tunesmith-enterprise")
    assert fields["License-Expression"] == "LicenseRef-Tunesmith-Commercial"
    assert fields.get_all("License-File") == ["LICENSE-ENTERPRISE"]
    root = ENTERPRISE.parent
    text = (root / "LICENSE-ENTERPRISE").read_text(encoding="utf-8")
    assert (ENTERPRISE / "LICENSE-ENTERPRISE").read_text(encoding="utf-8") == text
    assert (root / "LICENSES" / "LicenseRef-Tunesmith-Commercial.txt").read_text(encoding="utf-8") == text
    assert "AWAITING REVIEW BY COUNSEL" in text.split("TUNESMITH COMMERCIAL LICENCE")[0]


def test_without_it_the_core_has_the_same_built_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_PLUGINS", "")
    code = (
        "import sys\n"
        "from tunesmith._plugins import get_host\n"
        "for record in get_host().records: print(record.name, record.status)\n"
        "print('imported:', 'tunesmith_enterprise' in sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "tunesmith ok\n" in said
    assert "enterprise disabled\n" in said
    assert "imported: False\n" in said


def test_it_uses_the_public_door_only() -> None:
    private = ("tunesmith._", "tunesmith import _", "tunesmith_cli")
    for file in (ENTERPRISE / "tunesmith_enterprise").rglob("*.py"):
        imports = [line for line in file.read_text(encoding="utf-8").splitlines() if "import " in line]
        assert not [line for line in imports if any(word in line for word in private)], file
