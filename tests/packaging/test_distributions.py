# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
"""What is in the wheels and source distributions, and what must never be."""

from __future__ import annotations

import email
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

import pytest

import tunesmith

pytestmark = pytest.mark.packaging

Built = Callable[[str, str], Path]
MEGABYTE = 1_000_000


def wheel_names(file: Path) -> list[str]:
    with zipfile.ZipFile(file) as wheel:
        return wheel.namelist()


def sdist_names(file: Path) -> list[str]:
    """Paths inside the one folder that a source distribution holds."""
    with tarfile.open(file) as archive:
        return [name.split("/", 1)[1] for name in archive.getnames() if "/" in name]


def top(names: list[str]) -> set[str]:
    return {name.split("/", 1)[0] for name in names}


def fields(file: Path) -> Message:
    with zipfile.ZipFile(file) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(wheel.read(name))


def contents(file: Path) -> Iterator[tuple[str, bytes]]:
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            yield from ((name, wheel.read(name)) for name in wheel.namelist())
    else:
        with tarfile.open(file) as archive:
            for member in archive:
                if member.isfile() and (opened := archive.extractfile(member)) is not None:
                    yield member.name, opened.read()


def test_the_wheel_holds_the_library_and_the_command(built: Built) -> None:
    names = wheel_names(built(".", ".whl"))
    assert top(names) == {"tunesmith", "tunesmith_cli", f"tunesmith-{tunesmith.__version__}.dist-info"}
    assert {"tunesmith/py.typed", "tunesmith_cli/py.typed"} <= set(names)


def test_the_wheel_holds_every_file_of_the_packages(built: Built, root: Path) -> None:
    names = set(wheel_names(built(".", ".whl")))
    here = {
        path.relative_to(source).as_posix()
        for source in (root / "core", root / "cli")
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not here - names, "left out of the wheel"
    assert not {name for name in names if ".dist-info/" not in name} - here, "from somewhere else"


def test_the_source_distribution_holds_what_builds_the_wheel(built: Built) -> None:
    names = sdist_names(built(".", ".tar.gz"))
    files = {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert top(names) == {"core", "cli"} | files
    assert "core/tunesmith/__init__.py" in names


@pytest.mark.parametrize("ending", [".whl", ".tar.gz"])
def test_nothing_of_the_enterprise_package_is_in_the_mit_ones(built: Built, ending: str) -> None:
    file = built(".", ending)
    for name, content in contents(file):
        assert "enterprise" not in name.lower(), name
        assert b"LicenseRef-Tunesmith-Commercial" not in content, name
        if name.endswith(".py"):
            assert b"import tunesmith_enterprise" not in content, name
            assert b"from tunesmith_enterprise" not in content, name


@pytest.mark.parametrize("ending", [".whl", ".tar.gz"])
def test_no_tests_caches_or_run_folders_slip_in(built: Built, ending: str) -> None:
    for name, _ in contents(built(".", ending)):
        parts = set(Path(name).parts)
        assert not parts & {"tests", "__pycache__", ".venv", "benchmarks"}, name
        assert not name.endswith((".pyc", ".pkl", ".pt", ".bin")), name


def test_the_embedded_weights_are_small(built: Built) -> None:
    with zipfile.ZipFile(built(".", ".whl")) as wheel:
        weights = [item for item in wheel.infolist() if item.filename.startswith("tunesmith/assets/")]
    assert any(item.filename.endswith(".safetensors") for item in weights)
    assert sum(item.file_size for item in weights) <= 8 * MEGABYTE


def test_the_metadata_says_mit(built: Built) -> None:
    said = fields(built(".", ".whl"))
    assert said["License-Expression"] == "MIT"
    assert said.get_all("License-File") == ["LICENSE"]
    assert said["Requires-Python"] == ">=3.10"
    assert said["Version"] == tunesmith.__version__
    assert not [line for line in said.get_all("Classifier", []) if line.startswith("License ::")]


def test_the_wheel_brings_the_command(built: Built) -> None:
    with zipfile.ZipFile(built(".", ".whl")) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        assert wheel.read(name).decode() == "[console_scripts]\ntunesmith = tunesmith_cli.main:main\n"


def test_the_enterprise_wheel_is_its_own(built: Built) -> None:
    file = built("enterprise", ".whl")
    assert {name for name in top(wheel_names(file)) if not name.endswith(".dist-info")} == {"tunesmith_enterprise"}
    said = fields(file)
    assert said["License-Expression"] == "LicenseRef-Tunesmith-Commercial"
    assert said.get_all("License-File") == ["LICENSE-ENTERPRISE"]
    assert "Private :: Do Not Upload" in said.get_all("Classifier", [])
    with zipfile.ZipFile(file) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        assert wheel.read(name).decode() == "[tunesmith.plugins.v1]\nenterprise = tunesmith_enterprise.plugin\n"


def test_the_vendors_wheel_is_its_own_and_cannot_be_uploaded(built: Built) -> None:
    file = built("enterprise/vendor", ".whl")
    assert {name for name in top(wheel_names(file)) if not name.endswith(".dist-info")} == {"tunesmith_vendor"}
    said = fields(file)
    assert said["License-Expression"] == "LicenseRef-Tunesmith-Commercial"
    assert said.get_all("License-File") == ["LICENSE-ENTERPRISE"]
    assert "Private :: Do Not Upload" in said.get_all("Classifier", [])
    assert not [line for line in said.get_all("Requires-Dist", []) if line.startswith("tunesmith-enterprise")]
    with zipfile.ZipFile(file) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        assert wheel.read(name).decode() == "[console_scripts]\ntunesmith-vendor = tunesmith_vendor.main:main\n"


@pytest.mark.parametrize("folder", [".", "enterprise", "enterprise/vendor"])
@pytest.mark.parametrize("ending", [".whl", ".tar.gz"])
def test_no_distribution_holds_a_private_key_a_root_or_tests(built: Built, folder: str, ending: str) -> None:
    for name, content in contents(built(folder, ending)):
        assert b"PRIVATE KEY-----\n" not in content, name
        assert not name.endswith(("placed/root.txt", "placed/build.json", ".pem", ".key")), name
        assert not {"tests", "vectors", "conftest.py"} & set(Path(name).parts), name
        # The template of a plugin brings the test that a new plugin begins with.
        assert not Path(name).name.startswith("test_") or "plugin_template" in Path(name).parts, name


def test_customers_do_not_get_the_vendors_desk(built: Built) -> None:
    for ending in (".whl", ".tar.gz"):
        for name, content in contents(built("enterprise", ending)):
            assert "vendor/" not in name, name
            assert not name.endswith(".py") or b"import tunesmith_vendor" not in content, name


def test_the_enterprise_source_distribution_brings_its_licence(built: Built) -> None:
    names = sdist_names(built("enterprise", ".tar.gz"))
    assert top(names) == {
        "tunesmith_enterprise",
        "LICENSE-ENTERPRISE",
        "README.md",
        "pyproject.toml",
        "PKG-INFO",
        ".gitignore",
    }
