# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: LicenseRef-Tunesmith-Commercial
"""Building the wheel that customers get: the enterprise package with the roots, the date and the revocations in it.

The sources are copied out of a checkout or a source distribution first, and nothing is ever written there. The same
sources, roots, list and date give the same bytes (with the same hatchling). What was built is opened again and compared
with what should be in it before it is handed over.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path, PurePosixPath
from typing import Final

from tunesmith.licensing import Trust, armor, dearmor, dearmor_all, format_timestamp, read_envelope, text
from tunesmith.licensing.contents import parse_revocations
from tunesmith_vendor.desk import utc_now
from tunesmith_vendor.errors import VendorError
from tunesmith_vendor.files import make_private_folder, read_bytes, write_new_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["PACKAGE", "Built", "build_wheel", "hand_over", "read_chain", "read_sources"]

PACKAGE: Final = "tunesmith_enterprise"
_PLACED: Final = f"{PACKAGE}/placed"
_ROOT, _BUILD, _REVOCATIONS, _WATERMARK = (
    f"{_PLACED}/{name}" for name in ("root.txt", "build.json", "revocations.txt", "watermark.txt")
)
_BESIDE: Final = ("pyproject.toml", "README.md", "LICENSE-ENTERPRISE")
_PRIVATE: Final = b"PRIVATE KEY-----"
_EARLIEST: Final = datetime(1980, 1, 1, tzinfo=timezone.utc)  # what the format zip can say


@dataclass(frozen=True, slots=True)
class Built:
    """A wheel.

    Attributes:
        path: of it.
        sha256: of its bytes, in hexadecimal.
        version: of the package.
        built_at: what it says about when it was built.
        root_version: of the root that it starts with.
        revocations: the number of its list; None: it brings none.
    """

    path: Path
    sha256: str
    version: str
    built_at: datetime
    root_version: int
    revocations: int | None


def build_wheel(
    source: Path,
    out: Path,
    chain: Sequence[bytes],
    *,
    built_at: datetime,
    revocations: bytes | None = None,
    watermark: str | None = None,
) -> Built:
    """Build it.

    Args:
        source: the folder ``enterprise`` of a checkout, or a source distribution of it (``.tar.gz``).
        out: the folder for the wheel; made if it is not there.
        chain: envelopes of all roots, from version 1 to the newest.
        built_at: aware; licenses under maintenance are measured by it. Not in the future.
        revocations: the envelope of the newest list.
        watermark: a text that tells this copy from others, e.g. whom it is for.

    Raises:
        VendorError: the sources are not those of the package, hold a root or a private key; the chain is not whole or
            its newest root has expired; or what was built is not what should be in it.
        SignedDocumentError: a root or the list is damaged, or was not signed by enough.
    """
    trust = _checked(chain, built_at)
    files = read_sources(source)
    project = _project(files["pyproject.toml"], source)
    number = None
    placed = {_ROOT: "".join(map(armor, chain)).encode("ascii")}
    stamp = {"schema": 1, "built_at": format_timestamp(built_at), "version": project["version"]}
    placed[_BUILD] = (json.dumps(stamp) + "\n").encode("ascii")
    if revocations is not None:
        listed = parse_revocations(trust.verify(revocations, "revocations"))
        if listed.product != project["name"]:
            raise VendorError(
                "this list of revocations is for another product", given=listed.product, expected=project["name"]
            )
        number = listed.number
        placed[_REVOCATIONS] = armor(revocations).encode("ascii")
    if watermark is not None:
        placed[_WATERMARK] = (text(watermark, "the watermark") + "\n").encode()
    with tempfile.TemporaryDirectory(prefix="tunesmith-vendor-") as work:
        wheel = _run_hatchling({**files, **placed}, Path(work), built_at)
        expected = {name: content for name, content in {**files, **placed}.items() if name.startswith(f"{PACKAGE}/")}
        _compare(wheel, expected, project)
        content = wheel.read_bytes()
    path = hand_over(out, wheel.name, content)
    return Built(path, hashlib.sha256(content).hexdigest(), project["version"], built_at, trust.root.version, number)


def read_chain(path: Path) -> tuple[bytes, ...]:
    """The roots of a file, such as ``root-chain.txt`` of a desk.

    Raises:
        VendorError: it holds something else, e.g. a draft.
        SignedDocumentError: it is damaged.
    """
    content = read_bytes(path, "the chain of roots")
    if content.lstrip().startswith(b"{"):
        raise VendorError(
            "this is a draft of a root, and not a root",
            given=path,
            expected="root-chain.txt of a desk: roots that enough have signed",
            fix="have it signed with `tunesmith-vendor root sign`; with the last signature it joins the chain",
        )
    documents = dearmor_all(content)
    other = next((document.kind for document in documents if document.kind != "root"), None)
    if other is not None:
        raise VendorError("this file holds something else than roots", given=f"{path}: a {other}", expected="roots")
    return tuple(document.envelope for document in documents)


def read_sources(source: Path) -> dict[str, bytes]:
    """What a wheel of the package is made of, by relative names.

    Raises:
        VendorError: it is not the package; a link lies in it; or a root or a private key.
    """
    files = _from_folder(source) if source.is_dir() else _from_archive(source)
    missing = next((name for name in (*_BESIDE, f"{PACKAGE}/__init__.py") if name not in files), None)
    if missing is not None:
        raise VendorError(
            "these are not the sources of the enterprise package",
            given=f"{source}: no {missing}",
            expected="the folder enterprise of a checkout, or its source distribution",
        )
    there = next((name for name in (_ROOT, _BUILD, _REVOCATIONS, _WATERMARK) if name in files), None)
    if there is not None:
        raise VendorError(
            "something has been placed in these sources already, and only the desk does that, while it builds",
            given=f"{source}: {there}",
            fix="take it out; a checkout never holds a root",
        )
    secret = next((name for name, content in files.items() if _PRIVATE in content), None)
    if secret is not None:
        raise VendorError(
            "a private key lies in these sources",
            given=f"{source}: {secret}",
            expected="none, anywhere",
            fix="take it out; if it was ever published, replace it with `root rotate`",
        )
    return files


def _from_folder(folder: Path) -> dict[str, bytes]:
    found = {name: read_bytes(folder / name, name) for name in _BESIDE if (folder / name).is_file()}
    for path in sorted((folder / PACKAGE).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise VendorError("a link lies in these sources", given=name, expected="files only")
        if path.is_file() and "__pycache__" not in path.parts:
            found[name] = read_bytes(path, name)
    return found


def _from_archive(file: Path) -> dict[str, bytes]:
    found = {}
    try:
        with tarfile.open(file) as archive:
            for member in archive:
                name = "/".join(PurePosixPath(member.name).parts[1:])  # below the one folder of a source distribution
                if member.isdir() or not (name in _BESIDE or name.startswith(f"{PACKAGE}/")):
                    continue
                opened = archive.extractfile(member) if member.isfile() else None
                if opened is None or ".." in name.split("/"):
                    raise VendorError("a link lies in these sources", given=member.name, expected="files only")
                found[name] = opened.read()
    except (OSError, tarfile.TarError) as error:
        raise VendorError(
            "the sources cannot be read",
            given=f"{file}: {error}",
            expected="the folder enterprise of a checkout, or a source distribution (.tar.gz)",
        ) from None
    return found


def _checked(chain: Sequence[bytes], built_at: datetime) -> Trust:
    if not chain:
        raise VendorError("there is no root to build with", fix="see `tunesmith-vendor root init`")
    now = utc_now()
    first = Trust.start(chain[0])
    if first.root.version != 1:
        raise VendorError(
            "the chain of roots is not whole",
            given=f"it begins with version {first.root.version}",
            expected="all roots from version 1 on, so that every installation can follow",
        )
    trust = first.follow(chain[1:], now=now)
    if now >= trust.root.expires:
        raise VendorError(
            "the newest root has expired, and no installation would take it",
            given=f"version {trust.root.version}, until {format_timestamp(trust.root.expires)}",
            fix="make the next one with `tunesmith-vendor root rotate`",
        )
    if len(chain) != trust.root.version or read_envelope(chain[-1]).payload != read_envelope(trust.envelope).payload:
        raise VendorError(
            "the chain of roots is not in order",
            given=f"{len(chain)} roots",
            expected=f"version 1 to {trust.root.version}",
        )
    if not _EARLIEST <= built_at <= now + timedelta(days=1):
        raise VendorError(
            "no build is from that time",
            given=format_timestamp(built_at),
            expected=f"{format_timestamp(_EARLIEST)} to now",
            fix="look at --built-at, SOURCE_DATE_EPOCH and the clock",
        )
    return trust


def _project(content: bytes, source: Path) -> dict[str, str]:
    try:
        project = tomllib.loads(content.decode("utf-8"))["project"]
        return {"name": str(project["name"]), "version": str(project["version"])}
    except (ValueError, KeyError, TypeError) as error:
        raise VendorError(
            "pyproject.toml of the sources does not say name and version", given=f"{source}: {error}"
        ) from None


def _run_hatchling(files: Mapping[str, bytes], work: Path, built_at: datetime) -> Path:
    tree, out = work / "tree", work / "out"
    for name, content in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    # -I: nothing in the tree, and no variable, decides what is imported.
    done = subprocess.run(
        [sys.executable, "-I", "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=tree,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(int(built_at.timestamp())), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = sorted(out.glob("*.whl")) if done.returncode == 0 else []
    if len(wheels) != 1:
        tail = (done.stdout + done.stderr).strip().splitlines()[-8:]
        raise VendorError("the wheel could not be built", given="\n            ".join(tail) or "no word about why")
    return wheels[0]


def _compare(wheel: Path, expected: Mapping[str, bytes], project: Mapping[str, str]) -> None:
    """That a wheel holds what it should, byte for byte, and nothing else beside its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    metadata = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info/"
    inside = {name: content for name, content in found.items() if not name.startswith(metadata)}
    wrong = sorted(name for name in {*inside, *expected} if inside.get(name) != expected.get(name))
    if wrong:
        raise VendorError(
            "the wheel that was built is not what should be in it, and was thrown away",
            given=f"{', '.join(wrong[:5])}: missing, more, or different",
            expected="the package as its sources have it, with what was placed",
            fix="look at [tool.hatch] of its pyproject.toml",
        )
    if any(_PRIVATE in content for content in found.values()):
        raise VendorError("the wheel that was built holds a private key, and was thrown away")
    if b"Private :: Do Not Upload" not in found.get(f"{metadata}METADATA", b""):
        raise VendorError(
            "the wheel that was built could be uploaded to the public index, and was thrown away",
            expected="the classifier Private :: Do Not Upload",
        )
    # As an installation reads it.
    Trust.start(dearmor_all(inside[_ROOT])[-1].envelope)
    if _REVOCATIONS in inside:
        dearmor(inside[_REVOCATIONS], "revocations")


def hand_over(out: Path, name: str, content: bytes) -> Path:
    """Put a wheel into a folder. The same bytes once more are no error; other bytes under its name are.

    Raises:
        VendorError: another build of that name lies there, and stays.
    """
    make_private_folder(out)
    path = out / name
    if path.exists() and read_bytes(path, "the wheel that is there") == content:
        return path
    write_new_file(path, content, mode=0o644)
    return path
